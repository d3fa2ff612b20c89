//! One check: a connection, a GET as requests to the pool are sent, or a call of
//! gRPC's own health service.

mod grpc;
mod http1;
mod http2;

use std::io;
use std::sync::Arc;

use gatewright_model::address::Address;
use gatewright_model::config::{CheckKind, HealthCheck, Protocol};
use gatewright_model::endpoint::Endpoint;
use gatewright_wire::proxy_header::Behalf;
use http::StatusCode;
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
        let mut stream = connect(&addresses).await?;
        if self.plan.kind == CheckKind::Tcp {
            return Ok(());
        }
        stream.write_all(&manner.preamble(Behalf::Own)).await?;
        let Some(tls) = &manner.tls else {
            let is_http2 = manner.protocol == Protocol::Http2;
            return self.speak(stream, is_http2, "http").await;
        };
        let name = manner.name_of(&self.endpoint.host)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
        let stream = stream.await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(H2);
        if manner.protocol == Protocol::Http2 && !is_http2 {
            return Err(no_http2());
        }
        self.speak(stream, is_http2, "https").await
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        is_http2: bool,
        scheme: &str,
    ) -> io::Result<()> {
        let authority = self.endpoint.authority();
        let address = http2::Address { scheme, authority };
        let path = &self.plan.path;
        let status = match (self.plan.kind, is_http2) {
            (CheckKind::Grpc, false) => return Err(no_http2()),
            (CheckKind::Grpc, true) => {
                return grpc::ask(stream, address, &self.plan.service).await;
            }
            (_, false) => http1::status(stream, authority, path).await?,
            (_, true) => http2::status(stream, address, path).await?,
        };
        self.judge(status)
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
