//! One check: GET a path as requests to the pool are sent; any 2xx is healthy.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use gatewright_model::address::Address;
use gatewright_model::config::Protocol;
use gatewright_model::endpoint::Endpoint;
use gatewright_wire::proxy_header::Behalf;
use gatewright_wire::{HeadLimits, HeadParser};
use http::{Method, Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::resolve::resolve;
use crate::socket;
use crate::upstream::{H2, Manner};

/// What the servers read of who asks.
const USER_AGENT: &str = "gatewright-health";

/// Ask an endpoint; the error says what was found instead.
pub(super) async fn ask(endpoint: &Endpoint, path: &str, manner: &Manner) -> Result<(), String> {
    let status = status(endpoint, path, manner);
    let status = status.await.map_err(|error| error.to_string())?;
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("{path} answered {status}")),
    }
}

async fn status(endpoint: &Endpoint, path: &str, manner: &Manner) -> io::Result<StatusCode> {
    resolve(endpoint).await?;
    let addresses = endpoint.state.addresses.load_full();
    let mut stream = connect(&addresses).await?;
    stream.write_all(&manner.preamble(Behalf::Own)).await?;
    let Some(tls) = &manner.tls else {
        return match manner.protocol {
            Protocol::Http2 => over_http2(stream, endpoint, path, "http").await,
            Protocol::Http1 | Protocol::Auto => over_http1(stream, endpoint, path).await,
        };
    };
    let name = manner.name_of(&endpoint.host)?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    let stream = stream.await?;
    match (stream.get_ref().1.alpn_protocol(), manner.protocol) {
        (Some(H2), _) => over_http2(stream, endpoint, path, "https").await,
        (_, Protocol::Http2) => Err(io::Error::other("the server does not speak HTTP/2")),
        _ => over_http1(stream, endpoint, path).await,
    }
}

/// A connection to the first address that answers.
async fn connect(addresses: &[Address]) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match socket::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn over_http1(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    endpoint: &Endpoint,
    path: &str,
) -> io::Result<StatusCode> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        endpoint.authority()
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut buffer = BytesMut::with_capacity(1024);
    let mut parser = HeadParser::new(HeadLimits::DEFAULT);
    loop {
        let parsed = parser.parse(&mut buffer, (&Method::GET).into());
        match parsed.map_err(io::Error::other)? {
            Some(head) if head.status.is_informational() => {}
            Some(head) => return Ok(head.status),
            None => {
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Err(io::Error::other("closed without an answer"));
                }
            }
        }
    }
}

async fn over_http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    endpoint: &Endpoint,
    path: &str,
    scheme: &str,
) -> io::Result<StatusCode> {
    let request = Request::get(format!("{scheme}://{}{path}", endpoint.authority()))
        .version(Version::HTTP_2)
        .header("user-agent", USER_AGENT)
        .body(())
        .map_err(io::Error::other)?;
    let asking = async {
        let (sender, connection) = h2::client::handshake(stream).await?;
        let asking = async {
            let (response, _) = sender.ready().await?.send_request(request, true)?;
            response.await
        };
        tokio::select! {
            response = asking => response,
            ended = connection => Err(ended.err().unwrap_or_else(|| h2::Reason::NO_ERROR.into())),
        }
    };
    let response: Result<_, h2::Error> = asking.await;
    Ok(response.map_err(io::Error::other)?.status())
}
