//! What holds for a connection because of the listener that it came in by. Looked
//! up when the connection is accepted: what is changed later is for later ones.

use std::sync::Arc;

use gatewright_model::config::{Config, Listener};
use rustls::ServerConfig;

use crate::tls::TlsConfigs;

/// A listener, as its connections see it.
#[derive(Default)]
pub(crate) struct Entrance {
    /// What handshakes are done with; none where it speaks plain HTTP.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Whether what clients say of their certificates is kept from plugins: it
    /// is where any listener asks for certificates.
    pub(crate) guards_identity: bool,
}

impl Entrance {
    /// What a listener's configuration comes to.
    pub(crate) fn of(listener: &Listener, config: &Config, tls: &TlsConfigs) -> Self {
        let asks = |listener: &Listener| {
            let tls = listener.tls.as_ref();
            tls.is_some_and(|tls| tls.client_auth.is_some())
        };
        Self {
            tls: tls.listener(&listener.name).cloned(),
            guards_identity: config.listeners.iter().any(asks),
        }
    }
}
