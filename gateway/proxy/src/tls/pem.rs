//! Certificates, keys and authorities out of PEM files.

use std::fmt;
use std::sync::Arc;

use gatewright_model::config::{CertificateFiles, PemFile};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// A chain and its key, which go together.
pub(super) fn certified(files: &CertificateFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let (chain, key) = chain_and_key(files)?;
    certified_key(chain, &key).map_err(|error| TlsError::Key {
        path: files.key.path.clone(),
        reason: error.to_string(),
    })
}

/// A chain and its key, as they stand.
pub(super) fn chain_and_key(
    files: &CertificateFiles,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = chain(&files.certificate, "a certificate chain")?;
    let key = PrivateKeyDer::from_pem_slice(&files.key.contents)
        .map_err(|error| unreadable(&files.key, "a private key", &error))?;
    Ok((chain, key))
}

/// What rustls answers handshakes with.
pub(super) fn certified_key(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    let key = aws_lc_rs::sign::any_supported_type(key)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match()?;
    Ok(Arc::new(certified))
}

/// The authorities in a file; there is one at least.
///
/// # Errors
///
/// When it holds none, or one that cannot be used.
pub fn authorities(file: &PemFile) -> Result<RootCertStore, TlsError> {
    let what = "certificates of authorities";
    let mut roots = RootCertStore::empty();
    for certificate in chain(file, what)? {
        let added = roots.add(certificate);
        added.map_err(|error| unreadable(file, what, &error))?;
    }
    Ok(roots)
}

/// The certificates in a file; there is one at least.
fn chain(file: &PemFile, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&file.contents).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| unreadable(file, what, &error))?;
    if chain.is_empty() {
        let none = "there is no CERTIFICATE section in it";
        return Err(unreadable(file, what, &none));
    }
    Ok(chain)
}

pub(super) fn unreadable(
    file: &PemFile,
    what: &'static str,
    reason: &dyn fmt::Display,
) -> TlsError {
    TlsError::File {
        path: file.path.clone(),
        what,
        reason: reason.to_string(),
    }
}
