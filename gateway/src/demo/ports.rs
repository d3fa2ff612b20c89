//! Whether the demo's ports are free: asked before anything is started, so that
//! the answer can name the flag that changes the port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener};

use anyhow::anyhow;

use super::DemoOptions;
use crate::ending::usage;

/// Check the gateway's own ports.
///
/// # Errors
///
/// The first port that cannot be listened on, with the flag that says it.
pub(super) fn check(options: &DemoOptions) -> anyhow::Result<()> {
    let loopback = Ipv4Addr::LOCALHOST.into();
    // Kept until all are checked: a port that is given twice is taken.
    let mut held = Vec::new();
    for (host, port, flag) in [
        (options.host, options.http, "--http"),
        (options.host, options.https, "--https"),
        (loopback, options.admin_port, "--admin-port"),
    ] {
        held.push(listen(host, port).map_err(|error| refused(&error, port, flag))?);
    }
    Ok(())
}

fn listen(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port))
}

fn refused(error: &io::Error, port: u16, flag: &str) -> anyhow::Error {
    usage(match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "port {port} is taken: stop what listens there, or choose another with {flag} PORT \
             (0 is a free one)"
        ),
        io::ErrorKind::PermissionDenied => {
            anyhow!("port {port} needs privileges: choose another with {flag} PORT, from 1024 up")
        }
        _ => anyhow!("cannot listen on port {port} ({flag}): {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_flag() {
        let taken = listen(Ipv4Addr::LOCALHOST.into(), 0).expect("a free port");
        let port = taken.local_addr().expect("it listens").port();
        let options = |http, https| DemoOptions {
            http,
            https,
            admin_port: 0,
            ..DemoOptions::default()
        };
        let error = check(&options(0, port))
            .expect_err("it is taken")
            .to_string();
        assert!(
            error.contains(&port.to_string()) && error.contains("--https"),
            "{error}"
        );
        assert!(check(&options(0, 0)).is_ok());
    }
}
