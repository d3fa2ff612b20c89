//! The scenarios of the battery, and what has to come out of each.

use crate::report::Outcome;

/// A scenario, and what has to come out of it.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) scenario: &'static str,
    /// Whether it did, and the figures.
    pub(super) judge: fn(&Outcome) -> (bool, String),
}

/// The case with the most servers.
pub(super) const THOUSAND: &str = "a thousand servers";

/// The battery.
pub(super) const CASES: [Case; 7] = [
    Case {
        name: "five equal servers, none starved",
        required: true,
        scenario: include_str!("five.toml"),
        judge: five,
    },
    Case {
        name: "one server stuck",
        required: true,
        scenario: include_str!("stuck.toml"),
        judge: |outcome| stuck(outcome, 0.93),
    },
    Case {
        name: "one server stuck, found out",
        required: false,
        scenario: include_str!("stuck.toml"),
        judge: |outcome| stuck(outcome, 0.99),
    },
    Case {
        name: "a ramp past capacity",
        required: true,
        scenario: include_str!("ramp.toml"),
        judge: ramp,
    },
    Case {
        name: "servers coming and going",
        required: true,
        scenario: include_str!("churn.toml"),
        judge: churn,
    },
    Case {
        name: "a server that crashes",
        required: true,
        scenario: include_str!("crash.toml"),
        judge: churn,
    },
    Case {
        name: THOUSAND,
        required: true,
        scenario: include_str!("thousand.toml"),
        judge: thousand,
    },
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
        "{} to {} requests each, {} decisions by the rotation; 1 at least, and none",
        group.fewest, group.most, outcome.fallbacks
    );
    (group.fewest > 0 && outcome.fallbacks == 0, figures)
}
