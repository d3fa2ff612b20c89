//! A binding: one version of a plugin in one seat of the chain, with one
//! configuration. All workers share it; each has an instance of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatewright_model::id::{Digest, PluginName, PolicyName, PoolName, Slot};
use gatewright_model::role::{Grant, Role};

use crate::event::{Happening, HostEvent};
use crate::fault::Fault;
use crate::figures::Figures;
use crate::instance::Failure;
use crate::journal::{Journal, Level};
use crate::lanes::Lane;
use crate::limits::MemoryInUse;
use crate::plain::plainly;
use crate::replica::Replica;
use crate::sessions::Sessions;
use crate::shared::Shared;
use crate::space::Space;
use crate::spread::Spread;
use crate::statistics::SeatCounters;
use crate::version::Version;
use crate::view::Answer;
use crate::window::FaultWindow;

/// A seat of the chain and the plugin in it, whatever the version: what keeps
/// its log, its values and its past.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The seat's role.
    pub role: Role,
    /// The seat's pool; none for policies and the router.
    pub pool: Option<PoolName>,
    /// The plugin.
    pub plugin: PluginName,
    /// The policy's name; none for what is no policy.
    pub policy: Option<PolicyName>,
    /// What the plugin is there for.
    pub part: Part,
}

/// What a version is in its seat for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Part {
    /// It decides.
    #[default]
    Active,
    /// It decides for a share of the requests.
    Canary,
    /// It is asked too and never obeyed.
    Shadow,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
        })
    }
}

impl fmt::Display for Place {
    /// As the configuration's key path, such as `pools.web.balancer`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.pool, &self.policy) {
            (Some(pool), _) => write!(f, "pools.{pool}.{}", self.role),
            (None, Some(policy)) => write!(f, "policy.{policy}"),
            (None, None) => write!(f, "{}", self.role),
        }?;
        match self.part {
            Part::Active => Ok(()),
            part => write!(f, " ({part})"),
        }
    }
}

/// How often each endpoint was chosen: by whoever decided, and by a shadow.
pub type Choices = BTreeMap<Slot, (u64, u64)>;

/// All that makes a binding what it is: when any of it changes, there is a new
/// binding with new instances.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Terms {
    /// The seat and the plugin.
    pub(crate) place: Place,
    /// The version.
    pub(crate) version: Digest,
    /// What `configure` is given.
    pub(crate) config: Arc<str>,
    /// How long a decision may take.
    pub(crate) deadline: Duration,
    /// The most of a worker's time that decisions may take, in percent.
    pub(crate) cpu_share: Option<u8>,
    /// What the plugin may import.
    pub(crate) grants: Vec<Grant>,
    /// Bytes of memory that an instance may have.
    pub(crate) memory: u64,
    /// The pools in their order, for a plugin that may have resolved names;
    /// empty for one that does not ask.
    pub(crate) pools: Vec<PoolName>,
}

/// What a place keeps while versions come and go.
#[derive(Debug, Default)]
pub(crate) struct Estate {
    /// The plugin's log.
    pub(crate) journal: Journal,
    /// The plugin's figures.
    pub(crate) figures: Figures,
    /// The plugin's values.
    pub(crate) space: Space,
}

impl Estate {
    /// One with nothing in it, whose values are spread so.
    pub(crate) fn new(spread: Spread) -> Self {
        Self {
            space: Space::new(spread),
            ..Self::default()
        }
    }

    /// The same, with others who are told of its values.
    pub(crate) fn sharing(self, replica: Option<Arc<Replica>>) -> Self {
        Self {
            space: self.space.sharing(replica),
            ..self
        }
    }

    /// A shadow's, which sees the values of the one who decides.
    pub(crate) fn over(active: &Arc<Self>) -> Self {
        Self {
            space: Space::over(active),
            ..Self::default()
        }
    }
}

/// Requests that a policy has to judge without a fault before it has proven itself.
const PROOF: u64 = 100;

/// One version of a plugin in one seat of the chain.
pub struct Binding {
    pub(crate) terms: Terms,
    pub(crate) version: Arc<Version>,
    pub(crate) estate: Arc<Estate>,
    pub(crate) sessions: Option<Arc<Sessions>>,
    pub(crate) shared: Arc<Shared>,
    /// The version that is configured, where an earlier one sits in for it.
    pub(crate) stands_in_for: Option<Digest>,
    /// Whether it is only tried: its faults are nobody else's business.
    pub(crate) on_trial: bool,
    /// What logs call it.
    label: Box<str>,
    counters: Box<[SeatCounters]>,
    /// What a shadow's answers came to, by worker.
    comparisons: Box<[Mutex<Choices>]>,
    quarantined: AtomicBool,
    window: Mutex<FaultWindow>,
    preparation_ns: AtomicU64,
    pub(crate) in_use: Arc<MemoryInUse>,
}

impl Binding {
    /// A binding that nothing has been asked of yet.
    pub(crate) fn new(
        terms: Terms,
        version: Arc<Version>,
        (estate, sessions): (Arc<Estate>, Option<Arc<Sessions>>),
        shared: Arc<Shared>,
        workers: usize,
    ) -> Self {
        let label = format!("{}@{}", terms.place.plugin, terms.version.short());
        Self {
            label: label.into(),
            terms,
            version,
            estate,
            sessions,
            shared,
            stands_in_for: None,
            on_trial: false,
            counters: (0..workers).map(|_| SeatCounters::default()).collect(),
            comparisons: (0..workers).map(|_| Mutex::default()).collect(),
            quarantined: AtomicBool::new(false),
            window: Mutex::default(),
            preparation_ns: AtomicU64::new(u64::MAX),
            in_use: Arc::default(),
        }
    }

    /// The plugin and its version, such as `least-connections@5f1d20ab`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The seat and the plugin.
    pub fn place(&self) -> &Place {
        &self.terms.place
    }

    /// The seat's role.
    pub fn role(&self) -> Role {
        self.terms.place.role
    }

    /// The seat's pool; none for policies and the router.
    pub fn pool(&self) -> Option<&PoolName> {
        self.terms.place.pool.as_ref()
    }

    /// What the version is in its seat for.
    pub fn part(&self) -> Part {
        self.terms.place.part
    }

    /// The plugin.
    pub fn plugin(&self) -> &PluginName {
        &self.terms.place.plugin
    }

    /// The version that decides.
    pub fn version(&self) -> Digest {
        self.terms.version
    }

    /// The version that is configured, where an earlier one sits in for it
    /// because it was quarantined.
    pub fn stands_in_for(&self) -> Option<Digest> {
        self.stands_in_for
    }

    /// Whether the version's main module is run directly, without the
    /// component model between.
    #[doc(hidden)]
    pub fn is_direct(&self) -> bool {
        self.version.lane() == Lane::Direct
    }

    /// Whether the version faulted too often here and is asked no more.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// What each worker counted, by worker.
    pub fn counters(&self) -> &[SeatCounters] {
        &self.counters
    }

    /// How often each endpoint was chosen in the decisions that a shadow was
    /// asked for too: by whoever decided, and by the shadow.
    pub fn choices(&self) -> Choices {
        let mut sum = Choices::default();
        for choices in &self.comparisons {
            let choices = choices.lock().unwrap_or_else(PoisonError::into_inner);
            for (slot, (decided, shadow)) in &*choices {
                let both = sum.entry(*slot).or_default();
                both.0 += decided;
                both.1 += shadow;
            }
        }
        sum
    }

    /// Note what a shadow said beside what counted. Only the worker's own
    /// thread may call it.
    pub(crate) fn compared(&self, worker: usize, answers: (Answer, Answer), agree: bool) {
        let counters = &self.counters[worker];
        counters.compared.add(1);
        if agree {
            counters.agreed.add(1);
        }
        // Nobody waits for it but who looks at the comparison.
        let choices = self.comparisons[worker].lock();
        let mut choices = choices.unwrap_or_else(PoisonError::into_inner);
        if let (Answer::Endpoint(Some(slot)), _) = answers {
            choices.entry(slot).or_default().0 += 1;
        }
        if let (_, Answer::Endpoint(Some(slot))) = answers {
            choices.entry(slot).or_default().1 += 1;
        }
    }

    /// The plugin's log at this place, over all versions.
    pub fn journal(&self) -> &Journal {
        &self.estate.journal
    }

    /// The plugin's own figures at this place, over all versions.
    pub fn figures(&self) -> &Figures {
        &self.estate.figures
    }

    /// The sessions of the binding's pool.
    pub fn sessions(&self) -> Option<&Arc<Sessions>> {
        self.sessions.as_ref()
    }

    /// How long the last instance took to be prepared; none before the first.
    pub fn preparation(&self) -> Option<Duration> {
        match self.preparation_ns.load(Ordering::Relaxed) {
            u64::MAX => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    /// Bytes in the linear memories of all its instances, on all workers and
    /// those that are made ready beside them.
    pub fn memory_in_use(&self) -> u64 {
        self.in_use.bytes()
    }

    pub(crate) fn prepared_in(&self, duration: Duration) {
        let nanos = self.shared.as_if(duration).as_nanos() as u64;
        self.preparation_ns.store(nanos, Ordering::Relaxed);
    }

    pub(crate) fn space(&self) -> &Space {
        &self.estate.space
    }

    pub(crate) fn now(&self) -> Duration {
        self.shared.now()
    }

    /// Write to the plugin's log, and to the gateway's.
    pub(crate) fn write_log(&self, level: Level, message: String) {
        let Some(message) = self.estate.journal.write(level, message) else {
            return;
        };
        if self.on_trial {
            return;
        }
        let place = &self.terms.place;
        let message = plainly(&message);
        match level {
            Level::Error => tracing::error!(target: "gatewright::plugin", %place, "{message}"),
            Level::Warn => tracing::warn!(target: "gatewright::plugin", %place, "{message}"),
            Level::Info => tracing::info!(target: "gatewright::plugin", %place, "{message}"),
            Level::Debug => tracing::debug!(target: "gatewright::plugin", %place, "{message}"),
        }
    }

    /// A decision had no answer: note it, and quarantine the version when there
    /// were too many. A policy that has proven itself is not quarantined for
    /// requests that it faults on: whoever finds such a request could shut out
    /// everybody else by it, or bring an older version back.
    #[cold]
    pub(crate) fn faulted(&self, failure: Failure) {
        let fault = failure.fault;
        self.note_fault(failure);
        if !self.is_proven_policy() {
            self.count_fault(fault);
        }
    }

    /// An instance could not be made ready: the version can do without requests
    /// to fault on.
    #[cold]
    pub(crate) fn failed_to_begin(&self, failure: Failure) {
        let fault = failure.fault;
        self.note_fault(failure);
        self.count_fault(fault);
    }

    fn note_fault(&self, failure: Failure) {
        self.write_log(
            Level::Error,
            format!("{}: {}", failure.fault, failure.detail),
        );
        if self.on_trial {
            return;
        }
        let fault = failure.fault;
        let detail = failure.detail;
        self.shared
            .tell(&self.event(Happening::Faulted { fault, detail }));
    }

    fn count_fault(&self, fault: Fault) {
        if self.on_trial {
            return;
        }
        if self.is_one_too_many(fault) && !self.quarantined.swap(true, Ordering::Relaxed) {
            self.shared.remember_quarantined(&self.terms);
            let place = &self.terms.place;
            let version = self.terms.version.short();
            tracing::error!(target: "gatewright::plugin", %place, version, "quarantined");
            self.shared.tell(&self.event(Happening::Quarantined));
        }
    }

    /// A handover failed: the successor starts without a past.
    #[cold]
    pub(crate) fn note_handover(&self, step: &str, failure: &Failure) {
        let Failure { fault, detail } = failure;
        self.write_log(Level::Warn, format!("handover.{step}: {fault}: {detail}"));
    }

    /// Seat a version that is known to fault: it is never asked.
    pub(crate) fn quarantine(&self) {
        self.quarantined.store(true, Ordering::Relaxed);
    }

    fn is_proven_policy(&self) -> bool {
        let is_policy = matches!(self.role(), Role::RequestPolicy | Role::ResponsePolicy);
        let sound = |counters: &SeatCounters| counters.answered().saturating_sub(counters.faults());
        is_policy && self.counters.iter().map(sound).sum::<u64>() >= PROOF
    }

    fn is_one_too_many(&self, fault: Fault) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.add(fault, self.now())
    }

    fn event(&self, happening: Happening) -> HostEvent {
        HostEvent {
            place: self.terms.place.clone(),
            version: self.terms.version,
            happening,
        }
    }
}
