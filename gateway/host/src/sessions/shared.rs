//! A session table as a replica of what a cluster shares.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gatewright_model::id::{EndpointId, Slot};
use gatewright_model::shared::{Content, Deed, Record};

use super::kept::KeptSession;
use super::{Entry, KEY_BYTES, SHARD_SESSIONS, Sessions, Shard, millis};
use crate::replica::{Changes, Kind, Noted, Replica, from_any};

/// Notes of a shard: for each session one, and as many of what was removed.
const NOTES: usize = 2 * SHARD_SESSIONS;

/// Others are told that a session was used when so much of its idle time has passed
/// since they were told last: one part in this.
const STEPS: u32 = 10;

/// What the exchange is to tell of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The whole of it, as it is then.
    Whole,
    /// That it is gone since.
    Removed(u64),
}

impl Noted for Note {
    fn kind(self) -> Kind {
        Kind::Session
    }
}

impl Sessions {
    /// The same, with others who are told of its changes.
    pub(crate) fn sharing(self, replica: Option<Arc<Replica>>) -> Self {
        Self { replica, ..self }
    }

    /// The stamp of a change: later than what it changes.
    pub(super) fn stamp(&self, shard: &Shard, key: &str, now: Duration) -> u64 {
        let Some(replica) = &self.replica else {
            return 0;
        };
        let before = shard.entries.get(key).map_or(0, |entry| entry.stamp);
        replica.clock_ms(now).max(before + 1)
    }

    /// Note what the exchange is to tell, where there is one.
    pub(super) fn note(&self, shard: &mut Shard, key: &str, note: Note) {
        if let Some(replica) = &self.replica {
            shard.note(key, note);
            replica.note();
        }
    }

    /// A session was used: note it now and then.
    pub(super) fn note_use(&self, shard: &mut Shard, key: &str, now: Duration) {
        if self.replica.is_none() {
            return;
        }
        let Some(entry) = shard.entries.get_mut(key) else {
            return;
        };
        if now.saturating_sub(entry.told) > entry.idle / STEPS {
            entry.told = now;
            self.note(shard, key, Note::Whole);
        }
    }

    /// What was changed, for an exchange.
    pub(crate) fn changes(&self, scope: &str, replica: &Replica, changes: &mut Changes) {
        for shard in from_any(&self.shards) {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let Shard { notes, entries, .. } = &mut *shard;
            notes.take(Kind::Session, changes, |changes, key, note| {
                let record = match (note, entries.get(key)) {
                    (Note::Removed(stamp), _) => Record::removed(stamp),
                    (Note::Whole, Some(entry)) => entry.record(replica),
                    (Note::Whole, None) => return,
                };
                changes.push(format!("{scope}{key}"), Deed::Write(record));
            });
        }
    }

    /// Note all sessions, as if they had just been set.
    pub(crate) fn note_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let keys: Vec<_> = shard.entries.keys().map(Arc::clone).collect();
            for key in keys {
                shard.note(&key, Note::Whole);
            }
        }
    }

    /// Hear what somebody has changed, or this gateway itself. What was set here later,
    /// or has not been told yet, stays; what belongs to an endpoint that is not here
    /// waits for it.
    pub(crate) fn hear(
        &self,
        key: &str,
        record: Record,
        seat: impl Fn(&str) -> Option<Slot>,
        (replica, now): (&Replica, Duration),
    ) {
        // Before the shard, which whoever waits is seated in.
        self.wait_no_more(key);
        let mut shard = self.shard(key);
        if key.len() > KEY_BYTES || shard.is_newer(key, record.stamp) {
            return;
        }
        let (endpoint, idle_ms, created_ms) = match record.content {
            Content::Session {
                endpoint,
                idle_ms,
                created_ms,
            } => (endpoint, idle_ms, created_ms),
            Content::Removed => {
                shard.notes.remove(key);
                shard.entries.swap_remove(key);
                return;
            }
            Content::Bytes(_) | Content::Number(_) | Content::Bucket { .. } => return,
        };
        let idle = Duration::from_millis(idle_ms);
        let ends = record.expires.map_or(now, |expires| replica.time(expires));
        let used = ends.saturating_sub(idle).min(now);
        let created = replica.time(created_ms).min(used);
        let Some(slot) = seat(&endpoint) else {
            let kept = KeptSession {
                key: key.into(),
                endpoint,
                idle_ms,
                created_ms: millis(created),
                used_ms: millis(used),
                stamp: record.stamp,
            };
            shard.entries.swap_remove(key);
            drop(shard);
            return self.wait_for_endpoint(kept, now);
        };
        let known = shard.entries.get(key);
        let used_here = known.filter(|known| known.stamp == record.stamp);
        let entry = Entry {
            slot,
            endpoint: EndpointId::from(endpoint.as_str()),
            idle,
            created,
            used: used_here.map_or(used, |known| known.used.max(used)),
            stamp: record.stamp,
            told: used_here.map_or(used, |known| known.told.max(used)),
        };
        if known.is_none() && shard.entries.len() >= SHARD_SESSIONS {
            shard.make_any_room(now);
        }
        shard.entries.insert(key.into(), entry);
    }
}

impl Entry {
    fn record(&self, replica: &Replica) -> Record {
        Record {
            stamp: self.stamp,
            expires: Some(replica.clock_ms(self.ends())),
            content: Content::Session {
                endpoint: self.endpoint.to_string(),
                idle_ms: millis(self.idle),
                created_ms: replica.clock_ms(self.created),
            },
        }
    }
}

impl Shard {
    fn note(&mut self, key: &str, note: Note) {
        let entries = &self.entries;
        self.notes.put(key, note, NOTES, |key| {
            let known = entries.get_key_value(key);
            known.map(|(key, _)| Arc::clone(key))
        });
    }

    /// Whether what is here was set later than that. What was set at the same time is
    /// the same session, used at another time.
    fn is_newer(&self, key: &str, stamp: u64) -> bool {
        match (self.notes.get(key), self.entries.get(key)) {
            (Some(Note::Removed(removed)), None) => removed >= stamp,
            (_, Some(entry)) => entry.stamp > stamp,
            (_, None) => false,
        }
    }
}
