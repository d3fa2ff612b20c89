//! One endpoint's checks, for ever: what they find, and what is thought of the
//! endpoint for it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatewright_model::config::HealthCheck;
use gatewright_model::endpoint::{Endpoint, Health};
use tokio::sync::{Notify, Semaphore};

use super::ask::ask;
use super::circuits;
use super::news::{About, Teller};
use crate::resolve::resolve;
use crate::upstream::Manner;

/// How often an unchecked server's name is looked up again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);

/// The least time between two checks of one endpoint, however suspect.
const SUSPECT_PAUSE: Duration = Duration::from_millis(100);

/// One endpoint's checks.
pub(super) struct Task {
    pub(super) about: About,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) manner: Rc<Manner>,
    pub(super) nudge: Rc<Notify>,
    pub(super) permits: Rc<Semaphore>,
    pub(super) teller: Rc<Teller>,
    pub(super) streak: Streak,
}

impl Task {
    /// Check for ever: at once, then by the interval, sooner when suspected.
    pub(super) async fn check(mut self, plan: HealthCheck) {
        // The second check comes after a part of the interval, so that servers
        // that were added together are not checked together for ever.
        let mut pause = plan.interval.mul_f64(fastrand::f64());
        loop {
            let found = self.probe(&plan).await;
            let state = &self.endpoint.state;
            let health = self.streak.conclude(&plan, found.is_ok(), state.health());
            if state.set_health(health) {
                let reason = found.err().unwrap_or_else(|| "the check passed".into());
                self.teller.health(&self.about, health, reason);
                if health == Health::Healthy {
                    circuits::recovered(&self.teller, &self.about, state);
                }
            }
            // Last: whoever sees that it was checked sees what was found.
            state.checked_at(unix_ms());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.suspected() => {}
            }
            pause = plan.pause(fastrand::f64());
        }
    }

    async fn suspected(&self) {
        self.nudge.notified().await;
        tokio::time::sleep(SUSPECT_PAUSE).await;
    }

    /// Look its name up now and then, for ever.
    pub(super) async fn resolve_only(self) {
        // What earlier checks found must not outlive them.
        if self.endpoint.state.set_health(Health::Unknown) {
            let reason = "it is not checked".into();
            self.teller.health(&self.about, Health::Unknown, reason);
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
        let asked = ask(&self.endpoint, plan, &self.manner);
        let found = tokio::time::timeout(plan.timeout, asked).await;
        drop(permit);
        found.unwrap_or_else(|_| Err(format!("no answer within {:?}", plan.timeout)))
    }
}

/// Checks in a row that ended the same way.
#[derive(Debug, Default)]
pub(super) struct Streak {
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
    use std::path::Path;

    use gatewright_model::config::{Environment, parse};

    use super::*;

    fn plan() -> HealthCheck {
        HealthCheck {
            rise: 2,
            fall: 3,
            ..usual_check()
        }
    }

    /// How a pool's servers are checked of which nothing is said.
    fn usual_check() -> HealthCheck {
        let text = "[pools.web]\nservers = [\"127.0.0.1:1\"]";
        let config = parse(text, Path::new(""), &Environment::empty()).unwrap();
        config.pools[0].health.clone().unwrap()
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
