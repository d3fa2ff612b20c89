//! TLS: what handshakes are done with, towards clients and towards servers.
//! Made aside when a configuration is prepared, and published with its snapshot.

mod about;
mod admin;
mod anyone;
mod challenges;
mod clients;
mod listeners;
mod names;
mod pem;
mod pools;
mod suites;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use gatewright_model::config::{Config, Listener, PoolConfig, Tls};
use gatewright_model::id::PoolName;
use rustls::{ClientConfig, ServerConfig};

use self::listeners::Spoken;

pub use about::{Shown, ShownFrom, kept_certificate};
pub use admin::admin_server_config;
pub use anyone::Anyone;
pub(crate) use challenges::PROTOCOL as ACME_PROTOCOL;
pub use challenges::{ByHttp, ByTls, Challenges};
pub use pem::authorities;
pub use pools::system_authorities;

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error("{path}: cannot read {what}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Certificate and key do not go together, or the key is of an unknown kind.
    #[error("{path}: the key cannot be used with its certificate: {reason}")]
    Key {
        /// The key's file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The self-signed certificate could not be made.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(String),
    /// There is nobody to trust.
    #[error("the system has no certificates of authorities; name some with ca = \"FILE\"")]
    NoAuthorities,
    /// The configuration is refused by the TLS library.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// Where TLS cannot be spoken, and why.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct TlsRefusal {
    /// The key of the configuration that is to blame, such as `pools.web.tls`.
    pub key: String,
    /// What is wrong.
    pub source: TlsError,
}

/// What the handshakes of a configuration are done with.
#[derive(Debug, Default)]
pub struct TlsConfigs {
    listeners: HashMap<Arc<str>, Spoken>,
    pools: HashMap<PoolName, Arc<ClientConfig>>,
}

impl TlsConfigs {
    /// Make all of them, but for those that stay as they are in `before`.
    /// Blocks: what the system trusts is read from its files.
    ///
    /// # Errors
    ///
    /// When a certificate, a key or an authority cannot be used.
    pub fn prepare(config: &Config, before: Option<(&Config, &Self)>) -> Result<Self, TlsRefusal> {
        let mut made = Self::default();
        for (index, listener) in config.listeners.iter().enumerate() {
            let refused = |source| TlsRefusal {
                key: format!("listener[{index}].tls"),
                source,
            };
            let Some(tls) = &listener.tls else { continue };
            let before = before.and_then(|(config, made)| made.of_listener(config, listener));
            let has_http3 = listener.http3.is_some();
            let tls = match before {
                Some((before, known)) if before == tls && known.quic.is_some() == has_http3 => {
                    known.clone()
                }
                // A session is as good as the certificate that began it, so who
                // was let in by other authorities has to show it again.
                Some((before, known)) if before.client_auth == tls.client_auth => {
                    listeners::spoken(tls, has_http3, Some(known)).map_err(refused)?
                }
                _ => listeners::spoken(tls, has_http3, None).map_err(refused)?,
            };
            made.listeners.insert(Arc::clone(&listener.name), tls);
        }
        if let Some(file) = config
            .acme
            .as_ref()
            .and_then(|acme| acme.authorities.as_ref())
        {
            authorities(file).map_err(|source| TlsRefusal {
                key: "acme.ca_file".to_owned(),
                source,
            })?;
        }
        for pool in &config.pools {
            let known = before.and_then(|(config, made)| made.of_pool(config, pool));
            let refused = |source| TlsRefusal {
                key: format!("pools.{}.tls", pool.name),
                source,
            };
            let Some(tls) = &pool.tls else { continue };
            let make = || pools::client_config(tls, pool.protocol);
            let tls = known.map_or_else(make, Ok).map_err(refused)?;
            made.pools.insert(pool.name.clone(), tls);
        }
        Ok(made)
    }

    /// What handshakes on a listener are done with; none where it speaks plain
    /// HTTP.
    pub(crate) fn listener(&self, name: &str) -> Option<&Arc<ServerConfig>> {
        self.listeners.get(name).map(|spoken| &spoken.config)
    }

    /// The same over QUIC; none where HTTP/3 is not spoken.
    pub(crate) fn quic(&self, name: &str) -> Option<&quinn::ServerConfig> {
        self.listeners.get(name)?.quic.as_ref()
    }

    /// The certificates that a listener shows to clients.
    pub fn shown(&self, listener: &str) -> &[Shown] {
        self.listeners
            .get(listener)
            .map_or(&[], |spoken| &spoken.shown)
    }

    /// What handshakes with a pool's servers are done with; none where they are
    /// spoken to in the clear.
    pub(crate) fn pool(&self, name: &PoolName) -> Option<&Arc<ClientConfig>> {
        self.pools.get(name)
    }

    /// What was meant and made for a listener.
    fn of_listener<'a>(
        &'a self,
        config: &'a Config,
        listener: &Listener,
    ) -> Option<(&'a Tls, &'a Spoken)> {
        let mut before = config.listeners.iter();
        let before = before.find(|before| before.name == listener.name)?;
        before.tls.as_ref().zip(self.listeners.get(&listener.name))
    }

    /// What was made for a pool, if its TLS is to stay the same.
    fn of_pool(&self, config: &Config, pool: &PoolConfig) -> Option<Arc<ClientConfig>> {
        let mut before = config.pools.iter();
        let before = before.find(|before| before.name == pool.name)?;
        let same = before.tls == pool.tls && before.protocol == pool.protocol;
        self.pool(&pool.name).filter(|_| same).cloned()
    }
}
