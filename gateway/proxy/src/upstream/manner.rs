//! How the servers of a pool are spoken to.

use std::io;
use std::sync::Arc;

use gatewright_model::config::{PoolConfig, Protocol, ProxyProtocol};
use gatewright_wire::HeadLimits;
use gatewright_wire::proxy_header::{Behalf, ProxyVersion, encode};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;

/// How the servers of a pool are spoken to.
#[derive(Clone)]
pub(crate) struct Manner {
    /// HTTP/1.1 connections that are kept idle to each.
    pub(super) idle_limit: usize,
    pub(crate) head_limits: HeadLimits,
    pub(crate) protocol: Protocol,
    /// What handshakes are done with; none: in the clear.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// The name that servers have to prove, where it is not their host.
    name: Option<Arc<str>>,
    /// In which version of the PROXY protocol servers are told whom a connection
    /// is for; none: they are not.
    pub(crate) proxy_protocol: Option<ProxyVersion>,
}

impl Manner {
    /// What a pool's configuration comes to.
    pub(crate) fn of(
        pool: &PoolConfig,
        head_limits: HeadLimits,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Self {
        Self {
            // A connection that is for one client is of no use to another.
            idle_limit: match pool.proxy_protocol {
                Some(_) => 0,
                None => pool.idle_connections,
            },
            head_limits,
            protocol: pool.protocol,
            tls: tls.cloned(),
            name: pool.tls.as_ref().and_then(|tls| tls.name.clone()),
            proxy_protocol: pool.proxy_protocol.map(|version| match version {
                ProxyProtocol::V1 => ProxyVersion::V1,
                ProxyProtocol::V2 => ProxyVersion::V2,
            }),
        }
    }

    /// HTTP/1.1 in the clear.
    #[cfg(test)]
    pub(super) fn plain(idle_limit: usize) -> Self {
        Self {
            idle_limit,
            head_limits: HeadLimits::DEFAULT,
            protocol: Protocol::Http1,
            tls: None,
            name: None,
            proxy_protocol: None,
        }
    }

    /// Whether connections that were made in another manner are as good.
    pub(crate) fn connects_like(&self, other: &Self) -> bool {
        // Asked at the end of each request, and mostly of one and the same.
        if std::ptr::eq(self, other) {
            return true;
        }
        let same_tls = match (&self.tls, &other.tls) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same_tls
            && self.protocol == other.protocol
            && self.name == other.name
            && self.proxy_protocol == other.proxy_protocol
    }

    /// What a connection begins with that is for this client, or for the gateway
    /// itself.
    pub(crate) fn preamble(&self, client: Behalf) -> Vec<u8> {
        let mut preamble = Vec::new();
        if let Some(version) = self.proxy_protocol {
            encode(&mut preamble, version, client);
        }
        preamble
    }

    /// The name that a server has to prove.
    pub(crate) fn name_of(&self, host: &str) -> io::Result<ServerName<'static>> {
        let name = self.name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned());
        name.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}
