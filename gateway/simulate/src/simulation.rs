//! The way in: a scenario, some policies, and what they came to.

use std::path::PathBuf;
use std::sync::Arc;

use gatewright_host::{Compiler, Host, HostError, HostOptions, PrepareError, Refusal, Simulated};
use gatewright_model::config::DEFAULT_BALANCERS;
use gatewright_model::snapshot::Snapshot;

use crate::engine::{Engine, Setting};
use crate::error::SimulationError;
use crate::fleet::Fleet;
use crate::random::{Purpose, mixed};
use crate::report::{Outcome, Report};
use crate::scenario::{Policy, Scenario};

/// Where components are compiled, and where that is kept.
#[derive(Clone, Debug)]
pub struct Workshop {
    /// The folder; made if it is not there.
    pub cache: PathBuf,
    /// Where components are compiled.
    pub compiler: Compiler,
}

impl Workshop {
    /// A host whose time and randomness are a simulation's, which drives the clock.
    pub(crate) fn host(
        &self,
        workers: usize,
        seed: u64,
    ) -> Result<(Arc<Host>, Arc<Simulated>), HostError> {
        let clock = Arc::new(Simulated::new(mixed(seed, Purpose::Plugins as u64)));
        let options = HostOptions {
            workers,
            cache: self.cache.clone(),
            components: None,
            compiler: self.compiler.clone(),
        };
        let host = Host::start_simulated(options, Arc::clone(&clock))?;
        Ok((host, clock))
    }
}

impl Workshop {
    /// A policy with the grants that its component asks for in the seat of a
    /// balancer, unless it says itself which it has: as its operator would find
    /// them out, from one refusal to the next. The gateway's own need none said.
    ///
    /// # Errors
    ///
    /// When it cannot be seated, whatever it is granted.
    pub(crate) fn granted(
        &self,
        policy: &Policy,
        scenario: &Scenario,
    ) -> Result<Policy, SimulationError> {
        let mut policy = policy.clone();
        if policy.file.is_none() || policy.grants.is_some() {
            return Ok(policy);
        }
        let workers = scenario.gateways.workers as usize;
        // One of its own, so that the simulation's draws nothing for it.
        let (host, _) = self.host(workers, 0)?;
        let mut grants = Vec::new();
        loop {
            policy.grants = Some(grants.clone());
            let fleet = Fleet::of(scenario, &policy);
            let snapshot = Arc::new(Snapshot::next(None, fleet.config()?, workers)?);
            match host.prepare(&snapshot, None) {
                Ok(_) => break,
                Err(PrepareError {
                    refusal: Refusal::NotGranted { grant, .. },
                    ..
                }) if !grants.contains(&grant) => grants.push(grant),
                Err(error) => return Err(fleet.refused(error)),
            }
        }
        Ok(policy)
    }
}

/// The policies that a scenario compares: those that it names, or else all
/// balancers of the gateway's own that need no configuration.
pub fn policies(scenario: &Scenario) -> Vec<Policy> {
    match scenario.policies.is_empty() {
        // Which zone a gateway is in only its operator knows.
        true => DEFAULT_BALANCERS
            .into_iter()
            .filter(|name| *name != "zone")
            .map(Policy::named)
            .collect(),
        false => scenario.policies.clone(),
    }
}

/// Simulate a scenario with one policy after the other. `told` hears which policy
/// it is, by its place, and how many requests have come.
///
/// # Errors
///
/// Why it cannot be simulated; nothing of it is kept then.
pub fn simulate(
    scenario: &Scenario,
    policies: &[Policy],
    seed: u64,
    workshop: &Workshop,
    told: &mut dyn FnMut(usize, u64),
) -> Result<Report, SimulationError> {
    let mut outcomes = Vec::new();
    for (place, policy) in policies.iter().enumerate() {
        let told = &mut |came| told(place, came);
        outcomes.push(simulate_one(scenario, policy, seed, workshop, told)?);
    }
    Ok(Report {
        scenario: scenario.name.clone(),
        about: scenario.about.clone(),
        seed,
        servers: scenario.server_count(),
        gateways: scenario.gateways.count,
        workers: scenario.gateways.workers,
        objective_ms: scenario
            .objective
            .map(|period| period.0.as_secs_f64() * 1e3),
        policies: outcomes,
    })
}

/// Simulate a scenario with one policy.
///
/// # Errors
///
/// Why it cannot be simulated.
pub fn simulate_one(
    scenario: &Scenario,
    policy: &Policy,
    seed: u64,
    workshop: &Workshop,
    told: &mut dyn FnMut(u64),
) -> Result<Outcome, SimulationError> {
    let (host, clock) = workshop.host(scenario.gateways.workers as usize, seed)?;
    let granted = workshop.granted(policy, scenario)?;
    let setting = Setting {
        scenario,
        policy: &granted,
        seed,
        host: &host,
        clock,
    };
    let ran = Engine::new(setting)?.run(told)?;
    if ran.tally.ends.iter().all(|count| *count == 0) {
        return Err(SimulationError::Unmeasured {
            came: ran.tally.came,
            warm_up: scenario.warm_up,
        });
    }
    Ok(Outcome::of(policy.title(), scenario, ran))
}
