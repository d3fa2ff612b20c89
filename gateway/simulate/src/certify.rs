//! The battery: a fixed set of scenarios that any balancer can be judged by, and
//! what has to come out of each.
//!
//! Required is what any balancer owes its operator, whatever it is good at; the
//! other figures are told, with what would be good, and are no reason to fail.

mod cases;
mod keys;

use std::path::Path;

use gatewright_model::role::Grant;
use serde::Serialize;

use crate::error::SimulationError;
use crate::scenario::{Policy, Scenario};
use crate::simulation::{Workshop, simulate_one};

use self::cases::CASES;

/// What all chance of the battery comes from.
const SEED: u64 = 1;

/// Nanoseconds that a decision among a thousand servers may take in the mean: a
/// twentieth of the deadline that balancers usually have.
const BUDGET_NS: f64 = 100_000.0;

/// What good manners are.
const GOOD_NS: f64 = 1000.0;

/// All verdicts on a policy.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// What it was granted, which is what it asks for; none for the gateway's own,
    /// which may do all.
    pub grants: Option<Vec<Grant>>,
    /// The verdicts.
    pub verdicts: Vec<Verdict>,
}

/// One verdict on a policy.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// What was tried.
    pub case: &'static str,
    /// Whether it came out as it should.
    pub passed: bool,
    /// Whether it has to.
    pub required: bool,
    /// What came out, and what should.
    pub figures: String,
}

/// Judge a policy by all of the battery. `told` hears which case it is at, and how
/// many there are.
///
/// # Errors
///
/// When a case cannot be simulated, which is so if the plugin cannot be seated.
pub fn certify(
    policy: &Policy,
    workshop: &Workshop,
    told: &mut dyn FnMut(&'static str, usize),
) -> Result<Certificate, SimulationError> {
    let policy = &workshop.granted(policy, &scenario(keys::NAME, keys::SCENARIO)?)?;
    let count = CASES.len() + 1;
    let mut verdicts = Vec::new();
    let mut failures = 0;
    let mut thousand = None;
    for case in &CASES {
        told(case.name, count);
        let scenario = scenario(case.name, case.scenario)?;
        let outcome = simulate_one(&scenario, policy, SEED, workshop, &mut |_| {})?;
        failures += outcome.faults;
        verdicts.extend(case.verdicts(&outcome));
        if case.name == cases::THOUSAND {
            thousand = outcome.decision_ns;
        }
    }
    told(keys::NAME, count);
    verdicts.extend(keys::judge(policy, workshop)?);
    verdicts.push(Verdict {
        case: "answers",
        passed: failures == 0,
        required: true,
        figures: format!("{failures} decisions failed in all of these; none may"),
    });
    if let Some(ns) = thousand {
        verdicts.extend(time(ns));
    }
    Ok(Certificate {
        grants: policy.grants.clone(),
        verdicts,
    })
}

/// A scenario of the battery.
fn scenario(name: &str, text: &str) -> Result<Scenario, SimulationError> {
    let mut scenario = Scenario::parse(text, Path::new(name))?;
    // A component's path is the caller's, not the battery's.
    scenario.folder = Path::new("").to_owned();
    Ok(scenario)
}

/// How long decisions took on this machine.
fn time(ns: f64) -> [Verdict; 2] {
    let verdict = |case, most, required| Verdict {
        case,
        passed: ns <= most,
        required,
        figures: format!("{ns:.0} ns in the mean among 1,000 servers; {most:.0} at most"),
    };
    [
        verdict("decision time within the budget", BUDGET_NS, true),
        verdict("decision time below a microsecond", GOOD_NS, false),
    ]
}
