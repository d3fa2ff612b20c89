//! What plugins have the gateway remember, as it outlives the process: the pools'
//! sessions, and the values of the bindings' `store`.
//!
//! As text it is JSON Lines: a header with a SHA-256 of everything else, then a line
//! for each value and each session. Times are those of the host's clock, and the
//! header says what that was, and what the world's: so the same content has the same
//! lines, whenever it is written, and while nobody serves, sessions go on being idle
//! and values go on expiring. A shadow's values are nobody's loss, and are left out.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use gatewright_model::id::PoolName;
use gatewright_model::pool::Pool;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::binding::{Part, Place};
use crate::plan::Plan;
use crate::sessions::{KeptSession, Sessions};
use crate::space::{KeptValue, Space};

const KIND: &str = "gatewright-remembered";

/// The version of the format.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Header {
    kind: String,
    format: u32,
    /// The host's clock.
    now_ms: u64,
    /// Milliseconds since 1970.
    unix_ms: u64,
    /// Of this line without its sum, and of all that follows.
    sha256: String,
}

impl Header {
    /// The line that goes before a body, with the sum of both.
    fn sealed(mut self, body: &str) -> String {
        self.sha256.clear();
        let line = self.line();
        self.sha256 = digest(&[line.as_str(), body]);
        self.line()
    }

    fn line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// A session of a pool.
    Session(String, KeptSession),
    /// A value of the plugin in a seat.
    Value(String, String, KeptValue),
}

impl Line {
    /// What is worth writing when it has changed. `text` is the line as it is written.
    fn tell(&self, text: &str, told: &mut impl Hasher) {
        match self {
            Self::Session(pool, session) => {
                pool.hash(told);
                session.tell(told);
            }
            Self::Value(..) => text.hash(told),
        }
    }
}

/// A seat, and the plugin in it.
type Name = (String, String);

/// Why a text is not what a gateway remembered.
#[derive(Debug, thiserror::Error)]
pub enum RememberedError {
    /// It is something else, or cut off, or changed.
    #[error("it is damaged")]
    Damaged,
    /// Another version of the gateway wrote it.
    #[error("its format is {0}, and this program reads {FORMAT}")]
    Format(u32),
}

/// What is to be written.
#[derive(Debug)]
pub struct Written {
    /// The whole text.
    pub text: String,
    /// What tells one content from another, as far as that is worth writing: that a
    /// session was used counts in steps, of a tenth of its idle time and of a minute
    /// at most.
    pub digest: u64,
    /// Sessions and values that there was no room for.
    pub left_out: usize,
}

/// What was remembered, to be taken back.
#[derive(Debug, Default)]
pub struct Remembered {
    sessions: HashMap<String, Vec<KeptSession>>,
    values: HashMap<Name, Vec<KeptValue>>,
    now_ms: u64,
    unix_ms: u64,
}

impl Written {
    /// What is remembered now, in at most so many bytes: values first, since the
    /// spaces of bindings are bounded and small, and then sessions, as many as there
    /// is room for. `now` is the host's clock, [`crate::Host::now`].
    pub fn of(plan: &Plan, now: Duration, most: usize) -> Self {
        let active = plan.bindings.iter();
        let active = active.filter(|binding| binding.part() == Part::Active);
        let values = active.map(|binding| (name_of(binding.place()), binding.space().kept()));
        Self::with(values, plan, now, most)
    }

    fn with(
        values: impl Iterator<Item = (Name, Vec<KeptValue>)>,
        plan: &Plan,
        now: Duration,
        most: usize,
    ) -> Self {
        let (mut body, mut left_out) = (String::new(), 0);
        let mut told = DefaultHasher::new();
        let mut write = |line: &Line| {
            let text = serde_json::to_string(line).unwrap_or_default();
            if body.len() + text.len() < most {
                body.push_str(&text);
                body.push('\n');
                line.tell(&text, &mut told);
            } else {
                left_out += 1;
            }
        };
        for ((seat, plugin), values) in values {
            for value in values {
                write(&Line::Value(seat.clone(), plugin.clone(), value));
            }
        }
        let mut pools: Vec<_> = plan.sessions.iter().collect();
        pools.sort_by_key(|(pool, _)| pool.as_str().to_owned());
        for (pool, sessions) in pools {
            for session in sessions.kept(now) {
                write(&Line::Session(pool.to_string(), session));
            }
        }
        let header = Header {
            kind: KIND.to_owned(),
            format: FORMAT,
            now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            unix_ms: unix_ms(),
            sha256: String::new(),
        };
        Self {
            text: header.sealed(&body) + &body,
            digest: told.finish(),
            left_out,
        }
    }
}

impl Remembered {
    /// Read what [`Written`] wrote.
    ///
    /// # Errors
    ///
    /// When it is anything else. Nothing of it is believed then.
    pub fn read(text: &str) -> Result<Self, RememberedError> {
        let (first, body) = text.split_once('\n').ok_or(RememberedError::Damaged)?;
        let damaged = |_| RememberedError::Damaged;
        let header: Header = serde_json::from_str(first).map_err(damaged)?;
        if header.kind != KIND {
            return Err(RememberedError::Damaged);
        }
        if header.format != FORMAT {
            return Err(RememberedError::Format(header.format));
        }
        if header.clone().sealed(body).trim_end() != first {
            return Err(RememberedError::Damaged);
        }
        let mut remembered = Self {
            now_ms: header.now_ms,
            unix_ms: header.unix_ms,
            ..Self::default()
        };
        for line in body.lines() {
            match serde_json::from_str(line).map_err(damaged)? {
                Line::Session(pool, session) => {
                    remembered.sessions.entry(pool).or_default().push(session);
                }
                Line::Value(seat, plugin, value) => {
                    let values = remembered.values.entry((seat, plugin));
                    values.or_default().push(value);
                }
            }
        }
        Ok(remembered)
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions.values().map(Vec::len).sum()
    }

    /// How many values there are.
    pub fn values(&self) -> usize {
        self.values.values().map(Vec::len).sum()
    }

    /// Give a pool its sessions again.
    pub(crate) fn give_sessions(&self, sessions: &Sessions, pool: &Pool, now: Duration) {
        if let Some(kept) = self.sessions_of(&pool.name) {
            sessions.take_back(kept, pool, now, |then_ms| self.on_clock(then_ms, now));
        }
    }

    /// Give the plugin at a place its values again.
    pub(crate) fn give_values(&self, space: &Space, place: &Place, now: Duration) {
        if let Some(kept) = self.values.get(&name_of(place)) {
            space.take_back(kept, now, |then_ms| self.on_clock(then_ms, now));
        }
    }

    fn sessions_of(&self, pool: &PoolName) -> Option<&Vec<KeptSession>> {
        self.sessions.get(pool.as_str())
    }

    /// A time of the other host's clock on that of this one, which shows `now`.
    fn on_clock(&self, then_ms: u64, now: Duration) -> Duration {
        // A clock that was set back meanwhile makes nothing younger.
        let away_ms = unix_ms().saturating_sub(self.unix_ms);
        let now_there = Duration::from_millis(self.now_ms.saturating_add(away_ms));
        let then = Duration::from_millis(then_ms);
        match then > now_there {
            true => now.saturating_add(then - now_there),
            false => now.saturating_sub(now_there - then),
        }
    }
}

/// What a place is called in the file.
fn name_of(place: &Place) -> Name {
    (place.to_string(), place.plugin.to_string())
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    HEXLOWER.encode(&digest.finalize())
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests;
