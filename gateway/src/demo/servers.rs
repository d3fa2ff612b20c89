//! The demo's servers: they run in this process, and can be killed and started
//! again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::anyhow;

use crate::backend::{Backend, BackendOptions};
use crate::ending::usage;

/// How long an answer takes at least, and how much longer at most: long enough
/// that requests overlap and a balancer has something to weigh.
const DELAY: Duration = Duration::from_millis(2);
const JITTER: Duration = Duration::from_millis(4);

/// All of them, in the order of the command line.
pub(super) struct Servers(Vec<Server>);

/// One of them, running or not.
struct Server {
    address: SocketAddr,
    running: Option<Backend>,
}

impl Servers {
    /// Start a server on each port of an address; port 0 is a free one.
    ///
    /// # Errors
    ///
    /// When a port cannot be listened on; the error says which and what to do.
    pub(super) async fn start(host: IpAddr, ports: &[u16]) -> anyhow::Result<Self> {
        let mut servers = Vec::with_capacity(ports.len());
        for port in ports {
            let address = SocketAddr::new(host, *port);
            let backend = start(address)
                .await
                .map_err(|error| refused(error, *port))?;
            servers.push(Server {
                address: backend.address(),
                running: Some(backend),
            });
        }
        Ok(Self(servers))
    }

    /// Where they listen, or did.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|server| server.address).collect()
    }

    /// Kill a server that runs, in the middle of what it is doing, or start one
    /// that does not; in words, what was done. None when there is no such one.
    pub(super) async fn kill_or_start(&mut self, index: usize) -> Option<String> {
        let server = self.0.get_mut(index)?;
        let address = server.address;
        if server.running.take().is_some() {
            return Some(format!("{address} was killed"));
        }
        Some(match start(address).await {
            Ok(backend) => {
                server.running = Some(backend);
                format!("{address} was started again")
            }
            Err(error) => error.to_string(),
        })
    }

    /// End those that run, politely.
    pub(super) async fn stop(self) {
        for server in self.0 {
            if let Some(backend) = server.running {
                backend.stop().await;
            }
        }
    }
}

async fn start(address: SocketAddr) -> io::Result<Backend> {
    Backend::start(BackendOptions {
        port: address.port(),
        host: address.ip(),
        delay: DELAY,
        jitter: JITTER,
        ..BackendOptions::default()
    })
    .await
}

fn refused(error: io::Error, port: u16) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::AddrInUse => usage(anyhow!(
            "port {port} is taken: stop what listens there, or choose other ports for the \
             demo's servers with --backends, such as --backends 3101,3102,3103"
        )),
        _ => usage(error),
    }
}

/// The ports of the command line, if the demo can have a server on each.
pub(super) fn check_ports(ports: &[u16]) -> anyhow::Result<()> {
    // A key on the keyboard is there for each.
    let most = 9;
    if ports.len() > most {
        return Err(usage(anyhow!("--backends: at most {most} servers, please")));
    }
    let twice = ports
        .iter()
        .enumerate()
        .find(|(index, port)| **port != 0 && ports[..*index].contains(port));
    match twice {
        Some((_, port)) => Err(usage(anyhow!("--backends: port {port} is given twice"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_server_that_was_killed_comes_back_where_it_was() {
        let mut servers = Servers::start(Ipv4Addr::LOCALHOST.into(), &[0])
            .await
            .expect("a free port");
        let address = servers.addresses()[0];
        assert!(TcpStream::connect(address).await.is_ok());
        let killed = servers.kill_or_start(0).await.expect("it is there");
        assert_eq!(killed, format!("{address} was killed"));
        // The port closes when the server's task is dropped.
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        servers.kill_or_start(0).await.expect("it is there");
        assert!(TcpStream::connect(address).await.is_ok());
        assert_eq!(servers.kill_or_start(1).await, None);
        servers.stop().await;
    }

    #[test]
    fn a_port_twice_is_refused_and_any_free_port_twice_is_not() {
        assert!(check_ports(&[3001, 3002, 3001]).is_err());
        assert!(check_ports(&[0, 0, 0]).is_ok());
    }
}
