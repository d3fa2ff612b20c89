//! Decisions on made-up servers, each of them timed, in the seat that a gateway
//! would give the plugin.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use gatewright_host::{Component, Fault, Refusal};
use gatewright_model::config::{DEADLINE, Period, Size, USUAL_DEADLINE};
use gatewright_model::role::Role;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::{faulted, refused};
use crate::cli::plugin::workbench::{Asked, Place, Seated, Server, Setting, Workbench};

/// Made-up servers: more than most pools have.
const SERVERS: u16 = 100;

/// Decisions, if they do not take longer than [`PATIENCE`] together.
const DECISIONS: u64 = 1000;

/// Decisions before those that are timed: caches are cold, and the default
/// deadline is for a plugin that is at work.
const WARM_UP: u64 = 16;

/// How long a dry run goes on.
const PATIENCE: Duration = Duration::from_secs(3);

/// Entries of the log that are shown.
const ENTRIES: usize = 10;

/// What came of a dry run in one role.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tried {
    role: Role,
    /// Why there was none: it needs a configuration, and none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    unconfigured: Option<String>,
    #[serde(flatten)]
    found: Option<Found>,
}

/// What was found out in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    servers: u16,
    decisions: usize,
    ns_median: u64,
    ns_p99: u64,
    ns_max: u64,
    /// The most processor time of one: what a deadline counts, since a machine
    /// that is busy with other things is no fault of the plugin's.
    cpu_ns_max: u64,
    /// How long a decision was allowed to take.
    deadline_ns: u64,
    /// What to write as `deadline` where the usual one is not enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_deadline_ms: Option<u64>,
    prepared_ms: Option<f64>,
    memory_used: Option<usize>,
    log: Vec<String>,
}

/// Try a component in a role with so much memory: with the deadline that was
/// asked for, or the usual one, or if that is not enough with the longest.
///
/// # Errors
///
/// When a gateway would refuse it, or it faults.
pub(super) fn hold(
    bench: &Workbench,
    setting: &Setting,
    component: &Component,
    (role, memory): (Role, Size),
) -> anyhow::Result<Tried> {
    let servers = Server::some(SERVERS);
    let mut deadline = setting.deadline.unwrap_or(USUAL_DEADLINE);
    loop {
        let place = Place {
            component,
            role,
            memory,
            deadline,
            servers: &servers,
        };
        let mut seated = match bench.seat(setting, &place)? {
            Ok(seated) => seated,
            Err(error) => return unseated(setting, role, &error.refusal),
        };
        match decide(&mut seated)? {
            Ok(times) => {
                let needs = setting.deadline.is_none().then(|| times.needs()).flatten();
                let found = Found::of(&mut seated, times, (deadline, needs))?;
                return Ok(Tried {
                    role,
                    unconfigured: None,
                    found: Some(found),
                });
            }
            Err((_, Fault::Overran))
                if setting.deadline.is_none() && deadline < *DEADLINE.end() =>
            {
                deadline = *DEADLINE.end();
            }
            Err((decision, fault)) => {
                faulted(setting, decision, fault, &log(&mut seated)?)?;
            }
        }
    }
}

fn unseated(setting: &Setting, role: Role, refusal: &Refusal) -> anyhow::Result<Tried> {
    match refusal {
        // Without a word about it, it need not suit what there happens to be.
        Refusal::Config { .. } if !setting.is_configured() => Ok(Tried {
            role,
            unconfigured: Some(refusal.to_string()),
            found: None,
        }),
        refusal => Err(refused(setting, refusal)),
    }
}

/// How long decisions took.
#[derive(Debug, Default)]
struct Times {
    /// Each of them, by the clock.
    each: Vec<Duration>,
    /// The slowest, by the processor time that it took.
    slowest: Duration,
}

impl Times {
    /// What to write as `deadline`, in milliseconds: twice what the slowest took;
    /// none where the usual one is enough.
    fn needs(&self) -> Option<u64> {
        let twice = (self.slowest.as_secs_f64() * 2e3).ceil() as u64;
        (self.slowest > USUAL_DEADLINE.0).then(|| twice.min(DEADLINE.end().0.as_millis() as u64))
    }
}

/// The processor time that this thread has taken.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// How long decisions took, or which one faulted and why.
fn decide(seated: &mut Seated) -> anyhow::Result<Result<Times, (u64, Fault)>> {
    let asked = Asked::new("GET / HTTP/1.1", &[], IpAddr::V4(Ipv4Addr::LOCALHOST), 200)?;
    let mut lent = asked.lent(false);
    let began = Instant::now();
    let mut times = Times::default();
    for decision in 0..WARM_UP + DECISIONS {
        // Keys as far apart as hashes are.
        let key = decision.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (start, used) = (Instant::now(), processor_time());
        let answer = seated.decide(key, &mut lent)?;
        let (took, used) = (start.elapsed(), processor_time().saturating_sub(used));
        if let Err(fault) = answer {
            return Ok(Err((decision + 1, fault)));
        }
        if decision >= WARM_UP {
            times.each.push(took);
            times.slowest = times.slowest.max(used);
        }
        if !times.each.is_empty() && began.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(Ok(times))
}

fn log(seated: &mut Seated) -> anyhow::Result<Vec<String>> {
    let entries = seated.seat()?.binding().journal().entries();
    let entries = entries.iter().rev().take(ENTRIES).rev();
    let entries = entries.map(|entry| format!("{:?}: {}", entry.level, entry.message));
    Ok(entries.collect())
}

impl Found {
    fn of(
        seated: &mut Seated,
        times: Times,
        (deadline, needs): (Period, Option<u64>),
    ) -> anyhow::Result<Self> {
        let (mut times, slowest) = (times.each, times.slowest);
        times.sort_unstable();
        let at = |percent: usize| {
            let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
            times.get(place).copied().unwrap_or_default()
        };
        let nanos = |time: Duration| time.as_nanos() as u64;
        let log = log(seated)?;
        let seat = seated.seat()?;
        let prepared = seat.binding().preparation();
        Ok(Self {
            servers: SERVERS,
            decisions: times.len(),
            ns_median: nanos(at(50)),
            ns_p99: nanos(at(99)),
            ns_max: nanos(at(100)),
            cpu_ns_max: nanos(slowest),
            deadline_ns: nanos(deadline.0),
            needs_deadline_ms: needs,
            prepared_ms: prepared.map(|time| time.as_secs_f64() * 1e3),
            memory_used: seat.memory_used(),
            log,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_written_where_the_slowest_decision_passes_the_usual_one() {
        let needs = |micros| {
            let slowest = Duration::from_micros(micros);
            let each = Vec::new();
            Times { each, slowest }.needs()
        };
        let found = [1999, 2001, 3700, 8200, 900_000].map(needs);
        let expected = [None, Some(5), Some(8), Some(17), Some(1000)];
        assert_eq!(found, expected);
    }
}
