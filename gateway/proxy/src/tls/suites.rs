//! Which cipher suite a client is answered with, of those that it offers. Its own
//! order is not asked: OpenSSL names AES-256 first, whatever a processor is good at.

use std::cmp::Reverse;
use std::sync::Arc;

use rustls::CipherSuite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS13_AES_128_GCM_SHA256,
};
use rustls::SupportedCipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// What handshakes with clients are computed with, AES-128-GCM first. A handshake
/// hashes more than a hundred blocks, and nearly all processors have instructions for
/// SHA-256, but few for SHA-384, which goes with AES-256.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    // Stable: what else the order says stays.
    provider
        .cipher_suites
        .sort_by_key(|suite| Reverse(is_preferred(suite)));
    Arc::new(provider)
}

fn is_preferred(suite: &SupportedCipherSuite) -> bool {
    matches!(
        suite.suite(),
        TLS13_AES_128_GCM_SHA256
            | TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}
