//! A connection to an admin listener, in the clear or by TLS.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::ending::usage;
use crate::traffic::tls::authorities;

/// Whom to trust, and what to show, where the listener speaks TLS.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Trust {
    /// The authorities, in PEM, that may have signed the gateway's certificate; the system's if
    /// not given.
    #[arg(long, env = "GATEWRIGHT_CA_CERT", value_name = "FILE", global = true)]
    ca_cert: Option<PathBuf>,

    /// The certificate to show, in PEM, where the gateway asks for one.
    #[arg(
        long,
        env = "GATEWRIGHT_CLIENT_CERT",
        value_name = "FILE",
        global = true
    )]
    client_cert: Option<PathBuf>,

    /// Its private key, in PEM.
    #[arg(
        long,
        env = "GATEWRIGHT_CLIENT_KEY",
        value_name = "FILE",
        global = true
    )]
    client_key: Option<PathBuf>,
}

impl Trust {
    /// Whether what is given is of use by TLS alone.
    pub(super) fn means_tls(&self) -> bool {
        self.ca_cert.is_some() || self.client_cert.is_some()
    }

    /// Send a request to where its URL says, and wait for the answer's head.
    pub(super) async fn answer(
        &self,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<Response<Incoming>> {
        let uri = request.uri();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let (tls, usual) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(self.connector().map_err(usage)?), 443),
            _ => {
                let message = "--admin: write a URL that begins with http:// or https://";
                return Err(usage(anyhow!(message)));
            }
        };
        let port = uri.port_u16().unwrap_or(usual);
        let stream = TcpStream::connect((host, port)).await.map_err(unreached)?;
        match tls {
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned()).map_err(usage)?;
                let stream = tls.connect(name, stream).await.map_err(unshaken)?;
                send(stream, request).await
            }
            None => send(stream, request).await,
        }
    }

    fn connector(&self) -> anyhow::Result<TlsConnector> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities(self.ca_cert.as_deref())?);
        let config = match (&self.client_cert, &self.client_key) {
            (Some(cert), Some(key)) => {
                let reading = || format!("reading {}", cert.display());
                let chain = CertificateDer::pem_file_iter(cert).with_context(reading)?;
                let chain = chain.collect::<Result<_, _>>().with_context(reading)?;
                let reading = || format!("reading {}", key.display());
                let key = PrivateKeyDer::from_pem_file(key).with_context(reading)?;
                builder.with_client_auth_cert(chain, key)?
            }
            (None, None) => builder.with_no_client_auth(),
            _ => return Err(anyhow!("--client-cert and --client-key go together")),
        };
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Why nobody is reached, with what to do about it.
fn unreached(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => anyhow!(
            "{error}: nobody listens there; start the gateway, or name its admin listener by --admin"
        ),
        _ => error.into(),
    }
}

/// Why there is no TLS, with what to do where the listener speaks none.
fn unshaken(error: io::Error) -> anyhow::Error {
    let told = error
        .get_ref()
        .and_then(|told| told.downcast_ref::<rustls::Error>());
    let is_foreign = matches!(told, Some(rustls::Error::InvalidMessage(_)));
    match is_foreign || error.kind() == io::ErrorKind::UnexpectedEof {
        true => anyhow!("{error}: it speaks no TLS; write http:// in --admin"),
        false => error.into(),
    }
}

/// Send a request on a connection of its own.
async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<Full<Bytes>>,
) -> anyhow::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let authority = request.uri().authority().map_or("", |it| it.as_str());
    let host = HeaderValue::try_from(authority)?;
    request.headers_mut().insert(HOST, host);
    let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    Ok(sender.send_request(request).await?)
}
