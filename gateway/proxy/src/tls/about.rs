//! What a certificate says of itself, for operators and for whoever renews it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright_model::config::{CertificateFiles, PemFile};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{ASN1Time, FromDer as _, X509Certificate};

use super::names::names_of;
use super::pem;

/// A certificate that is shown to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Where it comes from.
    pub from: ShownFrom,
    /// The host names that it is for, in lower case.
    pub names: Vec<String>,
    /// Who signed it, as RFC 4514 writes names; empty where that cannot be read.
    pub issuer: String,
    /// When it begins to hold.
    pub not_before: SystemTime,
    /// When it holds no more.
    pub not_after: SystemTime,
}

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShownFrom {
    /// It was made at the start.
    SelfSigned,
    /// The file that the configuration names.
    File(PathBuf),
    /// It was ordered, and is kept in this file.
    Order(PathBuf),
}

impl ShownFrom {
    /// The file that it is in; none for one that was made at the start.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::SelfSigned => None,
            Self::File(path) | Self::Order(path) => Some(path),
        }
    }
}

impl Shown {
    /// How long it holds, from its beginning to its end.
    pub fn lifetime(&self) -> Duration {
        let lifetime = self.not_after.duration_since(self.not_before);
        lifetime.unwrap_or_default()
    }

    pub(super) fn of(from: ShownFrom, certificate: &CertifiedKey) -> Self {
        let leaf = certificate.cert.first();
        let parsed = leaf.and_then(|leaf| X509Certificate::from_der(leaf).ok());
        let parsed = parsed.map(|(_, parsed)| parsed);
        let time = |of: fn(&X509Certificate<'_>) -> ASN1Time| {
            let seconds = parsed.as_ref().map_or(0, |parsed| of(parsed).timestamp());
            UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        };
        Self {
            from,
            names: names_of(certificate),
            issuer: parsed
                .as_ref()
                .map_or_else(String::new, |one| one.issuer().to_string()),
            not_before: time(|one| one.validity().not_before),
            not_after: time(|one| one.validity().not_after),
        }
    }
}

/// What is kept of an order: none where it is no certificate with its key.
pub fn kept_certificate(kept: &PemFile) -> Option<Shown> {
    let from = ShownFrom::Order(kept.path.clone());
    usable(kept).map(|certified| Shown::of(from, &certified))
}

/// What handshakes are answered with out of one file that holds both.
pub(super) fn usable(kept: &PemFile) -> Option<Arc<CertifiedKey>> {
    if kept.contents.is_empty() {
        return None;
    }
    let files = CertificateFiles {
        certificate: kept.clone(),
        key: kept.clone(),
    };
    let certified = pem::certified(&files);
    certified
        .inspect_err(|error| tracing::warn!("what was ordered cannot be used: {error}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn kept(contents: &str) -> PemFile {
        PemFile {
            path: "kept.pem".into(),
            contents: contents.as_bytes().into(),
        }
    }

    #[test]
    fn a_kept_certificate_tells_its_names_its_issuer_and_its_time() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["A.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Us");
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2026, 1, 2);
        let certificate = params.self_signed(&key).unwrap();
        let text = format!("{}{}", key.serialize_pem(), certificate.pem());
        let shown = kept_certificate(&kept(&text)).unwrap();
        assert_eq!(shown.names, ["a.example"]);
        assert!(shown.issuer.contains("CN=Us"), "{}", shown.issuer);
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(shown.not_after, shown.not_before + day);
    }

    #[test]
    fn what_is_no_pair_is_nothing() {
        let pair = || {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(["a.example".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap().pem();
            (certificate, key.serialize_pem())
        };
        let ((certificate, _), (_, other)) = (pair(), pair());
        for text in [
            "",
            "half of",
            &certificate,
            &format!("{certificate}{other}"),
        ] {
            assert_eq!(kept_certificate(&kept(text)), None, "{text}");
        }
    }
}
