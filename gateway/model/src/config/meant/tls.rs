//! TLS as meant: towards clients, towards operators, towards servers. What files
//! hold is part of it, so that a renewed certificate is a change like any other.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Config, Ordered};
pub use crate::config::written::{Offered, TlsVersion};

/// How a listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// What it shows to clients.
    pub certificates: Certificates,
    /// One more certificate, which is ordered.
    pub ordered: Option<Ordered>,
    /// Whether clients are refused that ask for no name, or for one that no
    /// certificate is for; if not, they get the first one.
    pub strict_sni: bool,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// What is offered by ALPN, the preferred one first; never empty.
    pub protocols: Vec<Offered>,
    /// Whom clients have to prove to be; none: they are not asked.
    pub client_auth: Option<ClientAuth>,
    /// What browsers are told of HTTPS; none: nothing.
    pub hsts: Option<Hsts>,
}

impl Config {
    /// The PEM files of listeners, of the admin listener, of pools and of whom
    /// certificates are ordered from. What was ordered is not among them: the
    /// gateway writes that itself.
    pub fn pem_files(&self) -> impl Iterator<Item = &PemFile> {
        let listeners = self.listeners.iter();
        let listeners = listeners.filter_map(|listener| listener.tls.as_ref());
        let pools = self.pools.iter().filter_map(|pool| pool.tls.as_ref());
        let admin = self.admin.tls.iter().flat_map(AdminTls::files);
        let pools = pools.flat_map(ServerTls::files);
        let authorities = self
            .acme
            .iter()
            .filter_map(|acme| acme.authorities.as_ref());
        let listeners = listeners.flat_map(Tls::files);
        listeners.chain(pools).chain(admin).chain(authorities)
    }
}

/// What browsers are told of HTTPS (RFC 6797).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hsts {
    /// For how long they come by HTTPS only.
    pub max_age: Duration,
    /// Whether that is so for all names below the one they asked for.
    pub include_subdomains: bool,
    /// Whether the name may stand in the lists that browsers come with.
    pub preload: bool,
}

impl fmt::Display for Hsts {
    /// As the header says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max-age={}", self.max_age.as_secs())?;
        if self.include_subdomains {
            f.write_str("; includeSubDomains")?;
        }
        if self.preload {
            f.write_str("; preload")?;
        }
        Ok(())
    }
}

/// Whose word is taken for who a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// The authorities one of which has to have signed a client's certificate.
    pub authorities: PemFile,
    /// Whether clients without a certificate are refused.
    pub is_required: bool,
}

impl Tls {
    /// Its files, whatever they hold, but for what was ordered.
    pub fn files(&self) -> impl Iterator<Item = &PemFile> {
        let certificates = self.certificates.files().iter();
        let authorities = self.client_auth.iter().map(|auth| &auth.authorities);
        certificates
            .flat_map(CertificateFiles::files)
            .chain(authorities)
    }
}

/// Where a listener's certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// One made on the spot for `localhost` and the loopback addresses.
    SelfSigned,
    /// Files; chosen by the name that the client asks for. There may be none
    /// where one is ordered.
    Files(Vec<CertificateFiles>),
}

impl Certificates {
    /// The files, if that is where they come from.
    pub fn files(&self) -> &[CertificateFiles] {
        match self {
            Self::SelfSigned => &[],
            Self::Files(files) => files,
        }
    }
}

/// How the admin listener speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminTls {
    /// What it shows to clients.
    pub certificate: CertificateFiles,
    /// The authorities one of which has to have signed a client's certificate;
    /// none: clients need no certificate.
    pub client_ca: Option<PemFile>,
}

impl AdminTls {
    /// Its files, whatever they hold.
    pub fn files(&self) -> impl Iterator<Item = &PemFile> {
        self.certificate.files().chain(&self.client_ca)
    }
}

/// How connections to the servers of a pool speak TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerTls {
    /// The authorities one of which has to have signed a server's certificate;
    /// none: those that the system trusts.
    pub authorities: Option<PemFile>,
    /// The name that a server is asked for and has to prove; none: its host.
    pub name: Option<Arc<str>>,
    /// What is shown to servers that ask for a certificate.
    pub certificate: Option<CertificateFiles>,
    /// Whether a server has to prove who it is.
    pub verify: bool,
}

impl ServerTls {
    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &PemFile> {
        let certificate = self.certificate.iter().flat_map(CertificateFiles::files);
        certificate.chain(&self.authorities)
    }
}

/// A certificate chain and its private key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub certificate: PemFile,
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PemFile,
}

impl CertificateFiles {
    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &PemFile> {
        [&self.certificate, &self.key].into_iter()
    }
}

/// A file in PEM, as it was when the configuration was read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PemFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it held; nothing if it could not be read.
    pub contents: Arc<[u8]>,
}

impl fmt::Debug for PemFile {
    /// Without the contents, which may be a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PemFile").field(&self.path).finish()
    }
}
