//! TLS towards clients: which certificate answers which name, and a
//! self-signed one made on the spot for development.

use std::fmt;
use std::sync::Arc;

use gatewright_model::config::Tls;
use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{PrivateKeyDer, ServerName};

use super::{TlsError, pem};

/// The names that a self-signed certificate is for.
const SELF_SIGNED_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What a listener's handshakes are done with.
pub(super) fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = match tls {
        Tls::SelfSigned => vec![self_signed()?],
        Tls::Certificates(files) => files.iter().map(pem::certified).collect::<Result<_, _>>()?,
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

fn self_signed() -> Result<Arc<CertifiedKey>, TlsError> {
    let names = SELF_SIGNED_NAMES.map(String::from).to_vec();
    let made = rcgen::generate_simple_self_signed(names);
    let made = made.map_err(|error| TlsError::SelfSigned(error.to_string()))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let key = key.map_err(|error| TlsError::SelfSigned(error.into()))?;
    Ok(pem::certified_key(vec![made.cert.der().clone()], &key)?)
}

#[cfg(test)]
mod tests {
    use gatewright_model::config::{CertificateFiles, PemFile};

    use super::*;

    #[test]
    fn a_self_signed_certificate_is_for_localhost_alone() {
        let certificate = self_signed().unwrap();
        assert!(is_for(&certificate, "localhost"));
        assert!(!is_for(&certificate, "example.org"));
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let nothing = |name: &str| PemFile {
            path: name.into(),
            contents: Arc::from([]),
        };
        let files = CertificateFiles {
            certificate: nothing("cert.pem"),
            key: nothing("key.pem"),
        };
        let error = server_config(&Tls::Certificates(vec![files])).unwrap_err();
        assert!(error.to_string().starts_with("cert.pem: cannot read"));
    }
}
