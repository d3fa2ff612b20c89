//! Ordering certificates as meant: from whom, and what is kept of each.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Config, PemFile};
pub use crate::config::written::AcmeChallenge;

/// From whom certificates are ordered, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// The address of the authority's directory, by HTTPS.
    pub directory: Arc<str>,
    /// Whom the authority writes to.
    pub email: Option<Arc<str>>,
    /// The authorities one of which has to have signed the certificate of the
    /// authority's server; none: those that the system trusts.
    pub authorities: Option<PemFile>,
    /// How the authority is shown that names lead here.
    pub challenge: AcmeChallenge,
    /// What binds the account to one that is there already.
    pub external_account: Option<ExternalAccount>,
    /// Where the account and what was ordered are kept.
    pub folder: PathBuf,
}

/// An account that one has with an authority already.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// As the authority knows it.
    pub key_id: Arc<str>,
    /// The key itself.
    pub hmac_key: Arc<[u8]>,
}

impl fmt::Debug for ExternalAccount {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExternalAccount")
            .field(&self.key_id)
            .finish()
    }
}

/// A certificate that is ordered and renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The names that it is for, in lower case, as they are written; at least one.
    pub names: Vec<Arc<str>>,
    /// The certificate chain and its key in one file, which the gateway writes;
    /// empty as long as there is none. Another authority or other names make it
    /// another file.
    pub kept: PemFile,
}

impl Config {
    /// The certificates that listeners have ordered, each as often as there are
    /// listeners that show it.
    pub fn ordered(&self) -> impl Iterator<Item = &Ordered> {
        let speaking = self.listeners.iter().filter_map(|one| one.tls.as_ref());
        speaking.filter_map(|tls| tls.ordered.as_ref())
    }
}
