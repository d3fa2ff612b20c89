//! The gateways that have one desired state together.

use std::fmt;
use std::sync::Arc;

use super::{CertificateFiles, PemFile};

/// Which cluster this gateway is in, and by which server.
#[derive(Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The server's address: `redis://`, `rediss://` or `redis+unix://`. It may hold
    /// a password.
    pub url: Arc<str>,
    /// The password, where the address has none.
    pub password: Option<Arc<str>>,
    /// What every key begins with.
    pub prefix: Arc<str>,
    /// What this gateway is called; none for the machine's name and the admin
    /// listener's port.
    pub name: Option<Arc<str>>,
    /// Whose certificates are believed; none: those that the system trusts.
    pub authorities: Option<PemFile>,
    /// What is shown to a server that asks for a certificate.
    pub certificate: Option<CertificateFiles>,
}

impl Cluster {
    /// Where the server is, without user and password.
    pub fn address(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or_default();
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        // What follows may hold a password, too.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        format!("{scheme}://{rest}")
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &PemFile> {
        let certificate = self.certificate.iter().flat_map(CertificateFiles::files);
        certificate.chain(&self.authorities)
    }
}

impl fmt::Debug for Cluster {
    /// Without what may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("url", &self.address())
            .field("prefix", &self.prefix)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
