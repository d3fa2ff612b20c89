//! Recordings: what a balancer's instances were handed and what they answered,
//! so that a candidate can be handed the same and its answers be compared.
//!
//! How it goes. A worker that is told to record has a fresh instance made aside,
//! as at any change of a seat, and hands it what the old one learned; from its
//! first call on, every call is a [`Line`] with all that the contract handed in:
//! arguments, the answers to what was asked of the host, the load of every slot,
//! and the time. Only so does a recording hold the whole past of what it shows:
//! a plugin's own generator, say, is seeded when it is configured. Away from the
//! workers a `Rehearsal` reads the lines, on a clock that they set.
//!
//! A recording is bounded by time and bytes, and lives in memory. A worker writes
//! to lines of its own; it waits for nobody but a download, which has their lock for
//! as long as it takes to copy references to chunks of them. Who records nothing
//! pays a comparison for a decision and one for each question.
//!
//! What is of a request is there only as far as the plugin asked for it, and what
//! is likely to be a secret only as a digest (`redacted`).

mod held;
mod lines;
mod redacted;
mod tape;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::binding::{Binding, Terms};

use held::{Held, Timed};
use lines::End;
pub use lines::{
    Asked, Call, FORMAT, Header, Heard, HeardEnding, Line, Member, Pick, Recorded, RecordingError,
    read,
};
use redacted::Key;
pub(crate) use tape::{Prompter, Recorder, Tape};

/// How much is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct RecordingOptions {
    /// The share of decisions, in percent: 1 to 100. Of a plugin whose decisions
    /// depend on those before, only 100 can be replayed faithfully.
    pub sample: u8,
    /// For how long.
    pub length: Duration,
    /// Bytes of lines at most.
    pub bytes: usize,
    /// What secrets are digested with: random, and nobody else's.
    pub key: [u8; 32],
}

/// What the workers write down of one balancer's decisions.
#[derive(Debug)]
pub struct Recording {
    terms: Terms,
    header: Header,
    /// On the host's clock.
    until: Duration,
    room: usize,
    key: Key,
    taken: AtomicUsize,
    decisions: AtomicU64,
    is_closed: AtomicBool,
    /// By worker.
    lines: Box<[Mutex<Held>]>,
}

impl Recording {
    /// An empty one of a binding's decisions, from now on.
    pub fn new(binding: &Binding, options: &RecordingOptions) -> Arc<Self> {
        let workers = binding.counters().len();
        let sample = options.sample.clamp(1, 100);
        Arc::new(Self {
            header: Header::of(binding, sample, workers),
            terms: binding.terms.clone(),
            until: binding.now() + options.length,
            room: options.bytes,
            key: Key::new(options.key),
            taken: AtomicUsize::new(0),
            decisions: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            lines: (0..workers).map(|_| Mutex::default()).collect(),
        })
    }

    /// What is recorded.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether nothing is written to it any more: it was closed, its time is
    /// over, or it is full. `now` is the host's clock, [`crate::Host::now`].
    pub fn is_over(&self, now: Duration) -> bool {
        now >= self.until || self.is_closed.load(Ordering::Relaxed)
    }

    /// Whether it ended because there was no room left.
    pub fn is_full(&self) -> bool {
        self.bytes() >= self.room
    }

    /// Write nothing to it any more.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Write nothing to it any more, and forget its lines: workers may know of it
    /// until they decide the next time.
    pub fn discard(&self) {
        self.close();
        for own in &self.lines {
            let forgotten = std::mem::take(&mut *locked(own));
            // Not under the lock.
            drop(forgotten);
        }
    }

    /// Bytes of its lines, also of those that are forgotten.
    pub fn bytes(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many decisions are in it.
    pub fn decisions(&self) -> u64 {
        self.decisions.load(Ordering::Relaxed)
    }

    /// As a file: the header's line, the others in the order of their time, and the
    /// last one.
    pub fn text(&self) -> String {
        let copied = |own: &Mutex<Held>| locked(own).clone();
        let held: Vec<Held> = self.lines.iter().map(copied).collect();
        let mut lines: Vec<&Timed> = held.iter().flat_map(Held::iter).collect();
        lines.sort_by_key(|(at_ns, _)| *at_ns);
        let mut text = serde_json::to_string(&self.header).unwrap_or_default();
        text.push('\n');
        for (_, line) in &lines {
            text.push_str(line);
            text.push('\n');
        }
        let end = End { end: lines.len() };
        text.push_str(&serde_json::to_string(&end).unwrap_or_default());
        text.push('\n');
        text
    }

    /// Whether it is a binding's, in whichever of its lives.
    pub(crate) fn is_of(&self, binding: &Binding) -> bool {
        self.terms == binding.terms
    }

    /// Whether the next decision is in the sample.
    fn takes(&self) -> bool {
        self.header.sample == 100 || fastrand::u8(..100) < self.header.sample
    }

    fn write(&self, line: &Line) {
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let Ok(text) = serde_json::to_string(line) else {
            return;
        };
        let taken = self.taken.fetch_add(text.len() + 1, Ordering::Relaxed);
        if taken + text.len() >= self.room {
            self.close();
            return;
        }
        let Some(lines) = self.lines.get(line.worker) else {
            return;
        };
        let timed: Timed = (line.at_ns, text.into());
        let mut lines = locked(lines);
        // Under the lock, so that nothing is left of what is discarded meanwhile.
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        lines.push(timed);
        if matches!(line.call, Call::Pick(_)) {
            self.decisions.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
