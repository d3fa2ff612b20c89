//! What an authority is shown while a certificate is ordered, so that it knows
//! that a name leads here: a text at a path of its own (HTTP-01, RFC 8555 §8.3),
//! or a certificate in a handshake of its own (TLS-ALPN-01, RFC 8737).
//!
//! Workers read both without a lock. As long as no order is open there is
//! nothing to be found: then neither requests nor handshakes are any different.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Response};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{Acceptor, ClientHello};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

use super::TlsError;
use crate::body::Content;

/// What the paths that an authority asks for begin with; a token follows.
const PATH: &str = "/.well-known/acme-challenge/";

/// The only protocol that an authority offers by ALPN.
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// The challenges of all open orders.
#[derive(Debug, Default)]
pub struct Challenges {
    /// Texts by their tokens.
    by_http: Table<Bytes>,
    /// What to shake hands with, by the names in lower case.
    by_tls: Table<Arc<ServerConfig>>,
}

/// Replaced whole whenever something is put in or taken out.
type Table<T> = ArcSwap<HashMap<String, T>>;

/// A text that is answered with until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct ByHttp {
    challenges: Arc<Challenges>,
    token: String,
}

/// A name that is shaken hands for until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct ByTls {
    challenges: Arc<Challenges>,
    name: String,
}

impl Challenges {
    /// Answer requests for a token with its key authorization.
    pub fn by_http(self: &Arc<Self>, token: &str, authorization: &str) -> ByHttp {
        let text = Bytes::copy_from_slice(authorization.as_bytes());
        put(&self.by_http, token, &text);
        ByHttp {
            challenges: Arc::clone(self),
            token: token.to_owned(),
        }
    }

    /// Shake hands for a name with a certificate that has the SHA-256 of the key
    /// authorization in it.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be made.
    pub fn by_tls(self: &Arc<Self>, name: &str, digest: &[u8]) -> Result<ByTls, TlsError> {
        let name = name.to_ascii_lowercase();
        put(&self.by_tls, &name, &shown_for(&name, digest)?);
        Ok(ByTls {
            challenges: Arc::clone(self),
            name,
        })
    }

    /// The answer to an authority's request; none for any other.
    pub(crate) fn answer(&self, method: &Method, path: &str) -> Option<Response<Content>> {
        let token = path.strip_prefix(PATH)?;
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let text = self.by_http.load().get(token)?.clone();
        let mut response = Response::new(Content::Whole(text));
        let kind = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        Some(response)
    }

    /// Shake hands: with an authority as it expects, with everybody else by
    /// `usual`.
    pub(crate) async fn shake_hands<S>(
        &self,
        usual: Arc<ServerConfig>,
        stream: S,
    ) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if self.by_tls.load().is_empty() {
            return TlsAcceptor::from(usual).accept(stream).await;
        }
        // In a box, for it is rare, and every connection has room for it.
        let waiting = Box::pin(LazyConfigAcceptor::new(Acceptor::default(), stream));
        let begun = waiting.await?;
        let asked = self.asked_by(&begun.client_hello());
        Box::pin(begun.into_stream(asked.unwrap_or(usual))).await
    }

    /// What an authority is to be shown; none for everybody else.
    fn asked_by(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut offered = hello.alpn()?;
        let is_authority = offered.next() == Some(PROTOCOL) && offered.next().is_none();
        let name = hello.server_name().filter(|_| is_authority)?;
        self.by_tls.load().get(name).cloned()
    }
}

impl Drop for ByHttp {
    fn drop(&mut self) {
        take(&self.challenges.by_http, &self.token);
    }
}

impl Drop for ByTls {
    fn drop(&mut self) {
        take(&self.challenges.by_tls, &self.name);
    }
}

fn put<T: Clone>(table: &Table<T>, key: &str, value: &T) {
    table.rcu(|all| {
        let mut all = HashMap::clone(all);
        all.insert(key.to_owned(), value.clone());
        all
    });
}

fn take<T: Clone>(table: &Table<T>, key: &str) {
    table.rcu(|all| {
        let mut all = HashMap::clone(all);
        all.remove(key);
        all
    });
}

/// What an authority is shown for a name (RFC 8737 §3): a certificate for it
/// alone, signed by itself. The connection is of no other use.
fn shown_for(name: &str, digest: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let unmade = |error: &dyn std::fmt::Display| TlsError::SelfSigned(error.to_string());
    let params = CertificateParams::new([name.to_owned()]);
    let mut params = params.map_err(|error| unmade(&error))?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(|error| unmade(&error))?;
    let certificate = params.self_signed(&key).map_err(|error| unmade(&error))?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| unmade(&error))?;
    let key = aws_lc_rs::sign::any_supported_type(&key)?;
    // The library's own check of the pair refuses the extension, which is
    // critical, and which it does not know.
    let pair = CertifiedKey::new(vec![certificate.der().clone()], key);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_answered_for_as_long_as_its_order_is_open() {
        let challenges = Arc::new(Challenges::default());
        let path = "/.well-known/acme-challenge/token";
        let said = |method: Method, path: &str| {
            let answer = challenges.answer(&method, path)?;
            match answer.into_body() {
                Content::Whole(text) => Some(text),
                _ => None,
            }
        };
        assert_eq!(said(Method::GET, path), None);
        let open = challenges.by_http("token", "token.key");
        let other = challenges.by_http("other", "other.key");
        assert_eq!(said(Method::GET, path).unwrap(), "token.key");
        assert!(said(Method::HEAD, path).is_some());
        assert_eq!(said(Method::POST, path), None);
        for path in [
            "/token",
            "/.well-known/acme-challenge/",
            "/.well-known/acme-challenge/tok",
        ] {
            assert_eq!(said(Method::GET, path), None, "{path}");
        }
        drop(open);
        assert_eq!(said(Method::GET, path), None);
        drop(other);
        assert!(challenges.by_http.load().is_empty());
    }

    #[test]
    fn a_name_is_shaken_hands_for_as_long_as_its_order_is_open() {
        let challenges = Arc::new(Challenges::default());
        let open = challenges.by_tls("A.example", &[7; 32]).unwrap();
        assert!(challenges.by_tls.load().contains_key("a.example"));
        drop(open);
        assert!(challenges.by_tls.load().is_empty());
    }
}
