//! Whom the shoppers trust: the system's authorities, those of a file, or,
//! for a gateway with a self-signed certificate, anyone.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use gatewright_proxy::{Anyone, system_authorities};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::TrafficOptions;

/// The TLS settings that the options ask for.
pub(super) fn client_config(options: &TrafficOptions) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let mut config = if options.insecure {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone::new(provider)))
            .with_no_client_auth()
    } else {
        builder
            .with_root_certificates(authorities(options.ca.as_deref())?)
            .with_no_client_auth()
    };
    let protocol: &[u8] = if options.http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

/// Those of a file, or else the system's.
///
/// # Errors
///
/// When there are none.
pub(crate) fn authorities(file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let Some(file) = file else {
        return Ok(system_authorities()?);
    };
    let reading = || CertificateDer::pem_file_iter(file)?.collect::<Result<Vec<_>, _>>();
    let certificates = reading().with_context(|| format!("reading {}", file.display()))?;
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates);
    if added == 0 {
        bail!("{}: there is no certificate in it", file.display());
    }
    Ok(store)
}
