//! TLS from outside: a client that takes any certificate, and certificates.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::eventually::soon;

/// Connect by TLS, asking for `name` and offering these protocols.
pub(crate) async fn connect_tls(
    address: SocketAddr,
    name: &str,
    offered: &[&str],
) -> TlsStream<TcpStream> {
    let hello = Hello {
        name,
        offered,
        certified: None,
    };
    hello.connect(address).await.expect("a handshake")
}

/// How a client begins a handshake.
pub(crate) struct Hello<'a> {
    /// The name that it asks for; an address is not asked for.
    pub(crate) name: &'a str,
    /// The protocols that it offers.
    pub(crate) offered: &'a [&'a str],
    /// What it shows when it is asked for a certificate.
    pub(crate) certified: Option<&'a Certified>,
}

impl Hello<'_> {
    /// Connect; an error when the gateway refuses.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address)
            .await
            .expect("the gateway accepts");
        self.shake_hands(stream).await
    }

    /// The same on a connection that is there.
    pub(crate) async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(self.name.to_owned()).expect("a host's name");
        let handshake = TlsConnector::from(Arc::new(self.config())).connect(name, stream);
        soon("a handshake", handshake).await
    }

    /// What handshakes are done with, over TCP as over QUIC.
    pub(super) fn config(&self) -> ClientConfig {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("usual versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)));
        let mut config = match self.certified {
            None => builder.with_no_client_auth(),
            Some(certified) => {
                let (chain, key) = certified.pair();
                builder
                    .with_client_auth_cert(chain, key)
                    .expect("a certificate and its key")
            }
        };
        let offered = self.offered.iter();
        config.alpn_protocols = offered.map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// The certificate that the gateway showed.
pub(crate) fn certificate_of(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let (_, connection) = stream.get_ref();
    let chain = connection.peer_certificates().expect("a certificate");
    chain[0].to_vec()
}

/// A certificate for a name, and its key, in PEM.
pub(crate) struct Certified {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Certified {
    /// Signed by itself.
    pub(crate) fn for_name(name: &str) -> Self {
        let signed = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        Self {
            certificate: signed.cert.pem(),
            key: signed.signing_key.serialize_pem(),
            der: signed.cert.der().to_vec(),
        }
    }

    /// The chain and the key.
    fn pair(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        (vec![CertificateDer::from(self.der.clone())], key)
    }
}

/// Somebody whose word is taken for other certificates.
pub(crate) struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of another name than those it signs, which would seem to sign themselves.
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "Authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }

    /// Its own certificate in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a name.
    pub(crate) fn sign(&self, name: &str) -> Certified {
        self.sign_until(name, 4096)
    }

    /// A certificate for a name that holds to the end of a year.
    pub(crate) fn sign_until(&self, name: &str, year: i32) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(year, 12, 31);
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        Certified {
            certificate: signed.pem(),
            key: key.serialize_pem(),
            der: signed.der().to_vec(),
        }
    }
}

/// What a server shakes hands with: it shows a certificate, speaks these
/// protocols, and may ask clients for a certificate that `of` has signed.
pub(crate) fn acceptor(
    certified: &Certified,
    protocols: &[&str],
    of: Option<&Authority>,
) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("usual versions");
    let builder = match of {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_slice(authority.certificate.as_bytes());
            roots
                .add(authority.expect("a certificate"))
                .expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let (chain, key) = certified.pair();
    let mut config = builder.with_single_cert(chain, key).expect("a pair");
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    TlsAcceptor::from(Arc::new(config))
}

/// Trusts everyone: who shows the certificate is what is tested.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
