//! A shopper's connection: TCP, perhaps TLS, then HTTP/1.1 or HTTP/2.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, COOKIE, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::failure::{Failure, chain};
use super::journey::Step;
use super::{Target, TrafficOptions, tls};

/// How long a connection may take to be made, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("gatewright-traffic/", env!("CARGO_PKG_VERSION")));

/// Makes connections to the target.
pub(super) struct Connector {
    target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    http2: bool,
    /// How long a response may take.
    pub(super) timeout: Duration,
}

impl Connector {
    /// Read what is to be trusted.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or the target's host cannot have a certificate.
    pub(super) fn new(options: &TrafficOptions) -> anyhow::Result<Self> {
        let target = options.target.clone();
        let tls = if target.is_secure() {
            let name = ServerName::try_from(target.host().to_owned())?;
            let config = Arc::new(tls::client_config(options)?);
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        Ok(Self {
            target,
            tls,
            http2: options.http2,
            timeout: options.timeout,
        })
    }

    /// Whether requests go through TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.target.is_secure()
    }

    /// Connect.
    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.reach())
            .await
            .unwrap_or_else(|_| Err(Failure::Connect("it took too long".to_owned())))
    }

    async fn reach(&self) -> Result<Connection, Failure> {
        let stream = TcpStream::connect((self.target.host(), self.target.port()))
            .await
            .map_err(|error| Failure::Connect(chain(&error)))?;
        // Where the option cannot be set, requests are only slower.
        let _ = stream.set_nodelay(true);
        let Some((tls, name)) = &self.tls else {
            return self.greet(TokioIo::new(stream)).await;
        };
        let stream = tls
            .connect(name.clone(), stream)
            .await
            .map_err(|error| Failure::of_tls(&error))?;
        if self.http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(Failure::Handshake("HTTP/2 is not offered there".to_owned()));
        }
        self.greet(TokioIo::new(stream)).await
    }

    /// Begin HTTP. The connection's own task ends when its sender is dropped.
    async fn greet<S>(&self, stream: S) -> Result<Connection, Failure>
    where
        S: Read + Write + Unpin + Send + 'static,
    {
        let failed = |error: hyper::Error| Failure::Handshake(chain(&error));
        let sender = if self.http2 {
            let handshake = http2::handshake(TokioExecutor::new(), stream);
            let (sender, connection) = handshake.await.map_err(failed)?;
            // Whatever ends it, the request that is under way is told.
            tokio::spawn(async { drop(connection.await) });
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(stream).await.map_err(failed)?;
            tokio::spawn(async { drop(connection.await) });
            Sender::Http1(sender)
        };
        Ok(Connection {
            sender,
            requests: 0,
        })
    }

    /// The request of a step.
    pub(super) fn request(
        &self,
        step: &Step,
        cookies: Option<HeaderValue>,
    ) -> Result<Request<Empty<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(step.method.clone())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(cookies) = cookies {
            request = request.header(COOKIE, cookies);
        }
        let authority = self.target.authority();
        request = if self.http2 {
            let uri = Uri::builder()
                .scheme(self.target.scheme())
                .authority(authority.clone())
                .path_and_query(step.path.as_str());
            request.uri(uri.build()?)
        } else {
            request
                .uri(step.path.as_str())
                .header(HOST, authority.as_str())
        };
        request.body(Empty::new())
    }
}

/// A connection that is kept from one request to the next.
pub(super) struct Connection {
    sender: Sender,
    requests: u64,
}

enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    /// Whether another request can be sent now; otherwise the connection has
    /// been closed, or is about to be.
    pub(super) async fn is_usable(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Whether it has carried a request before. A server may close such a
    /// connection at any time, also just when the next request is under way.
    pub(super) fn is_used(&self) -> bool {
        self.requests > 0
    }

    /// Send a request and wait for the response's head.
    pub(super) async fn send(
        &mut self,
        request: Request<Empty<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        self.requests += u64::from(response.is_ok());
        response
    }
}
