//! TLS of the admin listener: one certificate, and perhaps clients that have to
//! show theirs.

use std::sync::Arc;

use gatewright_model::config::AdminTls;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::sign::SingleCertAndKey;

use super::clients::signed_by;
use super::{TlsError, pem};

/// What handshakes of the admin listener are done with.
///
/// # Errors
///
/// When a file does not hold what it should.
pub fn admin_server_config(tls: &AdminTls) -> Result<Arc<ServerConfig>, TlsError> {
    let certified = pem::certified(&tls.certificate)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = match &tls.client_ca {
        Some(authority) => builder.with_client_cert_verifier(signed_by(authority, true)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
