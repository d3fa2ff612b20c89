//! A new connection to a server: TCP or a Unix socket, then TLS where its pool
//! has it, then whichever protocol was agreed on.

use std::io;
use std::sync::Arc;

use gatewright_model::address::Address;
use gatewright_model::config::Protocol;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsConnector;

use super::{By, Manner, Transport};
use crate::outbox::{Peer, Posted};
use crate::socket::connect;

/// The protocol's name in ALPN.
pub(crate) const H2: &[u8] = b"h2";

/// A stream to a server, and what is spoken on it.
pub(super) enum Dialed {
    Http1(Transport),
    Http2(Transport),
}

/// Connect to one address of a server.
pub(super) async fn dial(
    address: &Address,
    host: &str,
    manner: &Manner,
    by: By<'_>,
) -> io::Result<Dialed> {
    let mut stream = connect(address).await?;
    if manner.proxy_protocol.is_some() {
        stream.write_all(&manner.preamble(by.client)).await?;
    }
    let stream = Posted::new(stream, Peer::Server, by.outbox);
    let Some(tls) = &manner.tls else {
        let stream = Transport::Plain(stream);
        return Ok(match manner.protocol {
            Protocol::Http2 => Dialed::Http2(stream),
            Protocol::Http1 | Protocol::Auto => Dialed::Http1(stream),
        });
    };
    let connector = TlsConnector::from(Arc::clone(tls));
    let stream = connector.connect(manner.name_of(host)?, stream).await?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
    let stream = Transport::Tls(Box::new(stream));
    match (is_http2, manner.protocol) {
        (true, _) => Ok(Dialed::Http2(stream)),
        (false, Protocol::Http2) => Err(io::Error::other("the server does not speak HTTP/2")),
        (false, Protocol::Http1 | Protocol::Auto) => Ok(Dialed::Http1(stream)),
    }
}
