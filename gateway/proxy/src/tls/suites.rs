//! Which cipher suite a client is answered with, of those that it offers. Its own
//! order is not asked: OpenSSL names AES-256 first, whatever a processor is good at.

use std::cmp::Reverse;
use std::sync::Arc;

use rustls::CipherSuite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS13_AES_128_GCM_SHA256,
};
use rustls::crypto::aws_lc_rs;
use rustls::server::ResolvesServerCert;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

/// What handshakes with clients are computed with, AES-128-GCM first, whatever they
/// put first. A handshake hashes more than a hundred blocks, and nearly all processors
/// have instructions for SHA-256, but few for SHA-384, which goes with AES-256.
pub(super) fn server_config(
    versions: &[&'static SupportedProtocolVersion],
    clients: Arc<dyn ClientCertVerifier>,
    shown: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let mut provider = aws_lc_rs::default_provider();
    // Stable: what else the order says stays.
    provider
        .cipher_suites
        .sort_by_key(|suite| Reverse(is_preferred(suite)));
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(shown);
    config.ignore_client_order = true;
    Ok(config)
}

fn is_preferred(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        TLS13_AES_128_GCM_SHA256
            | TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}
