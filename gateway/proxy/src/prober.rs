//! What is thought of endpoints, kept up to date: one prober for the gateway, on
//! a small runtime of its own.
//!
//! It checks their health, with one task for each endpoint, and asks those that
//! say so how busy they are; it says when a
//! circuit that has opened is half-open; it warms up those that were added or
//! have recovered; and whenever any of that has changed, it reviews the pools:
//! how many circuits may be open, and whether too few servers are well.

mod ask;
mod check;
mod circuits;
mod news;
mod polls;
mod suspects;
mod warming;

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use gatewright_model::config::HealthCheck;
use gatewright_model::endpoint::{Endpoint, EndpointState};
use gatewright_model::pool::Pool;
use gatewright_wire::HeadLimits;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{AbortHandle, LocalSet};
use tokio::time::MissedTickBehavior;

use self::check::{Streak, Task};
use self::news::{About, Teller};
use self::polls::Polls;
use self::suspects::{Reports, Turned};
use self::warming::{STEP, Warming};
use crate::data_plane::InForce;
use crate::upstream::Manner;

pub use self::news::{CircuitChange, HealthChange, News, PanicChange};
pub use self::suspects::Suspects;

/// Checks under way at once: a thousand servers must not be asked in one burst.
const MOST_AT_ONCE: usize = 64;

/// The running prober; it stops when this and the snapshots' sender are gone.
pub struct Prober {
    suspects: Suspects,
}

impl Prober {
    /// Start checking whatever is in force. `told` is called on the prober's
    /// thread and must not block.
    pub fn start(
        in_force: watch::Receiver<InForce>,
        told: impl Fn(News) + Send + 'static,
    ) -> io::Result<Self> {
        let (suspects, reports) = Suspects::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        std::thread::Builder::new()
            .name("prober".into())
            .spawn(move || {
                let probing = Probing::new(Teller::new(told));
                LocalSet::new().block_on(&runtime, probing.run(in_force, reports));
            })?;
        Ok(Self { suspects })
    }

    /// For the workers.
    pub fn suspects(&self) -> &Suspects {
        &self.suspects
    }
}

/// The prober's state, on its own thread.
struct Probing {
    pools: Vec<Arc<Pool>>,
    checks: HashMap<*const EndpointState, Check>,
    permits: Rc<Semaphore>,
    teller: Rc<Teller>,
    warming: Warming,
    polls: Polls,
}

/// One endpoint's task.
struct Check {
    endpoint: Arc<Endpoint>,
    manner: Rc<Manner>,
    plan: Option<HealthCheck>,
    nudge: Rc<Notify>,
    task: AbortHandle,
    about: About,
    /// Whether nothing spoke against it when its pool was last reviewed.
    was_well: bool,
}

impl Drop for Check {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probing {
    fn new(teller: Teller) -> Self {
        Self {
            pools: Vec::new(),
            checks: HashMap::new(),
            permits: Rc::new(Semaphore::new(MOST_AT_ONCE)),
            teller: Rc::new(teller),
            warming: Warming::default(),
            polls: Polls::default(),
        }
    }

    async fn run(mut self, mut in_force: watch::Receiver<InForce>, mut reports: Reports) {
        // Who is there at the start is warm.
        let mut is_start = true;
        let mut steps = tokio::time::interval(STEP);
        // While nobody is warming, nothing is missed.
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = in_force.borrow_and_update().clone();
            self.follow(&now, std::mem::take(&mut is_start));
            self.polls.follow(&now);
            drop(now);
            loop {
                let teller = Rc::clone(&self.teller);
                tokio::select! {
                    changed = in_force.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    Some(suspect) = reports.suspects.recv() => {
                        if let Some(check) = self.checks.get(&Arc::as_ptr(&suspect)) {
                            check.nudge.notify_one();
                        }
                    }
                    Some(turned) = reports.turned.recv() => self.turned(&turned),
                    () = teller.review.notified() => self.review(),
                    _ = steps.tick(), if !self.warming.is_empty() => self.warming.step(),
                }
            }
        }
    }

    /// Look after exactly the endpoints of this snapshot; those that stay as they
    /// are keep their task.
    fn follow(&mut self, in_force: &InForce, is_start: bool) {
        let mut before = std::mem::take(&mut self.checks);
        for pool in &in_force.snapshot.pools {
            let tls = in_force.tls.pool(&pool.name);
            let manner = Rc::new(Manner::of(&pool.config, HeadLimits::DEFAULT, tls));
            for endpoint in pool.endpoints() {
                let key = Arc::as_ptr(&endpoint.state);
                let known = before.remove(&key);
                let unseen = is_start && was_there(&endpoint.state);
                let was_well = known.as_ref().map_or(unseen, |check| check.was_well);
                let known = known.filter(|check| {
                    check.plan == endpoint.health
                        && check.endpoint.id == endpoint.id
                        && check.manner.connects_like(&manner)
                });
                let begin = || self.begin(pool, endpoint, &manner);
                let mut check = known.unwrap_or_else(begin);
                check.was_well = was_well;
                self.checks.insert(key, check);
            }
        }
        // Who has left takes no place among the open circuits.
        before.into_values().for_each(|check| {
            check.endpoint.state.circuit.close();
        });
        self.pools.clone_from(&in_force.snapshot.pools);
        self.review();
    }

    fn begin(&self, pool: &Pool, endpoint: &Arc<Endpoint>, manner: &Rc<Manner>) -> Check {
        let nudge = Rc::new(Notify::new());
        let plan = endpoint.health.clone();
        let about = About {
            pool: pool.name.clone(),
            endpoint: endpoint.id.clone(),
        };
        let task = Task {
            about: about.clone(),
            endpoint: Arc::clone(endpoint),
            manner: Rc::clone(manner),
            nudge: Rc::clone(&nudge),
            permits: Rc::clone(&self.permits),
            teller: Rc::clone(&self.teller),
            streak: Streak::default(),
        };
        let task = match plan.clone() {
            Some(plan) => tokio::task::spawn_local(task.check(plan)),
            None => tokio::task::spawn_local(task.resolve_only()),
        };
        Check {
            endpoint: Arc::clone(endpoint),
            manner: Rc::clone(manner),
            plan,
            nudge,
            task: task.abort_handle(),
            about,
            was_well: true,
        }
    }

    /// A circuit has opened or closed.
    fn turned(&mut self, turned: &Turned) {
        let Turned { state, turn } = turned;
        match self.checks.get(&Arc::as_ptr(state)) {
            Some(check) => circuits::follow(&self.teller, check.about.clone(), state, *turn),
            // It has left meanwhile.
            None => drop(state.circuit.close()),
        }
    }

    /// See what has changed for the pools as wholes, and for those who are well
    /// again.
    fn review(&mut self) {
        for pool in &self.pools {
            let panicked = pool.state.is_panicking();
            let mut review = pool.review();
            if review.surplus > 0 {
                circuits::close_surplus(&self.teller, pool, review.surplus);
                review = pool.review();
            }
            let panicking = pool.state.is_panicking();
            if panicking != panicked {
                self.teller.panic(PanicChange {
                    pool: pool.name.clone(),
                    panicking,
                    well: review.well,
                    of: review.of,
                });
            }
            let slow_start = pool.config.slow_start;
            for endpoint in pool.endpoints() {
                let Some(check) = self.checks.get_mut(&Arc::as_ptr(&endpoint.state)) else {
                    continue;
                };
                let is_well = endpoint.is_well();
                if slow_start.is_zero() {
                    if endpoint.state.warmth.is_warming() {
                        self.warming.end(&endpoint.state);
                    }
                } else if is_well && !check.was_well {
                    self.warming.begin(&endpoint.state, slow_start);
                }
                check.was_well = is_well;
            }
        }
    }
}

/// Whether an endpoint of the first snapshot seen here was there at the start: one
/// that a later snapshot has added, which came before anybody looked, is cold.
fn was_there(state: &EndpointState) -> bool {
    !state.warmth.is_warming()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gatewright_model::config::{Environment, parse};
    use gatewright_model::snapshot::Snapshot;

    use super::*;
    use crate::cache::Cache;

    /// What is in force with these servers, after something else.
    fn in_force(before: Option<&Snapshot>, servers: &str) -> InForce {
        let text = format!("[pools.web]\nslow_start = \"10s\"\nservers = [{servers}]");
        let config = parse(&text, Path::new(""), &Environment::empty()).unwrap();
        let config = Arc::new(config);
        InForce {
            snapshot: Arc::new(Snapshot::next(before, Arc::clone(&config), 1).unwrap()),
            tls: Arc::default(),
            challenges: Arc::default(),
            cache: Arc::new(Cache::new(&config)),
        }
    }

    #[tokio::test]
    async fn who_was_added_before_the_first_look_is_warmed_up_too() {
        let first = in_force(None, "\"192.0.2.1:1\"");
        let next = in_force(Some(&first.snapshot), "\"192.0.2.1:1\", \"192.0.2.1:2\"");
        let looking = async {
            let mut probing = Probing::new(Teller::new(|_| {}));
            probing.follow(&next, true);
            let warming = next.snapshot.pools[0].endpoints();
            let warming = warming.filter(|one| one.state.warmth.is_warming());
            let warming: Vec<_> = warming.map(|one| one.id.as_str()).collect();
            assert_eq!(warming, ["192.0.2.1:2"]);
            // Who is never stepped would be cold for ever.
            assert!(!probing.warming.is_empty());
        };
        LocalSet::new().run_until(looking).await;
    }
}
