//! Where decisions are measured: one worker of a host, and the requests that it
//! decides about.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use gatewright_host::{
    Chain, Compiler, Effects, Ending, ExchangeView, Host, HostError, HostOptions, Lanes, Lent,
    Outcome, Simulated,
};
use gatewright_model::config::{self, Environment};
use gatewright_model::id::Slot;
use gatewright_model::snapshot::Snapshot;

/// How many endpoints a pool has.
pub(crate) const SIZES: [u16; 3] = [10, 100, 1000];

/// The lane that plugins take, and the one that others would.
pub(crate) const LANES: [(&str, Lanes); 2] = [
    ("", Lanes::Both),
    (", component lane", Lanes::ComponentOnly),
];

/// A browser's request, and the head of its response.
#[derive(Clone, Default)]
pub(crate) struct Request {
    headers: Vec<(&'static str, String)>,
    cookie: Option<(String, String)>,
    answered: Vec<(&'static str, String)>,
    effects: Effects,
}

fn find<'a>(headers: &'a [(&str, String)], name: &str, index: usize) -> Option<&'a [u8]> {
    let mut values = headers.iter().filter(|(known, _)| *known == name);
    values.nth(index).map(|(_, value)| value.as_bytes())
}

impl ExchangeView for Request {
    fn authority(&self) -> &str {
        "shop.example"
    }

    fn path(&self) -> &str {
        "/api/items/42"
    }

    fn query(&self) -> Option<&str> {
        Some("page=2")
    }

    fn header(&self, name: &str, index: usize) -> Option<&[u8]> {
        find(&self.headers, name, index)
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let (known, value) = self.cookie.as_ref()?;
        (known == name).then_some(value)
    }

    fn client_address(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9))
    }

    fn response_status(&self) -> u16 {
        200
    }

    fn response_header(&self, name: &str, index: usize) -> Option<&[u8]> {
        find(&self.answered, name, index)
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}

impl Request {
    /// With another header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With a cookie.
    pub(crate) fn with_cookie(mut self, name: &str, value: &str) -> Self {
        self.cookie = Some((name.to_owned(), value.to_owned()));
        self
    }

    /// With a header in its response.
    pub(crate) fn answered_with(mut self, name: &'static str, value: &str) -> Self {
        self.answered.push((name, value.to_owned()));
        self
    }

    /// As decisions have it.
    pub(crate) fn lent(self) -> Lent {
        Some(Box::new(self))
    }
}

/// A request without cookies.
pub(crate) fn request() -> Request {
    Request::default().with("accept", "*/*").with(
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    )
}

/// Do to the exchange what decisions asked for: here, forget it.
pub(crate) fn settle(lent: &mut Lent) {
    let effects = lent.as_mut().unwrap().effects();
    effects.edits.clear();
    effects.reason = None;
    effects.call_bind = false;
}

/// One worker.
pub(crate) struct Worker {
    pub(crate) chain: Chain,
    pub(crate) snapshot: Arc<Snapshot>,
    _host: Arc<Host>,
}

impl Worker {
    /// One of a configuration.
    pub(crate) fn of(config: &str) -> Self {
        Self::started(config, Host::start)
    }

    /// One that lets plugins have certain lanes only.
    pub(crate) fn on(lanes: Lanes, config: &str) -> Self {
        Self::started(config, |options| Host::start_on(lanes, options))
    }

    /// One with a clock of its own.
    pub(crate) fn simulated(clock: &Arc<Simulated>, config: &str) -> Self {
        let clock = Arc::clone(clock);
        Self::started(config, |options| Host::start_simulated(options, clock))
    }

    fn started(
        config: &str,
        start: impl FnOnce(HostOptions) -> Result<Arc<Host>, HostError>,
    ) -> Self {
        let config = config::parse(config, Path::new("."), &Environment::empty()).unwrap();
        let snapshot = Arc::new(Snapshot::next(None, Arc::new(config), 1).unwrap());
        let options = HostOptions {
            workers: 1,
            cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"),
            components: None,
            compiler: Compiler::InProcess,
        };
        let host = start(options).unwrap();
        let mut prepared = host.prepare(&snapshot, None).unwrap();
        let chain = Chain::new(prepared.chains.remove(0), &snapshot);
        Self {
            chain,
            snapshot,
            _host: host,
        }
    }
}

/// A pool `web` of so many servers, with these other settings.
pub(crate) fn pool(servers: u16, settings: &str) -> String {
    let server = |number| {
        format!(
            "{{ host = \"192.0.2.1\", port = {}, labels = {{ zone = \"a\" }} }}",
            3000 + number
        )
    };
    let servers: Vec<_> = (0..servers).map(server).collect();
    let servers = servers.join(", ");
    format!("[pools.web]\nhealth = false\n{settings}\nservers = [{servers}]\n")
}

/// A different key each time, as hashes of clients are.
pub(crate) fn next(key: &mut u64) -> u64 {
    *key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    *key
}

/// How an attempt ended well.
pub(crate) fn outcome(slot: Slot, chance: u64) -> Outcome {
    Outcome {
        slot,
        ending: Ending::Completed,
        status: 200,
        first_byte_us: 1_000 + chance as u32 % 1_000,
        duration_us: 2_000,
        lot: None,
    }
}
