//! One request to a registry, or to where it sends: on a connection of its own,
//! with bounds, and only to where it may go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{ACCEPT, AUTHORIZATION, HOST, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use bytes::Bytes;
use gatewright_model::config::Registries;
use gatewright_proxy::system_authorities;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use super::FetchError;
use super::address::{host_of, is_internal, is_loopback, on_one_side, port_of};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(15);

/// Connects to a registry and to where it sends.
pub(super) struct Connector {
    registry: String,
    /// Whether the registry is spoken to in the clear.
    is_plain: bool,
    /// Where the registry is, as it was found once: a name that leads elsewhere
    /// the next time leads nowhere.
    addresses: Vec<IpAddr>,
    /// Whether the registry itself is on the inside, so that it may send there.
    is_inside: bool,
    /// Set up when it is needed.
    tls: OnceCell<TlsConnector>,
}

/// A request.
pub(super) struct Ask<'a> {
    pub(super) uri: &'a Uri,
    pub(super) accept: &'static str,
    pub(super) authorization: Option<&'a HeaderValue>,
    /// The most bytes of the answer.
    pub(super) most: usize,
}

/// An answer; what came with another status than 200 is not read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Connector {
    /// For a registry.
    pub(super) async fn new(registry: &str, registries: &Registries) -> Result<Self, FetchError> {
        let named = registries
            .plain_http
            .iter()
            .any(|plain| **plain == *registry);
        let host = host_of(registry);
        let is_plain = named || is_loopback(host);
        let usual = if is_plain { 80 } else { 443 };
        let addresses = resolve(registry, host, port_of(registry).unwrap_or(usual)).await?;
        let (addresses, is_inside) = on_one_side(&addresses);
        Ok(Self {
            registry: registry.to_owned(),
            is_plain,
            addresses,
            is_inside,
            tls: OnceCell::new(),
        })
    }

    /// The registry's own address of a path.
    pub(super) fn uri(&self, path: &str) -> Result<Uri, FetchError> {
        let scheme = if self.is_plain { "http" } else { "https" };
        let uri = format!("{scheme}://{}{path}", self.registry).parse();
        uri.map_err(|_| FetchError::Wrong(format!("{path} is no path")))
    }

    /// Where a registry sends.
    pub(super) fn elsewhere(&self, from: &Uri, to: &str) -> Result<Uri, FetchError> {
        let text = match to.starts_with('/') && !to.starts_with("//") {
            true => format!(
                "{}://{}{to}",
                from.scheme_str().unwrap_or("https"),
                from.authority().map_or("", |authority| authority.as_str())
            ),
            false => to.to_owned(),
        };
        let uri: Option<Uri> = text.parse().ok();
        let uri = uri.ok_or_else(|| {
            FetchError::Wrong("the registry sends to what is no address".to_owned())
        })?;
        self.allowed(uri)
    }

    /// Where a registry has its tokens.
    pub(super) fn token_server(&self, uri: &Uri) -> Result<Uri, FetchError> {
        self.allowed(uri.clone())
    }

    /// By HTTPS, or in the clear to the registry itself.
    fn allowed(&self, uri: Uri) -> Result<Uri, FetchError> {
        let is_own = uri
            .authority()
            .is_some_and(|it| it.as_str() == self.registry);
        match uri.scheme_str() {
            Some("https") => Ok(uri),
            Some("http") if self.is_plain && is_own => Ok(uri),
            _ => Err(FetchError::Refused(format!(
                "{} sends to {uri}, which is not HTTPS",
                self.registry
            ))),
        }
    }

    /// Ask, and read the answer if it is what was asked for.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, FetchError> {
        let authority = ask.uri.authority().map_or("", |it| it.as_str());
        let is_plain = ask.uri.scheme_str() == Some("http");
        let stream = self.connect(authority, is_plain).await?;
        if is_plain {
            return send(stream, authority, ask).await;
        }
        let name = ServerName::try_from(host_of(authority).to_owned());
        let name = name.map_err(|error| unreachable_at(authority, error))?;
        let tls = self.tls.get_or_try_init(tls).await?;
        let shaking = tokio::time::timeout(CONNECT, tls.connect(name, stream)).await;
        let shaken = shaken_or_late(shaking).map_err(|error| unreachable_at(authority, error))?;
        send(shaken, authority, ask).await
    }

    async fn connect(&self, authority: &str, is_plain: bool) -> Result<TcpStream, FetchError> {
        let usual = if is_plain { 80 } else { 443 };
        let port = port_of(authority).unwrap_or(usual);
        if authority == self.registry {
            let addresses = self.addresses.iter();
            let addresses: Vec<_> = addresses.map(|ip| SocketAddr::new(*ip, port)).collect();
            return connect(authority, &addresses).await;
        }
        let addresses = resolve(authority, host_of(authority), port).await?;
        let leads_inside = addresses.iter().any(|address| is_internal(address.ip()));
        if leads_inside && !self.is_inside {
            return Err(FetchError::Refused(format!(
                "{} sends to {authority}, which is on the inside, where it is not itself",
                self.registry
            )));
        }
        connect(authority, &addresses).await
    }
}

async fn connect(authority: &str, addresses: &[SocketAddr]) -> Result<TcpStream, FetchError> {
    let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(addresses)).await;
    shaken_or_late(connecting).map_err(|error| unreachable_at(authority, error))
}

/// What came in time.
fn shaken_or_late<T>(
    waited: Result<std::io::Result<T>, tokio::time::error::Elapsed>,
) -> std::io::Result<T> {
    waited.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
}

async fn tls() -> Result<TlsConnector, FetchError> {
    let reading = tokio::task::spawn_blocking(system_authorities).await;
    let wrong = |reason: String| FetchError::Wrong(format!("TLS cannot be set up: {reason}"));
    let roots = reading.map_err(|error| wrong(error.to_string()))?;
    let roots = roots.map_err(|error| wrong(error.to_string()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn resolve(authority: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>, FetchError> {
    let found = tokio::time::timeout(CONNECT, lookup_host((host, port))).await;
    let found = shaken_or_late(found).map_err(|error| unreachable_at(authority, error))?;
    Ok(found.collect())
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    authority: &str,
    ask: Ask<'_>,
) -> Result<Answer, FetchError> {
    let failed = |error: String| unreachable_at(authority, error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(error.to_string()))?;
    // It ends with the sender.
    tokio::spawn(connection);
    let path = ask.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut request = Request::get(path)
        .header(HOST, authority)
        .header(
            USER_AGENT,
            concat!("gatewright/", env!("CARGO_PKG_VERSION")),
        )
        .header(ACCEPT, ask.accept);
    if let Some(authorization) = ask.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|error| failed(error.to_string()))?;
    let answering = tokio::time::timeout(SILENCE, sender.send_request(request)).await;
    let answer = answering.map_err(|_| failed("it does not answer".to_owned()))?;
    let (head, body) = answer
        .map_err(|error| failed(error.to_string()))?
        .into_parts();
    let body = match head.status {
        StatusCode::OK => read_whole(body, authority, ask.most).await?,
        _ => Vec::new(),
    };
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// Read a body of so many bytes at most.
async fn read_whole(
    mut body: Incoming,
    authority: &str,
    most: usize,
) -> Result<Vec<u8>, FetchError> {
    let mut read = Vec::new();
    loop {
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        let frame = frame.map_err(|_| unreachable_at(authority, "its answer stands still"))?;
        let Some(frame) = frame else {
            return Ok(read);
        };
        let frame = frame.map_err(|error| unreachable_at(authority, error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if read.len() + data.len() > most {
            return Err(FetchError::Wrong(format!(
                "{authority} answers with more than the {most} bytes that it may"
            )));
        }
        read.extend_from_slice(data);
    }
}

fn unreachable_at(authority: &str, reason: impl std::fmt::Display) -> FetchError {
    FetchError::Unreachable {
        host: authority.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn connector(registry: &str, is_plain: bool, is_inside: bool) -> Connector {
        Connector {
            registry: registry.to_owned(),
            is_plain,
            addresses: Vec::new(),
            is_inside,
            tls: OnceCell::new(),
        }
    }

    #[test]
    fn a_registry_sends_by_https_or_to_itself() {
        let outside = connector("registry.example", false, false);
        let from = outside.uri("/v2/near/blobs/x").unwrap();
        assert_eq!(from, "https://registry.example/v2/near/blobs/x");
        let sent = |connector: &Connector, to: &str| {
            let sent = connector.elsewhere(&connector.uri("/v2/x").unwrap(), to);
            sent.map(|uri| uri.to_string()).ok()
        };
        let own = "https://registry.example/there".to_owned();
        assert_eq!(sent(&outside, "/there"), Some(own));
        let cdn = "https://cdn.example/blob?key=1";
        assert_eq!(sent(&outside, cdn).as_deref(), Some(cdn));
        for to in [
            "http://cdn.example/blob",
            "//cdn.example/x",
            "file:///etc/passwd",
            "ftp://a.b/",
        ] {
            assert_eq!(sent(&outside, to), None, "{to}");
        }
        let plain = connector("127.0.0.1:5000", true, true);
        assert!(sent(&plain, "http://127.0.0.1:5000/there").is_some());
        assert_eq!(sent(&plain, "http://127.0.0.1:9000/there"), None);
    }

    #[tokio::test]
    async fn a_registry_of_the_outside_does_not_lead_inside() {
        let outside = connector("registry.example", false, false);
        for inside in [
            "127.0.0.1:9",
            "[::1]:9",
            "169.254.169.254",
            "10.0.0.1",
            "[fd00::1]:1",
        ] {
            let refused = outside.connect(inside, false).await.unwrap_err();
            assert!(
                matches!(refused, FetchError::Refused(_)),
                "{inside}: {refused}"
            );
        }
    }

    #[tokio::test]
    async fn a_registry_is_where_it_was_found_first() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let name = format!("registry.invalid:{port}");
        let mut connector = connector(&name, true, true);
        connector.addresses.push(Ipv4Addr::LOCALHOST.into());
        assert!(connector.connect(&name, true).await.is_ok());
    }
}
