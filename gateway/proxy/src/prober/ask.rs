//! One question: a connection, a GET as requests to the pool are sent, or a call
//! of gRPC's own health service.

mod grpc;
mod http1;
mod http2;

use std::io;
use std::sync::Arc;

use gatewright_model::address::Address;
use gatewright_model::config::{CheckKind, HealthCheck, Protocol};
use gatewright_model::endpoint::Endpoint;
use gatewright_wire::proxy_header::Behalf;
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::resolve::resolve;
use crate::socket;
use crate::upstream::{H2, Manner};

/// What the servers read of who asks.
const USER_AGENT: &str = "gatewright-health";

/// Ask an endpoint; the error says what was found instead.
pub(super) async fn ask(
    endpoint: &Endpoint,
    plan: &HealthCheck,
    manner: &Manner,
) -> Result<(), String> {
    let question = Question { endpoint, plan };
    let asked = question.ask(manner).await;
    asked.map_err(|error| error.to_string())
}

/// What is asked, and of whom.
struct Question<'a> {
    endpoint: &'a Endpoint,
    plan: &'a HealthCheck,
}

impl Question<'_> {
    async fn ask(&self, manner: &Manner) -> io::Result<()> {
        resolve(self.endpoint).await?;
        let addresses = self.endpoint.state.addresses.load_full();
        let stream = connect(&addresses).await?;
        if self.plan.kind == CheckKind::Tcp {
            return Ok(());
        }
        let line = Line::over(stream, self.endpoint, manner).await?;
        if self.plan.kind == CheckKind::Grpc {
            return match line.is_http2 {
                true => grpc::ask(line.stream, line.address, &self.plan.service).await,
                false => Err(no_http2()),
            };
        }
        let answer = line.get(&self.plan.path).await?;
        self.judge(answer.status)
    }

    fn judge(&self, status: StatusCode) -> io::Result<()> {
        match self.plan.statuses.contain(status.as_u16()) {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "{} answered {status}",
                self.plan.path
            ))),
        }
    }
}

/// GET a path of an endpoint whose address is known, as requests to its pool
/// are sent.
pub(super) async fn get(endpoint: &Endpoint, path: &str, manner: &Manner) -> io::Result<Answer> {
    let addresses = endpoint.state.addresses.load_full();
    let stream = connect(&addresses).await?;
    let line = Line::over(stream, endpoint, manner).await?;
    line.get(path).await
}

/// The head of what a path was answered with.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

/// A connection that is ready for a request.
struct Line<'a> {
    stream: Box<dyn Stream>,
    is_http2: bool,
    address: http2::Address<'a>,
}

/// What requests are sent over.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl<'a> Line<'a> {
    /// Say what is to be said before the first request, in TLS if the pool is.
    async fn over(
        mut stream: TcpStream,
        endpoint: &'a Endpoint,
        manner: &Manner,
    ) -> io::Result<Self> {
        stream.write_all(&manner.preamble(Behalf::Own)).await?;
        let authority = endpoint.authority();
        let Some(tls) = &manner.tls else {
            return Ok(Self {
                stream: Box::new(stream),
                is_http2: manner.protocol == Protocol::Http2,
                address: http2::Address {
                    scheme: "http",
                    authority,
                },
            });
        };
        let name = manner.name_of(&endpoint.host)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let stream = stream.await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
        if manner.protocol == Protocol::Http2 && !is_http2 {
            return Err(no_http2());
        }
        Ok(Self {
            stream: Box::new(stream),
            is_http2,
            address: http2::Address {
                scheme: "https",
                authority,
            },
        })
    }

    async fn get(self, path: &str) -> io::Result<Answer> {
        match self.is_http2 {
            false => http1::get(self.stream, self.address.authority, path).await,
            true => http2::get(self.stream, self.address, path).await,
        }
    }
}

fn no_http2() -> io::Error {
    io::Error::other("the server does not speak HTTP/2")
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
