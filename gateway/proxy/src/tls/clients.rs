//! Clients that have to show who they are: whose certificates are taken.

use std::sync::Arc;

use gatewright_model::config::PemFile;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{TlsError, pem};

/// Takes clients whose certificate one of a file's authorities has signed; those
/// without one too, unless that `is_required`.
pub(super) fn signed_by(
    file: &PemFile,
    is_required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let roots = Arc::new(pem::authorities(file)?);
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let verifier = match is_required {
        true => builder.build(),
        false => builder.allow_unauthenticated().build(),
    };
    verifier.map_err(|error| pem::unreadable(file, "certificates of authorities", &error))
}
