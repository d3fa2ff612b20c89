//! The scenarios of the battery, and what has to come out of each.

use super::Verdict;
use crate::report::Outcome;

/// A scenario, and what has to come out of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) scenario: &'static str,
    /// What has to; and what would be good, and is called after that.
    required: Judge,
    good: Option<(&'static str, Judge)>,
}

/// Whether something came out, and the figures.
type Judge = fn(&Outcome) -> (bool, String);

impl Case {
    const fn required(name: &'static str, scenario: &'static str, judge: Judge) -> Self {
        Self {
            name,
            scenario,
            required: judge,
            good: None,
        }
    }

    /// What is to be said of an outcome.
    pub(super) fn verdicts(&self, outcome: &Outcome) -> impl Iterator<Item = Verdict> {
        let required = Some((self.name, self.required, true));
        let good = self.good.map(|(name, judge)| (name, judge, false));
        let judged = required.into_iter().chain(good);
        judged.map(|(case, judge, required)| {
            let (passed, figures) = judge(outcome);
            Verdict {
                case,
                passed,
                required,
                figures,
            }
        })
    }
}

/// The case with the most servers.
pub(super) const THOUSAND: &str = "a thousand servers";

/// The battery.
pub(super) const CASES: [Case; 6] = [
    Case::required(
        "five equal servers, none starved",
        include_str!("five.toml"),
        five,
    ),
    Case {
        name: "one server stuck",
        scenario: include_str!("stuck.toml"),
        required: |outcome| stuck(outcome, 0.93),
        good: Some(("one server stuck, found out", |outcome| {
            stuck(outcome, 0.99)
        })),
    },
    Case::required("a ramp past capacity", include_str!("ramp.toml"), ramp),
    Case::required(
        "servers coming and going",
        include_str!("churn.toml"),
        churn,
    ),
    Case::required("a server that crashes", include_str!("crash.toml"), churn),
    Case::required(THOUSAND, include_str!("thousand.toml"), thousand),
];

fn five(outcome: &Outcome) -> (bool, String) {
    let group = &outcome.groups[0];
    let least = group.requests / group.servers as u64 / 4;
    let figures = format!(
        "{} to {} of {} requests each; {least} at least",
        group.fewest, group.most, group.requests
    );
    (group.fewest >= least && outcome.errors == 0, figures)
}

fn stuck(outcome: &Outcome, least: f64) -> (bool, String) {
    let within = outcome.within.unwrap_or(0.0);
    let figures = format!(
        "{:.2} % answered within 1 s; {:.0} % at least",
        within * 100.0,
        least * 100.0
    );
    (within >= least, figures)
}

fn ramp(outcome: &Outcome) -> (bool, String) {
    let well = 1.0 - outcome.errors as f64 / outcome.requests.max(1) as f64;
    // What could be answered at all is 78 %: the rest is beyond the capacity.
    let least = 0.55;
    let used = outcome.utilisation;
    let figures = format!(
        "{:.1} % answered well, servers used {:.0} to {:.0} %; {:.0} % at least",
        well * 100.0,
        used.min * 100.0,
        used.max * 100.0,
        least * 100.0
    );
    (well >= least, figures)
}

fn churn(outcome: &Outcome) -> (bool, String) {
    let figures = format!(
        "{} of {} requests failed, with {} retries; none may",
        outcome.errors, outcome.requests, outcome.retries
    );
    (outcome.errors == 0, figures)
}

fn thousand(outcome: &Outcome) -> (bool, String) {
    let group = &outcome.groups[0];
    let figures = format!(
        "{} to {} requests each; 1 at least; {} decisions by the rotation; none may be",
        group.fewest, group.most, outcome.fallbacks
    );
    (group.fewest > 0 && outcome.fallbacks == 0, figures)
}
