//! TLS towards the servers of a pool.

use std::sync::Arc;

use gatewright_model::config::{Protocol, ServerTls};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::{Anyone, TlsError, pem};

/// What handshakes with servers are done with.
pub(super) fn client_config(
    tls: &ServerTls,
    protocol: Protocol,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match (&tls.authorities, tls.verify) {
        (_, false) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone::new(provider))),
        (Some(file), true) => builder.with_root_certificates(pem::authorities(file)?),
        (None, true) => builder.with_root_certificates(system_authorities()?),
    };
    let mut config = match &tls.certificate {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let (chain, key) = pem::chain_and_key(files)?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|error| TlsError::Key {
                path: files.key.path.clone(),
                reason: error.to_string(),
            })?
        }
    };
    let offered: &[&[u8]] = match protocol {
        Protocol::Http1 => &[b"http/1.1"],
        Protocol::Http2 => &[b"h2"],
        Protocol::Auto => &[b"h2", b"http/1.1"],
    };
    config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The authorities that the system trusts. A file of theirs that cannot be read
/// is passed over, as everybody does, as long as one is left.
///
/// # Errors
///
/// When there is none.
pub fn system_authorities() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    match roots.is_empty() {
        true => Err(TlsError::NoAuthorities),
        false => Ok(roots),
    }
}
