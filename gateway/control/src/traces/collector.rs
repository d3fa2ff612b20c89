//! A collector of OpenTelemetry, and the connection to it: OTLP over HTTP/1.1.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use bytes::Bytes;
use gatewright_model::config::Tracing;
use gatewright_proxy::system_authorities;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long one sending may take, connecting included.
const LIMIT: Duration = Duration::from_secs(10);

/// Bytes of a collector's answer that are read.
const MOST_ANSWER: usize = 64 * 1024;

type Sender = http1::SendRequest<Full<Bytes>>;

/// A collector.
pub(super) struct Collector {
    address: Arc<str>,
    connection: Option<Sender>,
}

/// Why a batch was not taken.
#[derive(Debug)]
pub(super) struct SendError {
    pub(super) reason: String,
    /// Whether it may be taken later.
    pub(super) is_passing: bool,
    /// When the collector would have it again.
    pub(super) retry_after: Option<Duration>,
}

impl SendError {
    fn passing(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            reason: reason.into().to_string(),
            is_passing: true,
            retry_after: None,
        }
    }

    fn final_one(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            is_passing: false,
            ..Self::passing(reason)
        }
    }
}

impl Collector {
    pub(super) fn at(address: &Arc<str>) -> Self {
        Self {
            address: Arc::clone(address),
            connection: None,
        }
    }

    pub(super) fn is_at(&self, address: &Arc<str>) -> bool {
        self.address == *address
    }

    /// Send a batch: how many spans of it the collector has rejected.
    pub(super) async fn send(
        &mut self,
        config: &Tracing,
        batch: Bytes,
    ) -> Result<usize, SendError> {
        let sending = tokio::time::timeout(LIMIT, self.try_send(config, batch));
        let sent = sending
            .await
            .unwrap_or_else(|_| Err(SendError::passing("it does not answer")));
        if sent.is_err() {
            self.connection = None;
        }
        sent
    }

    async fn try_send(&mut self, config: &Tracing, batch: Bytes) -> Result<usize, SendError> {
        let uri: Uri = self.address.parse().map_err(SendError::final_one)?;
        let request = request(config, &uri, batch)?;
        let known = self.connection.take().filter(|known| !known.is_closed());
        let mut sender = match known {
            Some(sender) => sender,
            None => connect(&uri).await?,
        };
        sender.ready().await.map_err(SendError::passing)?;
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(SendError::passing)?.into_parts();
        let body = Limited::new(body, MOST_ANSWER).collect().await;
        let body = body.map_err(SendError::passing)?.to_bytes();
        self.connection = Some(sender);
        match head.status {
            status if status.is_success() => Ok(rejected(&body)),
            // Those that OTLP names for trying again.
            status @ (StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT) => Err(SendError {
                retry_after: retry_after(&head.headers),
                ..SendError::passing(format!("it answers {status}"))
            }),
            status => Err(SendError::final_one(format!("it answers {status}"))),
        }
    }
}

/// How many spans an answer says were rejected. One that says nothing rejects none.
fn rejected(body: &Bytes) -> usize {
    let answer = ExportTraceServiceResponse::decode(body.clone()).unwrap_or_default();
    let partial = answer.partial_success.unwrap_or_default();
    usize::try_from(partial.rejected_spans).unwrap_or_default()
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn request(config: &Tracing, uri: &Uri, batch: Bytes) -> Result<Request<Full<Bytes>>, SendError> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::post(path)
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/x-protobuf")
        .header(
            USER_AGENT,
            concat!("gatewright/", env!("CARGO_PKG_VERSION")),
        );
    for (name, value) in &config.headers {
        request = request.header(&**name, &**value);
    }
    request.body(Full::new(batch)).map_err(SendError::final_one)
}

async fn connect(uri: &Uri) -> Result<Sender, SendError> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(SendError::passing)?;
    if !is_secure {
        return speak(stream).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(SendError::final_one)?;
    let tls = tokio::task::spawn_blocking(tls).await;
    let tls = tls.map_err(SendError::passing)??;
    let stream = tls.connect(name, stream).await;
    speak(stream.map_err(SendError::passing)?).await
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Sender, SendError> {
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(SendError::passing)?;
    // It ends with the sender.
    tokio::spawn(connection);
    Ok(sender)
}

/// By the authorities that the system trusts, which are read anew for each
/// connection.
fn tls() -> Result<TlsConnector, SendError> {
    let roots = system_authorities().map_err(SendError::final_one)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SendError::final_one)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
