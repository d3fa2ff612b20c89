//! A space as a replica of what a cluster shares.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use gatewright_model::shared::{Content, Deed, Granted, Record};

use super::{Entry, SHARD_KEYS, Shard, Space, Value};
use crate::contract::imports::store::Taken;
use crate::lease::{Lease, Rate};
use crate::replica::{Changes, Kind, Noted, Replica, from_any};

/// Notes of a shard: for each entry one, and as many of what was removed.
const NOTES: usize = 2 * SHARD_KEYS;

/// How long a bucket is known, at least, beyond the time when it is full.
const MARGIN: Duration = Duration::from_secs(5);

/// How long a bucket is known at most: one that gains next to nothing is never full.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What the exchange is to tell of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The whole entry, as it is then.
    Whole,
    /// That so much was added.
    Added(i64),
    /// That it is gone since.
    Removed(u64),
    /// What is asked of a bucket.
    Asked,
}

impl Noted for Note {
    fn kind(self) -> Kind {
        match self {
            Self::Added(_) => Kind::Sum,
            Self::Whole | Self::Removed(_) => Kind::Value,
            Self::Asked => Kind::Limit,
        }
    }
}

/// What this gateway has of a bucket.
#[derive(Clone, Debug)]
pub(super) struct Leased {
    pub(super) lease: Lease,
    rate: Rate,
}

impl Leased {
    fn note(&mut self, now: Duration) -> bool {
        self.lease.is_to_be_noted(self.rate, now)
    }
}

impl Space {
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

    /// Put a value and note it; returns whether it is small enough to be kept.
    pub(super) fn put(
        &self,
        shard: &mut Shard,
        key: &str,
        value: Value,
        expires: Option<Duration>,
        now: Duration,
    ) -> bool {
        let stamp = self.stamp(shard, key, now);
        let is_kept = shard.put(key, value, expires, stamp);
        if is_kept {
            self.note(shard, key, Note::Whole);
        }
        is_kept
    }

    /// Put a number that was not here. What is told is what was added: others may
    /// have begun with it as well.
    pub(super) fn begin(
        &self,
        shard: &mut Shard,
        key: &str,
        delta: i64,
        expires: Option<Duration>,
        stamp: u64,
    ) {
        if !shard.put(key, Value::Number(delta), expires, stamp) {
            return;
        }
        if matches!(shard.notes.get(key), Some(Note::Added(_))) {
            // It is of a number that has expired or made room.
            shard.notes.remove(key);
        }
        self.note(shard, key, Note::Added(delta));
    }

    /// Note what the exchange is to tell, where there is one.
    pub(super) fn note(&self, shard: &mut Shard, key: &str, note: Note) {
        if let Some(replica) = &self.replica {
            shard.note(key, note);
            replica.note();
        }
    }

    /// Take tokens of a bucket that a cluster shares.
    pub(super) fn take_leased(
        &self,
        replica: &Replica,
        key: &str,
        count: f64,
        rate: Rate,
        now: Duration,
    ) -> Taken {
        let gateways = replica.gateways();
        let mut shard = self.shard(key);
        let known = shard.live(key, now).map(|entry| &entry.value);
        if !matches!(known, Some(Value::Leased(_))) {
            let left = rate.burst as u32;
            if count == 0.0 {
                return Taken { wait_ms: 0, left };
            }
            let lease = Lease::unknown(rate, gateways, now);
            shard.put_leased(key, Leased { lease, rate }, None);
        }
        let until_full = Duration::try_from_secs_f64(rate.burst / rate.per_second);
        let until_full = until_full.map_or(LONGEST, |full| full.min(LONGEST));
        let expires = now.checked_add(until_full + MARGIN);
        shard.renew(key);
        let Some(Entry {
            value: Value::Leased(leased),
            expires: end,
            ..
        }) = shard.entries.get_mut(key)
        else {
            // The key is too long to be kept.
            return Lease::unknown(rate, gateways, now).take(count, rate, gateways, now);
        };
        *end = (*end).max(expires);
        leased.rate = rate;
        let taken = leased.lease.take(count, rate, gateways, now);
        if leased.note(now) {
            self.note(&mut shard, key, Note::Asked);
        }
        taken
    }

    /// What was changed of a kind, for an exchange.
    pub(crate) fn changes(
        &self,
        kind: Kind,
        scope: &str,
        (replica, now): (&Replica, Duration),
        changes: &mut Changes,
    ) {
        for shard in from_any(&self.shards) {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let Shard { notes, entries, .. } = &mut *shard;
            notes.take(kind, changes, |changes, key, note| {
                let deed = match (note, entries.get_mut(key)) {
                    (Note::Removed(stamp), _) => Some(Deed::Write(Record::removed(stamp))),
                    (_, Some(entry)) => entry.deed(note, replica, now),
                    (_, None) => None,
                };
                if let Some(deed) = deed {
                    changes.push(format!("{scope}{key}"), deed);
                }
            });
        }
    }

    /// Note all values, as if they had just been set.
    pub(crate) fn note_all(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let values = shard.entries.iter();
            let values = values.filter(|(_, entry)| entry.is_value());
            let keys: Vec<_> = values.map(|(key, _)| Arc::clone(key)).collect();
            for key in keys {
                shard.note(&key, Note::Whole);
            }
        }
    }

    /// Hear what somebody has changed, or this gateway itself. What was changed here
    /// later, or has not been told yet, stays.
    pub(crate) fn hear(&self, key: &str, record: Record, replica: &Replica, now: Duration) {
        let mut shard = self.shard(key);
        let expires = record.expires.map(|expires| replica.time(expires));
        let noted = shard.notes.get(key);
        let value = match record.content {
            Content::Session { .. } => return,
            Content::Bucket { level, at_ms, born } => {
                let known = Lease::known(level, born, replica.time(at_ms));
                return shard.hear_bucket(key, known, expires, now);
            }
            Content::Number(sum) => match (noted, shard.live(key, now)) {
                (Some(Note::Added(more)), Some(entry)) => {
                    // What was added since is told by the next exchange.
                    entry.value = Value::Number(sum.saturating_add(more));
                    entry.expires = expires;
                    entry.stamp = entry.stamp.max(record.stamp);
                    return;
                }
                _ => Some(Value::Number(sum)),
            },
            Content::Bytes(bytes) => Some(Value::Bytes(bytes)),
            Content::Removed => None,
        };
        if shard.is_newer(key, record.stamp) {
            return;
        }
        shard.notes.remove(key);
        match value {
            Some(value) => {
                shard.put(key, value, expires, record.stamp);
            }
            None => {
                shard.remove(key);
            }
        }
    }

    /// Hear what a bucket has answered.
    pub(crate) fn hear_leased(
        &self,
        key: &str,
        granted: Granted,
        expires: Duration,
        now: Duration,
    ) {
        let mut shard = self.shard(key);
        let Some((key, entry)) = shard.entries.get_key_value(key) else {
            return;
        };
        let key = Arc::clone(key);
        let expires = entry.expires.map(|end| end.max(expires));
        if let Some(entry) = shard.entries.get_mut(&key)
            && let Value::Leased(leased) = &mut entry.value
        {
            leased.lease.hear(granted, now);
            entry.expires = expires;
            shard.leased.insert(key);
        }
    }

    /// Give back what is leased and hardly used.
    pub(crate) fn review(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            let mut told = Vec::new();
            let Shard {
                leased, entries, ..
            } = &mut *shard;
            leased.retain(|key| {
                let entry = entries.get_mut(key).map(|entry| &mut entry.value);
                let Some(Value::Leased(of_it)) = entry else {
                    return false;
                };
                if of_it.lease.review() {
                    told.push(Arc::clone(key));
                }
                of_it.lease.held() > 0.0
            });
            for key in told {
                self.note(&mut shard, &key, Note::Asked);
            }
        }
    }
}

impl Entry {
    /// Whether it is shared as a whole.
    fn is_value(&self) -> bool {
        matches!(self.value, Value::Bytes(_) | Value::Number(_))
    }

    /// What is to be done where all share it.
    fn deed(&mut self, note: Note, replica: &Replica, now: Duration) -> Option<Deed> {
        let stamp = self.stamp;
        let expires = self.expires.map(|expires| replica.clock_ms(expires));
        let write = |content| {
            Some(Deed::Write(Record {
                stamp,
                expires,
                content,
            }))
        };
        match (note, &mut self.value) {
            _ if self.expires.is_some_and(|expires| expires <= now) => None,
            (Note::Asked, Value::Leased(leased)) => {
                Some(Deed::Lease(leased.lease.ask(leased.rate)))
            }
            (Note::Added(delta), Value::Number(_)) => Some(Deed::Add {
                stamp,
                expires,
                delta,
            }),
            (_, Value::Bytes(bytes)) => write(Content::Bytes(Arc::clone(bytes))),
            (_, Value::Number(number)) => write(Content::Number(*number)),
            (_, Value::Leased(_) | Value::Bucket { .. }) => None,
        }
    }
}

impl Shard {
    fn note(&mut self, key: &str, note: Note) {
        let note = match (self.notes.get(key), note) {
            // What is added to comes with it, or was removed, and nobody knows yet.
            (Some(Note::Whole | Note::Removed(_)), Note::Added(_)) => Note::Whole,
            (Some(Note::Added(one)), Note::Added(other)) => Note::Added(one.saturating_add(other)),
            (_, note) => note,
        };
        let entries = &self.entries;
        self.notes.put(key, note, NOTES, |key| {
            let known = entries.get_key_value(key);
            known.map(|(key, _)| Arc::clone(key))
        });
    }

    fn put_leased(&mut self, key: &str, leased: Leased, expires: Option<Duration>) {
        self.notes.remove(key);
        let is_held = leased.lease.held() > 0.0;
        let is_put = self.put(key, Value::Leased(Box::new(leased)), expires, 0);
        if is_put && is_held {
            self.leased.insert(key.into());
        }
    }

    /// An entry was used: it makes room after those that were not.
    fn renew(&mut self, key: &str) {
        self.entries.to_back(key);
    }

    /// Hear of a bucket that somebody uses.
    fn hear_bucket(&mut self, key: &str, known: Lease, expires: Option<Duration>, now: Duration) {
        let rate = match self.live(key, now) {
            Some(Entry {
                value: Value::Leased(leased),
                expires: end,
                ..
            }) => {
                let is_another = leased
                    .lease
                    .born()
                    .is_some_and(|born| Some(born) != known.born());
                if !is_another {
                    *end = (*end).max(expires);
                    return;
                }
                leased.rate
            }
            Some(_) => return,
            None => Rate::of(0.0, 0),
        };
        self.put_leased(key, Leased { lease: known, rate }, expires);
    }

    /// Whether what is here was changed later than that, or at the same time and
    /// nobody has been told.
    fn is_newer(&self, key: &str, stamp: u64) -> bool {
        match (self.notes.get(key), self.entries.get(key)) {
            (Some(Note::Removed(removed)), None) => removed >= stamp,
            (Some(Note::Whole), Some(entry)) => entry.stamp >= stamp,
            (_, Some(entry)) => entry.stamp > stamp,
            (_, None) => false,
        }
    }
}
