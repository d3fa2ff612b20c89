//! The battery: a fixed set of scenarios that any balancer can be judged by, and
//! what has to come out of each.
//!
//! Required is what any balancer owes its operator, whatever it is good at; the
//! other figures are told, with what would be good, and are no reason to fail.

mod cases;
mod keys;

use std::path::Path;

use serde::Serialize;

use crate::error::SimulationError;
use crate::report::Outcome;
use crate::scenario::{Policy, Scenario};
use crate::simulation::{Workshop, simulate_one};

use self::cases::{CASES, Case};

/// What all chance of the battery comes from.
const SEED: u64 = 1;

/// Nanoseconds that a decision among a thousand servers may take in the mean: a
/// twentieth of the deadline that balancers usually have.
const BUDGET_NS: f64 = 100_000.0;

/// What good manners are.
const GOOD_NS: f64 = 1000.0;

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
) -> Result<Vec<Verdict>, SimulationError> {
    let count = CASES.len() + 1;
    let mut verdicts = Vec::new();
    let mut failures = 0;
    let mut thousand = None;
    for case in &CASES {
        told(case.name, count);
        let outcome = run(case, policy, workshop)?;
        failures += outcome.faults;
        verdicts.push(judged(case, &outcome));
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
    Ok(verdicts)
}

fn run(case: &Case, policy: &Policy, workshop: &Workshop) -> Result<Outcome, SimulationError> {
    let mut scenario = Scenario::parse(case.scenario, Path::new(case.name))?;
    // A component's path is the caller's, not the battery's.
    scenario.folder = Path::new("").to_owned();
    simulate_one(&scenario, policy, SEED, workshop, &mut |_| {})
}

fn judged(case: &Case, outcome: &Outcome) -> Verdict {
    let (passed, figures) = (case.judge)(outcome);
    Verdict {
        case: case.name,
        passed,
        required: case.required,
        figures,
    }
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
