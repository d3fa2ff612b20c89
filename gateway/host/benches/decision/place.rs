//! Where decisions are measured: one worker of a host, and the requests that it
//! decides about.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use gatewright_host::{
    Chain, Compiler, Ending, Host, HostError, HostOptions, Lanes, Lent, Outcome, Simulated,
};
use gatewright_model::config::{self, Environment};
use gatewright_model::id::Slot;
use gatewright_model::snapshot::Snapshot;

use crate::exchange::Exchange;

/// How many endpoints a pool has.
pub(crate) const SIZES: [u16; 3] = [10, 100, 1000];

/// The lane that plugins take, and the one that others would.
pub(crate) const LANES: [(&str, Lanes); 2] = [
    ("", Lanes::Both),
    (", component lane", Lanes::ComponentOnly),
];

/// A browser's request without cookies, and the head of its response.
pub(crate) fn request() -> Exchange {
    let client = u32::from(Ipv4Addr::new(203, 0, 113, 9));
    Exchange::new(client, "/api/items/42")
        .with("accept", "*/*")
        .with(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        )
        .answered(200)
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
