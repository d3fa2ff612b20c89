//! TLS towards clients: which certificate answers which name, and a
//! self-signed one made on the spot for development.

mod admin;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatewright_model::config::{CertificateFiles, Tls};
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

pub use admin::admin_server_config;

/// The names that a self-signed certificate is for.
const SELF_SIGNED_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Why a listener cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("{path}: cannot read {what}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Certificate and key do not go together, or the key is of an unknown kind.
    #[error("{path}: the key cannot be used with its certificate: {reason}")]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The self-signed certificate could not be made.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(String),
    /// The configuration is refused by the TLS library.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// What a listener's handshakes are done with.
pub(crate) fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = match tls {
        Tls::SelfSigned => vec![self_signed()?],
        Tls::Certificates(files) => files.iter().map(load).collect::<Result<_, _>>()?,
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(CertificateChoice { certificates }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// A listener's certificates, in the order of the configuration.
struct CertificateChoice {
    certificates: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for CertificateChoice {
    /// The first certificate that is for the name asked for; the first of all
    /// when none is, or when no name was asked for.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| {
            let certificates = &mut self.certificates.iter();
            certificates.find(|certificate| is_for(certificate, name))
        });
        named.or(self.certificates.first()).cloned()
    }
}

impl fmt::Debug for CertificateChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateChoice({})", self.certificates.len())
    }
}

/// Whether a certificate is for a name, wildcards included (RFC 6125).
fn is_for(certificate: &CertifiedKey, name: &str) -> bool {
    let leaf = certificate.cert.first();
    let parsed = leaf.and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
    let name = ServerName::try_from(name);
    match (parsed, name) {
        (Some(parsed), Ok(name)) => verify_server_name(&parsed, &name).is_ok(),
        _ => false,
    }
}

fn load(files: &CertificateFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain = chain(&files.certificate, "a certificate chain")?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unreadable(&files.key, "a private key", &error))?;
    certified(chain, &key).map_err(|error| TlsError::Key {
        path: files.key.clone(),
        reason: error.to_string(),
    })
}

/// The certificates in a file; there is one at least.
fn chain(file: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(file, what, &error))?;
    if chain.is_empty() {
        let none = "there is no CERTIFICATE section in it";
        return Err(unreadable(file, what, &none));
    }
    Ok(chain)
}

fn unreadable(path: &Path, what: &'static str, reason: &dyn fmt::Display) -> TlsError {
    TlsError::File {
        path: path.to_owned(),
        what,
        reason: reason.to_string(),
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    let key = aws_lc_rs::sign::any_supported_type(key)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match()?;
    Ok(Arc::new(certified))
}

fn self_signed() -> Result<Arc<CertifiedKey>, TlsError> {
    let names = SELF_SIGNED_NAMES.map(String::from).to_vec();
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.map_err(|error| TlsError::SelfSigned(error.to_string()))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(|error| TlsError::SelfSigned(error.into()))?;
    Ok(certified(vec![made.cert.der().clone()], &key)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_signed_certificate_is_for_localhost_alone() {
        let certificate = self_signed().unwrap();
        assert!(is_for(&certificate, "localhost"));
        assert!(!is_for(&certificate, "example.org"));
    }

    #[test]
    fn an_unreadable_certificate_is_named() {
        let files = CertificateFiles {
            certificate: "no/such/cert.pem".into(),
            key: "no/such/key.pem".into(),
        };
        let error = server_config(&Tls::Certificates(vec![files])).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("no/such/cert.pem: cannot read")
        );
    }
}
