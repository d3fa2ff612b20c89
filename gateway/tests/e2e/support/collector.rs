//! A collector of OpenTelemetry: it takes OTLP over HTTP, in protobuf by the project's
//! own definitions, and keeps what it was sent.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::eventually::eventually;
use super::tls::{Certified, acceptor};

/// A collector on a port of its own. It stops when it is dropped.
pub(crate) struct Collector {
    address: SocketAddr,
    is_secure: bool,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

struct State {
    status: StatusCode,
    asked: usize,
    authorization: Option<String>,
    service: String,
    spans: Vec<Span>,
}

/// A span as tests look at it.
#[derive(Clone, Debug)]
pub(crate) struct Traced {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: i32,
    pub(crate) is_error: bool,
    pub(crate) links: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) nanoseconds: (u64, u64),
}

impl Collector {
    /// One that takes everything.
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// One that does so by TLS, with a certificate for `localhost`.
    pub(crate) async fn by_tls(certified: &Certified) -> Self {
        Self::listen(Some(acceptor(certified, &[], None))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let is_secure = tls.is_some();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State {
            status: StatusCode::OK,
            asked: 0,
            authorization: None,
            service: String::new(),
            spans: Vec::new(),
        }));
        let known = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (Arc::clone(&known), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, state).await,
                        Some(tls) => {
                            // Who does not trust it leaves.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, state).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            is_secure,
            state,
            serving,
        }
    }

    /// Its base address.
    pub(crate) fn base(&self) -> String {
        match self.is_secure {
            true => format!("https://localhost:{}", self.address.port()),
            false => format!("http://{}", self.address),
        }
    }

    /// Answer with this status from now on.
    pub(crate) fn answer(&self, status: StatusCode) {
        self.state.lock().expect("no panic").status = status;
    }

    /// How often it was sent something.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().expect("no panic").asked
    }

    /// What it was last shown as `Authorization`, and who said to have sent it.
    pub(crate) fn sender(&self) -> (Option<String>, String) {
        let state = self.state.lock().expect("no panic");
        (state.authorization.clone(), state.service.clone())
    }

    /// The spans that it has taken.
    pub(crate) fn spans(&self) -> Vec<Traced> {
        let state = self.state.lock().expect("no panic");
        state.spans.iter().map(Traced::of).collect()
    }

    /// The same, once there are so many.
    pub(crate) async fn after(&self, count: usize) -> Vec<Traced> {
        eventually(&format!("the collector has {count} spans"), async || {
            self.spans().len() >= count
        })
        .await;
        self.spans()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<Mutex<State>>,
) {
    let service = service_fn(move |request| take(Arc::clone(&state), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Whoever sends may leave at any time.
    let _ = connection.await;
}

async fn take(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let mut body = body.collect().await?.to_bytes().to_vec();
    if head
        .headers
        .get("content-encoding")
        .is_some_and(|coding| coding == "gzip")
    {
        let packed = std::mem::take(&mut body);
        let unpacked = GzDecoder::new(&*packed).read_to_end(&mut body);
        unpacked.expect("gzip");
    }
    let mut state = state.lock().expect("no panic");
    state.asked += 1;
    assert_eq!(head.uri.path(), "/v1/traces");
    assert_eq!(head.headers["content-type"], "application/x-protobuf");
    let authorization = head.headers.get("authorization");
    state.authorization = authorization.map(|value| value.to_str().expect("text").to_owned());
    if state.status == StatusCode::OK {
        let sent = ExportTraceServiceRequest::decode(&*body).expect("OTLP");
        for of_resource in sent.resource_spans {
            let resource = of_resource.resource.expect("a resource");
            let named = resource.attributes.iter();
            let mut named = named.filter(|one| one.key == "service.name");
            let name = named.next().and_then(|one| one.value.clone());
            state.service = shown(name.and_then(|name| name.value));
            let scopes = of_resource.scope_spans.into_iter();
            state.spans.extend(scopes.flat_map(|scope| scope.spans));
        }
    }
    let answer = ExportTraceServiceResponse::default().encode_to_vec();
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    *response.status_mut() = state.status;
    if state.status == StatusCode::TOO_MANY_REQUESTS {
        // As good as never.
        let never = http::HeaderValue::from(u64::MAX);
        response.headers_mut().insert("retry-after", never);
    }
    Ok(response)
}

impl Traced {
    fn of(span: &Span) -> Self {
        let attributes = span.attributes.iter().map(|one| {
            let value = one.value.clone().and_then(|value| value.value);
            (one.key.clone(), shown(value))
        });
        Self {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            name: span.name.clone(),
            kind: span.kind,
            is_error: span.status.as_ref().is_some_and(|status| status.code == 2),
            links: span.links.iter().map(|link| hex(&link.trace_id)).collect(),
            attributes: attributes.collect(),
            nanoseconds: (span.start_time_unix_nano, span.end_time_unix_nano),
        }
    }

    /// An attribute; nothing where there is none.
    pub(crate) fn says(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(value: Option<Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::ArrayValue(array)) => {
            let values = array.values.into_iter().map(|value| shown(value.value));
            values.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}
