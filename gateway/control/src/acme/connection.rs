//! Requests to an authority: HTTPS alone, each on a connection of its own, with
//! bounds. An order takes a dozen of them, once in two months.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use gatewright_model::config::Acme;
use gatewright_proxy::{authorities, system_authorities};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::problem::Problem;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an answer may take, from the request to its last byte.
const ANSWER: Duration = Duration::from_secs(30);

/// The most bytes of an answer: a chain of certificates comes to a few thousand.
const MOST: usize = 256 * 1024;

const NAME: &str = concat!("gatewright/", env!("CARGO_PKG_VERSION"));

/// Speaks with an authority. Cloning it shares it.
#[derive(Clone)]
pub(super) struct Connection {
    tls: TlsConnector,
    /// When the authority wants to be asked again.
    again: Arc<Mutex<Option<SystemTime>>>,
}

impl Connection {
    /// To the authority that is configured.
    pub(super) async fn new(acme: &Acme) -> Result<Self, Problem> {
        let own = acme.authorities.clone();
        let reading = tokio::task::spawn_blocking(move || match own {
            Some(file) => authorities(&file),
            None => system_authorities(),
        });
        let unusable = |reason: &dyn std::fmt::Display| Problem::Unreachable {
            host: acme.directory.to_string(),
            reason: reason.to_string(),
        };
        // The library takes for granted that it is one.
        let directory = acme.directory.parse::<Uri>();
        directory.map_err(|error| unusable(&error))?;
        let roots = reading.await.map_err(|error| unusable(&error))?;
        let roots = roots.map_err(|error| unusable(&error))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            again: Arc::default(),
        })
    }

    /// How long the authority wants to be left alone, if it has said so.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let again = *self.again.lock().unwrap_or_else(PoisonError::into_inner);
        again?.duration_since(SystemTime::now()).ok()
    }

    async fn ask(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Problem> {
        let host = host_of(request.uri()).to_owned();
        let unreachable = |reason: String| Problem::Unreachable {
            host: host.clone(),
            reason,
        };
        if request.uri().scheme_str() != Some("https") {
            return Err(unreachable(format!("{} is not HTTPS", request.uri())));
        }
        let connecting = self.connect(request.uri(), &host);
        let connected = tokio::time::timeout(CONNECT, connecting).await;
        let connected = connected.unwrap_or_else(|_| Err("it takes too long".to_owned()));
        let stream = connected.map_err(unreachable)?;
        let answering = tokio::time::timeout(ANSWER, exchange(stream, request)).await;
        let answered = answering.unwrap_or_else(|_| Err("it does not answer".to_owned()));
        let answer = answered.map_err(unreachable)?;
        self.note(answer.status(), answer.headers());
        if is_without_words(&answer) {
            return Err(unreachable(format!("it answers with {}", answer.status())));
        }
        Ok(BytesResponse::from(answer))
    }

    async fn connect(&self, uri: &Uri, host: &str) -> Result<TlsStream<TcpStream>, String> {
        let port = uri.port_u16().unwrap_or(443);
        let host = host.trim_matches(['[', ']']).to_owned();
        let stream = TcpStream::connect((&*host, port)).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        let shaken = self.tls.connect(name, stream).await;
        shaken.map_err(|error| error.to_string())
    }

    /// Remember when the authority wants to be asked again.
    fn note(&self, status: StatusCode, headers: &HeaderMap) {
        let limits = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::SERVICE_UNAVAILABLE,
        ];
        let value = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let again = value.filter(|_| limits.contains(&status)).and_then(moment);
        if again.is_some() {
            *self.again.lock().unwrap_or_else(PoisonError::into_inner) = again;
        }
    }
}

impl HttpClient for Connection {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let connection = self.clone();
        Box::pin(async move {
            let answer = connection.ask(request).await;
            answer.map_err(|problem| Error::Other(Box::new(problem)))
        })
    }
}

/// One request and its whole answer.
async fn exchange(
    stream: TlsStream<TcpStream>,
    request: Request<BodyWrapper<Bytes>>,
) -> Result<Response<Full<Bytes>>, String> {
    let (mut head, body) = request.into_parts();
    let authority = head
        .uri
        .authority()
        .map_or("", |authority| authority.as_str());
    let host = HeaderValue::from_str(authority).map_err(|error| error.to_string())?;
    head.headers.insert(HOST, host);
    head.headers
        .insert(USER_AGENT, HeaderValue::from_static(NAME));
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse().map_err(|_| format!("{path} is no path"))?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    // It ends with the sender.
    tokio::spawn(connection);
    let answer = sender.send_request(Request::from_parts(head, body)).await;
    let (head, body) = answer.map_err(|error| error.to_string())?.into_parts();
    let body = Limited::new(body, MOST).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok(Response::from_parts(head, Full::new(body)))
}

/// Whether it is an error that does not say what is wrong: not the authority's
/// own, but that of something in front of it.
fn is_without_words(answer: &Response<Full<Bytes>>) -> bool {
    let status = answer.status();
    let kind = answer.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    (status.is_client_error() || status.is_server_error()) && !kind.contains("json")
}

/// The moment that a `Retry-After` names: seconds from now, or a date.
fn moment(value: &str) -> Option<SystemTime> {
    let value = value.trim();
    match value.parse() {
        Ok(seconds) => SystemTime::now().checked_add(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok(),
    }
}

fn host_of(uri: &Uri) -> &str {
    uri.host().unwrap_or("the authority")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_left_alone_for_seconds_or_until_a_date() {
        let hours = |value| {
            let ahead = moment(value)?.duration_since(SystemTime::now()).ok()?;
            Some(ahead.as_secs_f64() / 3600.0)
        };
        assert!((hours(" 7200 ").unwrap() - 2.0).abs() < 0.1);
        assert!(hours("Fri, 31 Dec 9999 23:59:59 GMT").unwrap() > 1e6);
        for value in ["", "soon", "-1", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(hours(value), None, "{value}");
        }
    }

    #[test]
    fn an_error_of_something_in_front_is_told_from_the_authoritys_own() {
        let answer = |status: u16, kind: &'static str| {
            let builder = Response::builder()
                .status(status)
                .header(CONTENT_TYPE, kind);
            is_without_words(&builder.body(Full::default()).unwrap())
        };
        assert!(answer(502, "text/html"));
        assert!(!answer(403, "application/problem+json"));
        assert!(!answer(200, "application/pem-certificate-chain"));
    }
}
