//! What holds for a connection because of the listener that it came in by. Looked
//! up when the connection is accepted: what is changed later is for later ones.

use std::cell::{Cell, OnceCell, RefCell};
use std::sync::Arc;

use gatewright_model::config::{Config, Http3, Listener, Passthrough, Peers};
use gatewright_model::id::PoolName;
use http::header::{ALT_SVC, HeaderMap, HeaderValue, STRICT_TRANSPORT_SECURITY};
use rustls::ServerConfig;

use crate::http3;
use crate::tls::TlsConfigs;

/// A listener, as its connections see it.
#[derive(Default)]
pub(crate) struct Entrance {
    /// The listener's name.
    name: Box<str>,
    /// What handshakes are done with; none where it speaks plain HTTP.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// What is done over QUIC; none where HTTP/3 is not spoken.
    pub(crate) quic: Option<Arc<quinn::ServerConfig>>,
    /// What clients over TCP are told of HTTP/3, and as which header that is.
    http3: Option<Http3>,
    alternative: OnceCell<Option<HeaderValue>>,
    /// The port of the HTTPS listener that requests are sent on to.
    pub(crate) redirect: Option<u16>,
    /// What browsers are told to remember about HTTPS.
    hsts: Option<HeaderValue>,
    /// The proxies that it is behind, which say whom they connect for; none: it
    /// is behind none that do.
    pub(crate) proxies: Peers,
    /// Whose TLS is passed on as it comes, and to which pool.
    passthrough: Vec<Passthrough>,
    /// The tick from which on a connection without their word is told of again.
    pub(crate) tells_from: Cell<u64>,
    /// The host that a client asked for last, in lower case: the next one is likely to.
    pub(crate) host: RefCell<Arc<str>>,
}

impl Entrance {
    /// What a listener's configuration comes to.
    pub(crate) fn of(listener: &Listener, tls: &TlsConfigs, config: &Config) -> Self {
        let meant = listener.tls.as_ref();
        let quic = tls.quic(&listener.name);
        let hsts = meant.and_then(|tls| tls.hsts);
        Self {
            name: Box::from(&*listener.name),
            tls: tls.listener(&listener.name).cloned(),
            quic: quic.map(|quic| Arc::new(http3::server_config(quic, config))),
            http3: listener.http3,
            alternative: OnceCell::new(),
            redirect: listener.redirect,
            proxies: listener.proxy_protocol.clone(),
            passthrough: listener.passthrough.clone(),
            tells_from: Cell::new(0),
            host: RefCell::default(),
            hsts: hsts.and_then(|hsts| HeaderValue::try_from(hsts.to_string()).ok()),
        }
    }

    /// The listener's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `https` over TLS, `http` otherwise.
    pub(crate) fn scheme(&self) -> &'static str {
        match self.tls {
            Some(_) => "https",
            None => "http",
        }
    }

    /// Whether TLS is passed on as it comes.
    pub(crate) fn passes_on(&self) -> bool {
        !self.passthrough.is_empty()
    }

    /// The pool that gets clients who ask for this name, in lower case: the one
    /// for exactly that name, else for a wildcard in the place of its first
    /// label, else for all others.
    pub(crate) fn passed_on_to(&self, name: Option<&str>) -> Option<&PoolName> {
        let pool = |fits: &dyn Fn(&str) -> bool| {
            let mut all = self.passthrough.iter();
            all.find(|one| fits(&one.name)).map(|one| &one.pool)
        };
        let parent = name.and_then(|name| Some(name.split_once('.')?.1));
        let is_wildcard = |one: &str| {
            one.strip_prefix("*.")
                .is_some_and(|one| Some(one) == parent)
        };
        pool(&|one| Some(one) == name)
            .or_else(|| pool(&is_wildcard))
            .or_else(|| pool(&|one| one == "*"))
    }

    /// Tell a client over TCP of HTTP/3, unless the server has told it of something
    /// else (RFC 7838 §3). `port` is the one that it came to.
    pub(crate) fn put_alternative(&self, port: Option<u16>, headers: &mut HeaderMap) {
        let Some((http3, port)) = self.http3.zip(port) else {
            return;
        };
        // The port is the same for all, though the system may have chosen it.
        let made = || HeaderValue::try_from(http3.alternative(port).to_string()).ok();
        if let Some(alternative) = self.alternative.get_or_init(made)
            && !headers.contains_key(ALT_SVC)
        {
            headers.insert(ALT_SVC, alternative.clone());
        }
    }

    /// Tell browsers to come by HTTPS from now on, unless the server has told
    /// them something itself (RFC 6797).
    pub(crate) fn put_hsts(&self, headers: &mut HeaderMap) {
        if let Some(hsts) = &self.hsts
            && !headers.contains_key(STRICT_TRANSPORT_SECURITY)
        {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
    }
}
