//! The figures of the whole gateway at a moment: what the API, the metrics and
//! the demo show.

mod gather;
mod ladder;

use std::sync::{Arc, Weak};
use std::time::Duration;

use gatewright_host::{Figure, Part};
use gatewright_model::cache::Way;
use gatewright_model::circuit::Phase;
use gatewright_model::counters::Protocol;
use gatewright_model::endpoint::{EndpointState, Health};
use gatewright_model::histogram::Reading;
use gatewright_model::id::{Digest, EndpointId, Generation, PluginName, PolicyName, PoolName};
use gatewright_model::queue;
use gatewright_model::role::Role;
use gatewright_proxy::Kept;

use crate::burden::Burden;
use crate::discovery::LookUpFigures;
use crate::reloads::LastReload;

pub(crate) use gather::{gather, plugin, server, state, workers_at};
pub(crate) use ladder::ladder;

/// Everything that is counted, at a moment.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Since the start.
    pub uptime: Duration,
    /// All traffic together.
    pub totals: Totals,
    /// Every pool.
    pub pools: Vec<PoolFigures>,
    /// Every server, pool by pool.
    pub servers: Vec<ServerFigures>,
    /// Every plugin in its seat: policies, router, then pool by pool.
    pub plugins: Vec<PluginFigures>,
    /// The look-ups of every pool that has servers by name.
    pub lookups: Vec<LookUpFigures>,
    /// The last time that the files were read.
    pub last_reload: LastReload,
    /// What is kept of servers' answers.
    pub cache: Kept,
    /// The access log and traces.
    pub telemetry: TelemetryFigures,
}

/// What became of what is told of requests, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TelemetryFigures {
    /// Lines of the access log that were written.
    pub lines: u64,
    /// Lines of the access log that were not.
    pub lines_dropped: u64,
    /// Spans that a collector has taken.
    pub spans: u64,
    /// Spans that none has taken.
    pub spans_dropped: u64,
}

/// The figures of a protocol that clients speak, over all workers. Counts are since
/// the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProtocolFigures {
    /// Requests whose head was read.
    pub requests: u64,
    /// Client connections that have made a request.
    pub accepted: u64,
    /// Those of them that are open now.
    pub connections: u64,
}

/// The figures of all traffic, over all workers. Counts are since the start.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Requests whose head was read.
    pub requests: u64,
    /// Responses by the hundreds of their status: `[1xx, 2xx, 3xx, 4xx, 5xx]`.
    pub responses: [u64; 5],
    /// Requests now in flight.
    pub in_flight: u64,
    /// Tunnels now open: connections that have switched protocols.
    pub tunnels: u64,
    /// Client connections accepted.
    pub accepted: u64,
    /// Client connections now open.
    pub connections: u64,
    /// TLS handshakes that failed.
    pub tls_failures: u64,
    /// What clients speak, by [`Protocol::ALL`].
    pub protocols: [ProtocolFigures; Protocol::ALL.len()],
    /// Attempts beyond a request's first.
    pub retries: u64,
    /// Requests that were refused because a worker had as many as it may have.
    pub shed: u64,
    /// Second servers that were asked while the first was thinking.
    pub hedges: u64,
    /// Those of them that answered first.
    pub hedges_won: u64,
    /// Copies of requests that were sent to a mirror.
    pub mirrored: u64,
    /// Copies that could not be sent, or failed.
    pub unmirrored: u64,
    /// Answers that were to be compressed while too many were.
    pub uncompressed: u64,
    /// Decisions that the fallback made.
    pub fallbacks: u64,
    /// Plugin answers that could not be used.
    pub overruled: u64,
    /// Requests whose client left before the response's end.
    pub abandoned: u64,
    /// From a request's head to its response's head, in microseconds.
    pub latency: Reading,
    /// Requests in the last second.
    pub requests_per_second: f64,
    /// The longest that taking over a publication held a worker.
    pub longest_switch_us: u64,
    /// What is published.
    pub generation: Generation,
    /// How many workers there are.
    pub workers: usize,
    /// How many of them have taken over what is published.
    pub workers_current: usize,
}

/// A pool's figures, over all workers.
#[derive(Clone, Debug)]
pub struct PoolFigures {
    /// Its name.
    pub name: PoolName,
    /// Whether so few of its servers are well that all get requests.
    pub panicking: bool,
    /// Its line of waiting requests. Counts are since the pool was added.
    pub queue: queue::Figures,
    /// How requests were answered, by [`Way::ALL`]; none where nothing is kept.
    pub cache: Option<[u64; Way::ALL.len()]>,
}

/// A server's figures, over all workers. Counts are since it was added.
#[derive(Clone, Debug)]
pub struct ServerFigures {
    /// Its stable name: `host:port`.
    pub id: EndpointId,
    /// Its pool's name.
    pub pool: PoolName,
    /// Host name or address.
    pub host: Arc<str>,
    /// TCP port.
    pub port: u16,
    /// Relative share of the work.
    pub weight: u16,
    /// What the checks last found.
    pub health: Health,
    /// What its requests have shown.
    pub circuit: Phase,
    /// How often its circuit has opened.
    pub ejections: u64,
    /// Percent of its share that it takes: less than 100 after it was added or has
    /// recovered.
    pub warmth: u8,
    /// Whether it takes no new work.
    pub draining: bool,
    /// Whether it may take new work now.
    pub eligible: bool,
    /// Requests in flight.
    pub active: u32,
    /// Attempts that were given to it.
    pub requests: u64,
    /// Attempts that got no response, or one with a status of 500 or above.
    pub failures: u64,
    /// Attempts that could not connect.
    pub connect_failures: u64,
    /// Connections opened to it.
    pub connections: u64,
    /// From sending a request's head to the response's head, in microseconds.
    pub latency: Reading,
    /// A moving mean of the same in milliseconds; none before the first.
    pub mean_ms: Option<f64>,
    /// Whose figures these are: a server that left and came back is a new one.
    pub state: Weak<EndpointState>,
}

impl ServerFigures {
    /// The weight that counts now: 0 while it takes no new work.
    pub fn weight_in_force(&self) -> u16 {
        if self.eligible { self.weight } else { 0 }
    }
}

/// The figures of a plugin in its seat, over all workers. Counts are since this
/// version took the seat.
#[derive(Clone, Debug)]
pub struct PluginFigures {
    /// The plugin's name.
    pub name: PluginName,
    /// Its role.
    pub role: Role,
    /// The pool that it decides for; none for policies and the router.
    pub pool: Option<PoolName>,
    /// The policy's name; none for what is no policy.
    pub policy: Option<PolicyName>,
    /// What it is there for.
    pub part: Part,
    /// The version.
    pub version: Digest,
    /// Decisions that were asked for.
    pub decisions: u64,
    /// Faults of its own, by kind.
    pub faults: Faults,
    /// Decisions that somebody else had to make, whatever the reason.
    pub fallbacks: u64,
    /// Those of them that its limit of a worker's time gave away.
    pub capped: u64,
    /// Answers that could not be used.
    pub overruled: u64,
    /// Instances made on a worker after a fault.
    pub restarts: u64,
    /// Durations of the sampled decisions (one in 64), in nanoseconds.
    pub time_ns: Reading,
    /// What a decision takes on average; none before the first sample.
    pub ns_per_decision: Option<f64>,
    /// What it takes of the workers' time; none before it was looked at twice,
    /// once a second.
    pub burden: Option<Burden>,
    /// Bytes in the linear memories of its instances now.
    pub memory: u64,
    /// Figures of the plugin's own, by name; over all its versions here.
    pub own: Vec<(Box<str>, Figure)>,
    /// Whether it decides.
    pub state: PluginState,
}

/// A plugin's faults by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Decisions that trapped.
    pub trapped: u64,
    /// Decisions that outlived their deadline.
    pub overran: u64,
    /// Decisions that trapped for want of memory.
    pub out_of_memory: u64,
    /// Answers that could not be.
    pub impossible: u64,
}

impl Faults {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.trapped + self.overran + self.out_of_memory + self.impossible
    }
}

/// Whether a plugin decides in its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginState {
    /// The configured version does.
    Active,
    /// An earlier version does, since the configured one was quarantined.
    StandingIn,
    /// It is asked no more; the fallback decides.
    Quarantined,
}

impl PluginState {
    /// The word that is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::StandingIn => "standing in",
            Self::Quarantined => "quarantined",
        }
    }
}
