//! How a pool's servers are reached, and what may be spoken to them.

use std::sync::Arc;

use super::super::address::{host_or_socket, is_socket, server_host};
use super::super::report::Report;
use crate::config::key_path::KeyPath;
use crate::config::meant::{CertificateFiles, ServerConfig, ServerTls, Upgrades};
use crate::config::written;

/// Host and port of a server that is written as a table; the port of a Unix
/// socket is 0.
pub(super) fn place(
    written: &written::Server,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<(String, u16)> {
    let host = report.value(&path.key("host"), host_or_socket(&written.host));
    let key = path.key("port");
    let port = match (is_socket(&written.host), written.port) {
        (false, Some(port)) => Some(report.within(&key, port, &(1..=u16::MAX))),
        (true, None) => Some(0),
        (false, None) => {
            report.fail(&key, "a server needs its port; write one, such as 3000");
            None
        }
        (true, Some(_)) => {
            report.fail(&key, "a Unix socket has no port; leave it out");
            None
        }
    };
    Some((host?, port?))
}

/// How connections to servers speak TLS.
pub(super) fn server_tls(
    written: &written::ServerTls,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> ServerTls {
    let certificate = match (&written.cert, &written.key) {
        (Some(certificate), Some(key)) => Some(CertificateFiles {
            certificate: report.pem(&path.key("cert"), certificate),
            key: report.pem(&path.key("key"), key),
        }),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            report.fail(path, "cert and key go together; write both or neither");
            None
        }
    };
    if let Some(name) = &written.name {
        report.value(&path.key("name"), server_host(name));
    }
    if !written.verify && written.ca.is_some() {
        let message = "nothing is verified, so ca has no meaning; leave one of the two out";
        report.fail(&path.key("verify"), message);
    }
    ServerTls {
        authorities: written
            .ca
            .as_ref()
            .map(|ca| report.pem(&path.key("ca"), ca)),
        name: written.name.as_deref().map(Arc::from),
        certificate,
        verify: written.verify,
    }
}

/// Notes an error where servers behind Unix sockets should prove a name in TLS,
/// and nobody says which.
pub(super) fn check_sockets(
    servers: &[ServerConfig],
    tls: Option<&ServerTls>,
    path: &KeyPath,
    report: &mut Report<'_>,
) {
    let has_socket = servers.iter().any(|server| is_socket(&server.host));
    if has_socket && tls.is_some_and(|tls| tls.name.is_none()) {
        let message = "a Unix socket has no name that its server could prove; write tls = { name \
                       = \"…\" }";
        report.fail(path, message);
    }
}

/// What clients may switch to.
pub(super) fn upgrades(written: &[String], path: &KeyPath, report: &mut Report<'_>) -> Upgrades {
    if written.iter().any(|protocol| protocol == "*") {
        return Upgrades::Any;
    }
    for (index, protocol) in written.iter().enumerate() {
        if !Upgrades::may_name(protocol) {
            let message = format!(
                "{protocol:?} is no protocol to switch to; write its name as in an Upgrade header, \
                 such as \"websocket\", or \"*\" for any but HTTP and TLS"
            );
            report.fail(&path.index(index), message);
        }
    }
    let names = written.iter().map(|protocol| protocol.to_ascii_lowercase());
    Upgrades::Named(names.collect())
}
