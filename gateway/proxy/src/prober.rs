//! Active health checks: one prober for the gateway, on a small runtime of its
//! own, with one task for each endpoint.

mod ask;

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright_model::config::HealthCheck;
use gatewright_model::endpoint::{Endpoint, EndpointState, Health};
use gatewright_model::id::{EndpointId, PoolName};
use gatewright_model::pool::Pool;
use gatewright_wire::HeadLimits;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, LocalSet};

use self::ask::ask;
use crate::data_plane::InForce;
use crate::resolve::resolve;
use crate::upstream::Manner;

/// Checks under way at once: a thousand servers must not be asked in one burst.
const MOST_AT_ONCE: usize = 64;

/// How often an unchecked server's name is looked up again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);

/// The least time between two checks of one endpoint, however suspect.
const SUSPECT_PAUSE: Duration = Duration::from_millis(100);

/// Reports of suspects that may wait; more are dropped, since the interval
/// finds them too.
const MOST_SUSPECTS: usize = 64;

/// An endpoint's health has changed.
#[derive(Clone, Debug)]
pub struct HealthChange {
    /// The pool's name.
    pub pool: PoolName,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// What it is now.
    pub health: Health,
    /// What the last check found.
    pub reason: String,
}

/// Where workers report endpoints that cannot be connected to, so that they
/// are checked at once.
#[derive(Clone)]
pub struct Suspects(mpsc::Sender<Arc<EndpointState>>);

impl Suspects {
    pub(crate) fn report(&self, endpoint: &Arc<EndpointState>) {
        // A full queue means that the prober has enough to look at.
        let _ = self.0.try_send(Arc::clone(endpoint));
    }
}

/// The running prober; it stops when this and the snapshots' sender are gone.
pub struct Prober {
    suspects: Suspects,
}

impl Prober {
    /// Start checking whatever is in force. `changed` is called on the
    /// prober's thread and must not block.
    pub fn start(
        in_force: watch::Receiver<InForce>,
        changed: impl Fn(HealthChange) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(MOST_SUSPECTS);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        std::thread::Builder::new()
            .name("prober".into())
            .spawn(move || {
                let probing = Probing {
                    checks: HashMap::new(),
                    permits: Rc::new(Semaphore::new(MOST_AT_ONCE)),
                    changed: Rc::new(changed),
                };
                LocalSet::new().block_on(&runtime, probing.run(in_force, receiver));
            })?;
        Ok(Self {
            suspects: Suspects(sender),
        })
    }

    /// For the workers.
    pub fn suspects(&self) -> &Suspects {
        &self.suspects
    }
}

type Changed = Rc<dyn Fn(HealthChange)>;

/// The prober's state, on its own thread.
struct Probing {
    checks: HashMap<*const EndpointState, Check>,
    permits: Rc<Semaphore>,
    changed: Changed,
}

/// One endpoint's task.
struct Check {
    endpoint: Arc<Endpoint>,
    manner: Rc<Manner>,
    plan: Option<HealthCheck>,
    nudge: Rc<Notify>,
    task: AbortHandle,
}

impl Drop for Check {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probing {
    async fn run(
        mut self,
        mut in_force: watch::Receiver<InForce>,
        mut suspects: mpsc::Receiver<Arc<EndpointState>>,
    ) {
        loop {
            let now = in_force.borrow_and_update().clone();
            self.follow(&now);
            drop(now);
            loop {
                tokio::select! {
                    changed = in_force.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    Some(suspect) = suspects.recv() => {
                        if let Some(check) = self.checks.get(&Arc::as_ptr(&suspect)) {
                            check.nudge.notify_one();
                        }
                    }
                }
            }
        }
    }

    /// Check exactly the endpoints of this snapshot; those that stay as they
    /// are keep their task.
    fn follow(&mut self, in_force: &InForce) {
        let mut before = std::mem::take(&mut self.checks);
        for pool in &in_force.snapshot.pools {
            let tls = in_force.tls.pool(&pool.name);
            let manner = Rc::new(Manner::of(&pool.config, HeadLimits::DEFAULT, tls));
            for endpoint in pool.endpoints() {
                let key = Arc::as_ptr(&endpoint.state);
                let known = before.remove(&key).filter(|check| {
                    check.plan == endpoint.health
                        && check.endpoint.id == endpoint.id
                        && check.manner.connects_like(&manner)
                });
                let check = known.unwrap_or_else(|| self.begin(pool, endpoint, &manner));
                self.checks.insert(key, check);
            }
        }
    }

    fn begin(&self, pool: &Pool, endpoint: &Arc<Endpoint>, manner: &Rc<Manner>) -> Check {
        let nudge = Rc::new(Notify::new());
        let plan = endpoint.health.clone();
        let task = Task {
            pool: pool.name.clone(),
            endpoint: Arc::clone(endpoint),
            manner: Rc::clone(manner),
            nudge: Rc::clone(&nudge),
            permits: Rc::clone(&self.permits),
            changed: Rc::clone(&self.changed),
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
        }
    }
}

struct Task {
    pool: PoolName,
    endpoint: Arc<Endpoint>,
    manner: Rc<Manner>,
    nudge: Rc<Notify>,
    permits: Rc<Semaphore>,
    changed: Changed,
    streak: Streak,
}

impl Task {
    /// Check for ever: at once, then by the interval, sooner when suspected.
    async fn check(mut self, plan: HealthCheck) {
        // The second check comes after a part of the interval, so that servers
        // that were added together are not checked together for ever.
        let mut pause = plan.interval.mul_f64(fastrand::f64());
        loop {
            let found = self.probe(&plan).await;
            let health = self
                .streak
                .conclude(&plan, found.is_ok(), self.endpoint.state.health());
            if self.endpoint.state.set_health(health) {
                let reason = found.err().unwrap_or_else(|| "the check passed".into());
                self.announce(health, reason);
            }
            // Last: whoever sees that it was checked sees what was found.
            self.endpoint.state.checked_at(unix_ms());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.suspected() => {}
            }
            pause = plan.interval;
        }
    }

    async fn suspected(&self) {
        self.nudge.notified().await;
        tokio::time::sleep(SUSPECT_PAUSE).await;
    }

    async fn resolve_only(self) {
        // What earlier checks found must not outlive them.
        if self.endpoint.state.set_health(Health::Unknown) {
            self.announce(Health::Unknown, "it is not checked".into());
        }
        loop {
            if let Err(error) = resolve(&self.endpoint).await {
                tracing::warn!(endpoint = %self.endpoint.id, %error, "a server's name does not resolve");
            }
            tokio::time::sleep(RESOLVE_INTERVAL).await;
        }
    }

    async fn probe(&self, plan: &HealthCheck) -> Result<(), String> {
        let permit = self.permits.acquire().await;
        let found =
            tokio::time::timeout(plan.timeout, ask(&self.endpoint, &plan.path, &self.manner)).await;
        drop(permit);
        found.unwrap_or_else(|_| Err(format!("no answer within {:?}", plan.timeout)))
    }

    fn announce(&self, health: Health, reason: String) {
        let (pool, endpoint) = (&self.pool, &self.endpoint.id);
        tracing::info!(%pool, %endpoint, health = health.name(), %reason, "health changed");
        (self.changed)(HealthChange {
            pool: pool.clone(),
            endpoint: endpoint.clone(),
            health,
            reason,
        });
    }
}

/// Checks in a row that ended the same way.
#[derive(Debug, Default)]
struct Streak {
    passed: u32,
    failed: u32,
}

impl Streak {
    /// What to think of an endpoint after one more check. The very first check
    /// decides alone: there is nothing yet to weigh it against.
    fn conclude(&mut self, plan: &HealthCheck, passed: bool, before: Health) -> Health {
        if passed {
            self.passed = self.passed.saturating_add(1);
            self.failed = 0;
        } else {
            self.failed = self.failed.saturating_add(1);
            self.passed = 0;
        }
        match before {
            Health::Unknown if passed => Health::Healthy,
            Health::Unknown => Health::Unhealthy,
            Health::Unhealthy if self.passed >= plan.rise => Health::Healthy,
            Health::Healthy if self.failed >= plan.fall => Health::Unhealthy,
            unchanged => unchanged,
        }
    }
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> HealthCheck {
        HealthCheck {
            path: "/health".into(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
        }
    }

    fn after(checks: &[bool]) -> Health {
        let mut streak = Streak::default();
        checks.iter().fold(Health::Unknown, |health, passed| {
            streak.conclude(&plan(), *passed, health)
        })
    }

    #[test]
    fn the_first_check_decides_alone() {
        assert_eq!(after(&[true]), Health::Healthy);
        assert_eq!(after(&[false]), Health::Unhealthy);
    }

    #[test]
    fn it_takes_fall_failures_in_a_row_to_be_unhealthy() {
        assert_eq!(after(&[true, false, false]), Health::Healthy);
        assert_eq!(
            after(&[true, false, false, true, false, false]),
            Health::Healthy
        );
        assert_eq!(after(&[true, false, false, false]), Health::Unhealthy);
    }

    #[test]
    fn it_takes_rise_passes_in_a_row_to_be_healthy_again() {
        assert_eq!(after(&[false, true]), Health::Unhealthy);
        assert_eq!(after(&[false, true, false, true]), Health::Unhealthy);
        assert_eq!(after(&[false, true, true]), Health::Healthy);
    }
}
