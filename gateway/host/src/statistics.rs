//! What one worker counts of one binding. The worker writes with plain stores;
//! anyone reads.

use std::time::Duration;

use gatewright_model::counters::Counter;
use gatewright_model::histogram::Histogram;

use crate::fault::Fault;

/// One worker's figures of one binding. Aligned so that two workers never write
/// the same cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct SeatCounters {
    /// Decisions that were asked for.
    pub decisions: Counter,
    /// Decisions that trapped.
    pub trapped: Counter,
    /// Decisions that outlived their deadline.
    pub overran: Counter,
    /// Decisions that trapped for want of memory.
    pub out_of_memory: Counter,
    /// Answers that could not be.
    pub impossible: Counter,
    /// Decisions asked for while there was no instance.
    pub vacant: Counter,
    /// Decisions asked for while the share of the time was used up.
    pub capped: Counter,
    /// Decisions asked for in quarantine.
    pub quarantined: Counter,
    /// Answers that could not be used, as the caller said.
    pub overruled: Counter,
    /// A shadow's answers that were compared with those that counted.
    pub compared: Counter,
    /// Compared answers that were the same, edits included.
    pub agreed: Counter,
    /// Decisions of the sample that a shadow was not asked for, since it had
    /// taken its share of the time.
    pub skipped: Counter,
    /// Instances made on the worker after a fault.
    pub restarts: Counter,
    /// Durations of the sampled decisions (one in 64) **in nanoseconds**.
    pub time_ns: Histogram,
    /// How many decisions were sampled.
    pub samples: Counter,
    /// What the sampled decisions took together, in nanoseconds.
    pub sampled_ns: Counter,
}

impl SeatCounters {
    /// Count a decision that had no answer. Only the owning thread may call it.
    pub(crate) fn faulted(&self, fault: Fault) {
        let counter = match fault {
            Fault::Trapped => &self.trapped,
            Fault::Overran => &self.overran,
            Fault::OutOfMemory => &self.out_of_memory,
            Fault::Impossible => &self.impossible,
            Fault::Vacant => &self.vacant,
            Fault::Capped => &self.capped,
            Fault::Quarantined => &self.quarantined,
        };
        counter.add(1);
    }

    /// Count a timed decision. Only the owning thread may call it.
    pub(crate) fn took(&self, duration: Duration) {
        let nanos = u32::try_from(duration.as_nanos()).unwrap_or(u32::MAX);
        self.time_ns.record(nanos);
        self.samples.add(1);
        self.sampled_ns.add(nanos.into());
    }

    /// Faults of the plugin's own: not vacancy, not a used-up share, not
    /// quarantine.
    pub fn faults(&self) -> u64 {
        [
            &self.trapped,
            &self.overran,
            &self.out_of_memory,
            &self.impossible,
        ]
        .iter()
        .map(|counter| counter.get())
        .sum()
    }

    /// Decisions that the plugin was asked for: those that it had an instance,
    /// a share of the time and no quarantine for.
    pub fn answered(&self) -> u64 {
        let kept_from_it = self.vacant.get() + self.capped.get() + self.quarantined.get();
        self.decisions.get().saturating_sub(kept_from_it)
    }

    /// Decisions that somebody else had to make: every fault, vacancy, used-up
    /// share and quarantine.
    pub fn fallbacks(&self) -> u64 {
        self.faults() + self.vacant.get() + self.capped.get() + self.quarantined.get()
    }
}
