//! What happened lately, for operators to look back on: a bounded list.
//!
//! Whoever follows the list holds a place in it and nothing else, so a slow
//! reader costs nothing: what the list no longer has by then is missed.

mod reader;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_host::{Happening, HostEvent, Part, Place};
use gatewright_model::config::{Key, LeftOut};
use gatewright_model::id::Digest;
use gatewright_proxy::{CircuitChange, HealthChange, PanicChange};
use tokio::sync::watch;

use crate::acme::CertificateNews;
use crate::burden::Burdened;
use crate::discovery::LookedUp;
use crate::publisher::Reloaded;
use crate::store::Numbered;
use crate::timestamp::Timestamp;

pub(crate) use reader::{Read, Reader};

/// Events that are kept; the oldest go first.
const KEPT: usize = 256;

/// Something that happened, and when. It displays without its time.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place among all events since the start, from 1.
    pub number: u64,
    /// When it was noticed.
    pub at: Timestamp,
    /// What it was.
    pub happened: Happened,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// A server's health changed.
    Health(HealthChange),
    /// A server's circuit opened, is half-open or closed.
    Circuit(CircuitChange),
    /// So few servers of a pool are well that all get requests, or no more.
    Panic(PanicChange),
    /// A plugin faulted or was quarantined.
    Plugin(HostEvent),
    /// A plugin takes much of a worker's time, or does no more.
    Burdened(Burdened),
    /// Names of servers are found no more, or again.
    LookedUp(LookedUp),
    /// A change was put in force, or there was nothing to change.
    Reloaded(Reloaded),
    /// Something is wrong with the cluster.
    Cluster(String),
    /// A change was refused, for this reason.
    Refused(String),
    /// What was changed at run time gave way to what a file says by now.
    Yielded(Key),
    /// What was changed at run time fits no more and is not in force.
    LeftOut(LeftOut),
    /// A balancer was activated although it does not pass the battery.
    Uncertified(String),
    /// A certificate was ordered.
    Certificate(CertificateNews),
    /// An entry was written to the audit log.
    Audited(Arc<Numbered>),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.happened {
            Happened::Health(change) => change.fmt(f),
            Happened::Circuit(change) => change.fmt(f),
            Happened::Panic(change) => change.fmt(f),
            Happened::Plugin(event) => {
                plugin(&event.place, event.version, f)?;
                match &event.happening {
                    Happening::Faulted { fault, .. } => write!(f, ": {fault}"),
                    Happening::Quarantined => f.write_str(" is quarantined: it faulted too often"),
                }
            }
            Happened::Burdened(Burdened {
                place,
                version,
                turn,
            }) => {
                plugin(place, *version, f)?;
                write!(f, " {turn}")
            }
            Happened::LookedUp(looked_up) => looked_up.fmt(f),
            Happened::Reloaded(reloaded) => write!(f, "{reloaded}"),
            Happened::Refused(reason) => write!(f, "a change was refused: {reason}"),
            Happened::Yielded(key) => write!(
                f,
                "{key}: the file was edited there, so what was set through the API counts no more"
            ),
            Happened::LeftOut(LeftOut { key, reason }) => {
                write!(
                    f,
                    "{key}: what was set through the API is left out: {reason}"
                )
            }
            Happened::Uncertified(why) | Happened::Cluster(why) => f.write_str(why),
            Happened::Certificate(news) => write!(f, "{news}"),
            Happened::Audited(numbered) => {
                let entry = &numbered.entry;
                write!(f, "{}: {} {}", entry.who, entry.action, entry.target)
            }
        }
    }
}

/// A plugin in its seat.
fn plugin(place: &Place, version: Digest, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Place {
        role,
        pool,
        plugin,
        policy,
        part,
    } = place;
    write!(f, "plugin {plugin} {} ({role}", version.short())?;
    if *part != Part::Active {
        write!(f, " {part}")?;
    }
    if let Some(pool) = pool {
        write!(f, " of pool {pool}")?;
    }
    if let Some(policy) = policy {
        write!(f, " {policy}")?;
    }
    f.write_str(")")
}

/// The events that are kept.
#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: Mutex<VecDeque<Event>>,
    /// The number of the newest; 0 before the first.
    newest: watch::Sender<u64>,
}

impl Events {
    /// Keep what happened just now. Never waits for a reader.
    pub(crate) fn push(&self, happened: Happened) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let event = Event {
            number: *self.newest.borrow() + 1,
            at: Timestamp::now(),
            happened,
        };
        if matches!(
            event.happened,
            Happened::Yielded(_)
                | Happened::LeftOut(_)
                | Happened::Burdened(_)
                | Happened::Uncertified(_)
                | Happened::Cluster(_)
                | Happened::LookedUp(_)
        ) {
            tracing::warn!("{event}");
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        self.newest.send_replace(event.number);
        kept.push_back(event);
    }

    /// All that are kept, oldest first.
    pub(crate) fn list(&self) -> Vec<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }

    /// The number of the last that is kept no more; 0 for none.
    fn last_gone(&self) -> u64 {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.front().map_or(0, |oldest| oldest.number - 1)
    }

    /// The oldest that is kept of those after a number.
    fn after(&self, number: u64) -> Option<Event> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = kept.front()?.number;
        let place = (number + 1).saturating_sub(oldest);
        kept.get(usize::try_from(place).ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_event_goes_first() {
        let events = Events::default();
        for number in 0..=KEPT {
            events.push(Happened::Refused(number.to_string()));
        }
        let kept = events.list();
        assert_eq!(kept.len(), KEPT);
        assert_eq!(kept[0].to_string(), "a change was refused: 1");
    }
}
