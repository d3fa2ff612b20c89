//! Servers that are found by DNS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::super::address::{server_address, server_host};
use super::super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Dns, ServerTls};
use crate::config::written;

/// The most names that one pool asks for, all of which are asked for at once.
const MAX_NAMES: usize = 64;

/// The port of name servers where none is written.
const PORT: u16 = 53;

/// Where servers are found.
pub(super) fn dns(written: &written::Dns, path: &KeyPath, report: &mut Report<'_>) -> Dns {
    if written.names.is_empty() && written.srv.is_none() {
        let message = "there is no name to look up; write names = [\"app.internal:8080\"], or \
                       srv = \"_http._tcp.app.internal\"";
        report.fail(path, message);
    }
    let names = path.key("names");
    if written.names.len() > MAX_NAMES {
        report.fail(
            &names,
            format!("more than {MAX_NAMES} names; split the pool"),
        );
    }
    let srv = written.srv.as_deref();
    let srv = srv.and_then(|name| report.value(&path.key("srv"), self::name(name)));
    let min_ttl = report.within(&path.key("min_ttl"), written.min_ttl, &defaults::DNS_TTL);
    let max_ttl = report.within(&path.key("max_ttl"), written.max_ttl, &defaults::DNS_TTL);
    if min_ttl > max_ttl {
        let message = format!("{max_ttl} is less than min_ttl; write {min_ttl} or more");
        report.fail(&path.key("max_ttl"), message);
    }
    let asked = written.nameservers.iter().enumerate();
    let key = path.key("nameservers");
    Dns {
        nameservers: asked
            .filter_map(|(at, text)| report.value(&key.index(at), nameserver(text)))
            .collect(),
        names: written
            .names
            .iter()
            .enumerate()
            .filter_map(|(at, text)| report.value(&names.index(at), name_and_port(text)))
            .collect(),
        srv,
        min_ttl: min_ttl.0,
        max_ttl: max_ttl.0,
    }
}

/// Notes an error where nobody says what servers that are found have to prove:
/// of them the gateway knows addresses, and certificates have names.
pub(super) fn check_tls(tls: Option<&ServerTls>, path: &KeyPath, report: &mut Report<'_>) {
    if tls.is_some_and(|tls| tls.verify && tls.name.is_none()) {
        let message = "servers that DNS finds are known by their addresses; write the name that \
                       their certificates prove, such as name = \"app.internal\"";
        report.fail(path, message);
    }
}

fn name_and_port(text: &str) -> Result<(Arc<str>, u16), String> {
    let (host, port) = server_address(text).map_err(|_| {
        format!("{text:?} is no name with a port; write one such as \"app.internal:8080\"")
    })?;
    Ok((name(&host)?, port))
}

/// A name that can be looked up, in lower case.
fn name(text: &str) -> Result<Arc<str>, String> {
    let host = server_host(text)?;
    match host.parse::<IpAddr>() {
        Ok(_) => Err(format!(
            "{text:?} is an address and needs no look-up; write it among the pool's servers"
        )),
        Err(_) => Ok(Arc::from(host)),
    }
}

fn nameserver(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<SocketAddr>().ok().filter(|a| a.port() > 0);
    let alone = || text.parse::<IpAddr>().ok();
    address
        .or_else(|| alone().map(|ip| SocketAddr::new(ip, PORT)))
        .ok_or_else(|| {
            format!(
                "{text:?} is no name server; write its address, such as \"10.0.0.2\" or \
                 \"127.0.0.1:5353\""
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_an_address_with_or_without_a_port() {
        assert_eq!(nameserver("10.0.0.2"), Ok("10.0.0.2:53".parse().unwrap()));
        assert_eq!(nameserver("::1"), Ok("[::1]:53".parse().unwrap()));
        let with_port = nameserver("127.0.0.1:5353");
        assert_eq!(with_port, Ok("127.0.0.1:5353".parse().unwrap()));
        for text in ["", "dns.internal", "127.0.0.1:0", "127.0.0.1:"] {
            assert!(nameserver(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_is_no_name() {
        assert_eq!(
            name_and_port("App.Internal:80"),
            Ok((Arc::from("app.internal"), 80))
        );
        for text in ["app.internal", "10.0.0.1:80", "[::1]:80", "a b:80"] {
            assert!(name_and_port(text).is_err(), "{text}");
        }
    }
}
