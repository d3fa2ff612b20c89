//! Servers that pools have by name: found by DNS, and looked up again when the
//! answer's time to live is over.
//!
//! What is found is a part of what is declared, as if a file listed it, and comes
//! into force the way that every change does. What is not found changes nothing:
//! the servers that were found last stay, and events and metrics say so.

mod answers;
mod asker;
mod follow;
mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatewright_model::config::{Config, Dns, Found, FoundServer};
use gatewright_model::id::PoolName;
use gatewright_model::pool::MAX_SLOTS;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::answers::{Answers, Notes};
use self::round::look_up;
use crate::events::{Events, Happened};

pub(crate) use self::follow::follow;

/// How long a start, or a change of files that brings new names, waits for them.
/// Those that were not found by then are asked for again afterwards.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest wait before names are looked up again that were not found.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// How long is kept what was found for names of a change that never came into
/// force: longer than any change takes.
const KEPT_FOR_CHANGES: Duration = Duration::from_secs(60);

/// What came of the look-ups of a pool's names, where that differs from before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedUp {
    /// The pool.
    pub pool: PoolName,
    /// What has changed.
    pub turn: LookUpTurn,
}

/// How look-ups of a pool's names go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUpTurn {
    /// Some names were not found.
    Failing {
        /// Which, and why.
        reason: String,
        /// The servers by all its names that the pool has nevertheless.
        kept: usize,
    },
    /// All are found again.
    Recovered {
        /// After so many look-ups that failed.
        failed: u64,
    },
}

impl fmt::Display for LookedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the names of pool {} are ", self.pool)?;
        match &self.turn {
            LookUpTurn::Failing { reason, kept: 0 } => {
                write!(f, "not all found, and it has no server by them: {reason}")
            }
            LookUpTurn::Failing { reason, kept } => {
                write!(
                    f,
                    "not all found, and its last servers stay ({kept}): {reason}"
                )
            }
            LookUpTurn::Recovered { failed } => {
                write!(f, "found again; look-ups that failed: {failed}")
            }
        }
    }
}

/// The figures of a pool's look-ups, counted since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookUpFigures {
    /// The pool.
    pub pool: PoolName,
    /// Look-ups of all its names.
    pub lookups: u64,
    /// Those in which a name was not found.
    pub failed: u64,
    /// Those of them since the last one that found all.
    pub failed_in_a_row: u64,
    /// Servers that the names last gave.
    pub servers: usize,
}

/// What is known by DNS.
pub(crate) struct Discovery {
    /// By the names too: what is found for those of a change that is refused
    /// does not touch what is in force.
    known: Mutex<BTreeMap<(PoolName, Dns), Known>>,
    events: Arc<Events>,
}

/// What is known of a pool's names.
struct Known {
    answers: Answers,
    servers: Vec<FoundServer>,
    /// What was last said not to be found.
    told: String,
    /// When to look them up again.
    due: Instant,
    looked_up: Instant,
    lookups: u64,
    failed: u64,
    failed_in_a_row: u64,
}

impl Discovery {
    pub(crate) fn new(events: &Arc<Events>) -> Self {
        Self {
            known: Mutex::default(),
            events: Arc::clone(events),
        }
    }

    /// The servers that were found for each pool of a configuration, by the names
    /// that it has there.
    pub(crate) fn found(&self, config: &Config) -> Arc<Found> {
        let known = self.known();
        let found = names(config).filter_map(|of| {
            let servers = known.get(&of)?.servers.clone();
            Some((of.0, servers))
        });
        Arc::new(found.collect())
    }

    /// The figures of each pool of a configuration that has names.
    pub(crate) fn figures(&self, config: &Config) -> Vec<LookUpFigures> {
        let known = self.known();
        let figures = names(config).filter_map(|of| {
            let known = known.get(&of)?;
            Some(LookUpFigures {
                pool: of.0,
                lookups: known.lookups,
                failed: known.failed,
                failed_in_a_row: known.failed_in_a_row,
                servers: known.servers.len(),
            })
        });
        figures.collect()
    }

    /// Look up what a configuration names and was not asked for before; returns
    /// whether there was anything. The first requests to a pool are to find its
    /// servers, if DNS answers in time.
    pub(crate) async fn look_up_new(self: &Arc<Self>, config: &Config) -> bool {
        let mut new = JoinSet::new();
        for of in names(config).filter(|of| !self.known().contains_key(of)) {
            let discovery = Arc::clone(self);
            new.spawn(async move {
                let looking = discovery.look_up(&of);
                if tokio::time::timeout(PATIENCE, looking).await.is_err() {
                    let mut notes = Notes::default();
                    let waited = format!("no answer within {} s", PATIENCE.as_secs());
                    notes.failed("its names", &waited);
                    discovery.record(&of, None, notes);
                }
            });
        }
        let is_any = !new.is_empty();
        while new.join_next().await.is_some() {}
        is_any
    }

    /// Look up a pool's names, all of them.
    async fn look_up(&self, of: &(PoolName, Dns)) {
        let known = self.known().get(of).map(|known| known.answers.clone());
        let mut answers = known.unwrap_or_default();
        let notes = look_up(&of.1, &mut answers).await;
        self.record(of, Some(answers), notes);
    }

    /// Note what a look-up came to; without answers it came to none.
    fn record(&self, of: &(PoolName, Dns), answers: Option<Answers>, notes: Notes) {
        let mut all = self.known();
        let known = all.entry(of.clone()).or_insert_with(Known::new);
        let turn = known.take(&of.1, answers, notes);
        drop(all);
        if let Some(turn) = turn {
            let pool = of.0.clone();
            self.events
                .push(Happened::LookedUp(LookedUp { pool, turn }));
        }
    }

    /// Forget the names that a configuration has no more, but for those that a
    /// change may be about to bring.
    fn keep(&self, config: &Config) {
        let wanted: BTreeSet<_> = names(config).collect();
        self.known().retain(|of, known| {
            wanted.contains(of) || known.looked_up.elapsed() < KEPT_FOR_CHANGES
        });
    }

    /// What was found for a pool's names; none before they were looked up.
    fn servers(&self, of: &(PoolName, Dns)) -> Option<Vec<FoundServer>> {
        self.known().get(of).map(|known| known.servers.clone())
    }

    /// When to look up a pool's names again.
    fn due(&self, of: &(PoolName, Dns)) -> Instant {
        let known = self.known();
        known.get(of).map_or_else(Instant::now, |known| known.due)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(PoolName, Dns), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pools of a configuration that have names, and these.
fn names(config: &Config) -> impl Iterator<Item = (PoolName, Dns)> {
    let pools = config.pools.iter();
    pools.filter_map(|pool| Some((pool.name.clone(), pool.dns.clone()?)))
}

impl Known {
    fn new() -> Self {
        Self {
            answers: Answers::default(),
            servers: Vec::new(),
            told: String::new(),
            due: Instant::now(),
            looked_up: Instant::now(),
            lookups: 0,
            failed: 0,
            failed_in_a_row: 0,
        }
    }

    /// Take in what a look-up came to; returns what there is to tell of it.
    fn take(
        &mut self,
        dns: &Dns,
        answers: Option<Answers>,
        mut notes: Notes,
    ) -> Option<LookUpTurn> {
        self.lookups += 1;
        if let Some(answers) = answers {
            let mut servers = answers.servers(dns);
            if servers.len() > MAX_SLOTS {
                servers.truncate(MAX_SLOTS);
                notes.failed("its names", "they give more than 4096 servers");
            }
            // Other names that are not found leave those that were found before.
            if !servers.is_empty() {
                self.servers = servers;
            }
            self.answers = answers;
        }
        let turn = self.count(&notes);
        self.looked_up = Instant::now();
        self.due = self.looked_up + self.wait(dns, &notes);
        turn
    }

    fn count(&mut self, notes: &Notes) -> Option<LookUpTurn> {
        if notes.failures.is_empty() {
            self.told.clear();
            let failed = std::mem::take(&mut self.failed_in_a_row);
            return (failed > 0).then_some(LookUpTurn::Recovered { failed });
        }
        self.failed += 1;
        self.failed_in_a_row += 1;
        let reason = notes.failures.join("; ");
        if reason == self.told {
            return None;
        }
        self.told.clone_from(&reason);
        let kept = self.servers.len();
        Some(LookUpTurn::Failing { reason, kept })
    }

    /// How long until the next look-up: what was found holds for its time to
    /// live, what was not is asked for again soon, and less soon each time.
    fn wait(&self, dns: &Dns, notes: &Notes) -> Duration {
        let Dns {
            min_ttl, max_ttl, ..
        } = *dns;
        let ttl = notes.ttl.unwrap_or(max_ttl).clamp(min_ttl, max_ttl);
        let doublings = match self.failed_in_a_row {
            0 => return ttl,
            failed => u32::try_from(failed - 1).unwrap_or(u32::MAX),
        };
        let factor = 2_u32.saturating_pow(doublings);
        let retry = min_ttl.saturating_mul(factor).min(LONGEST_RETRY);
        ttl.min(retry.max(min_ttl))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns() -> Dns {
        Dns {
            names: vec![(Arc::from("app"), 80)],
            srv: None,
            nameservers: Vec::new(),
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(300),
        }
    }

    fn found(seconds: u64) -> Notes {
        Notes {
            ttl: Some(Duration::from_secs(seconds)),
            ..Notes::default()
        }
    }

    fn failed(reason: &str) -> Notes {
        let mut notes = Notes::default();
        notes.failed("app", reason);
        notes
    }

    #[test]
    fn the_time_to_live_is_bounded_on_both_sides() {
        for (ttl, wait) in [(0, 1), (60, 60), (86_400, 300)] {
            assert_eq!(
                Known::new().wait(&dns(), &found(ttl)),
                Duration::from_secs(wait)
            );
        }
    }

    #[test]
    fn what_fails_is_asked_again_soon_and_then_less_soon() {
        let mut known = Known::new();
        let mut waits = Vec::new();
        for _ in 0..7 {
            known.count(&failed("silence"));
            waits.push(known.wait(&dns(), &failed("silence")).as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        known.failed_in_a_row = u64::MAX;
        assert_eq!(known.wait(&dns(), &failed("silence")), LONGEST_RETRY);
    }

    #[test]
    fn a_failure_is_told_once_for_each_reason_and_so_is_its_end() {
        let mut known = Known::new();
        let told: Vec<_> = ["silence", "silence", "no name"]
            .map(|reason| known.count(&failed(reason)).is_some())
            .into();
        assert_eq!(told, [true, false, true]);
        let end = known.count(&found(1));
        assert_eq!(end, Some(LookUpTurn::Recovered { failed: 3 }));
        assert_eq!(known.count(&found(1)), None);
    }
}
