//! How long a call may go on after its deadline has passed by the clock.
//!
//! On a busy machine a worker's thread may be set aside for longer than a
//! decision may take; a plugin is not to blame for that. So the first tick past
//! the deadline only begins to measure the processor time that the thread
//! itself uses, and the call has overrun when that reaches the deadline too: an
//! endless loop is stopped at most three ticks after twice its deadline, and a
//! call that returns in time never asks for the time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::UpdateDeadline;

use crate::ticker::TICK_MS;

/// The patience with one call.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Milliseconds that the call may take.
    allowed: u64,
    /// The thread's processor time when the deadline passed by the clock.
    since: Option<Duration>,
}

impl Patience {
    /// The patience with a call that may take so many milliseconds.
    pub(crate) fn of(millis: u64) -> Self {
        Self {
            allowed: millis,
            since: None,
        }
    }

    /// The deadline has passed by the clock, at this processor time.
    fn passed(&mut self, used: Duration) -> UpdateDeadline {
        let since = *self.since.get_or_insert(used);
        let more = used.saturating_sub(since).as_millis() as u64;
        match self.allowed.saturating_sub(more) {
            0 => UpdateDeadline::Interrupt,
            left => UpdateDeadline::Continue(left.div_ceil(TICK_MS)),
        }
    }

    /// The same, on the thread that makes the call.
    pub(crate) fn passed_now(&mut self) -> UpdateDeadline {
        let used = clock_gettime(ClockId::ThreadCPUTime);
        self.passed(Duration::try_from(used).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn continues(patience: &mut Patience, used_ms: u64) -> Option<u64> {
        match patience.passed(Duration::from_millis(used_ms)) {
            UpdateDeadline::Continue(ticks) => Some(ticks),
            _ => None,
        }
    }

    #[test]
    fn a_call_that_was_set_aside_goes_on() {
        let mut patience = Patience::of(3 * TICK_MS);
        assert_eq!(continues(&mut patience, 700), Some(3));
        assert_eq!(continues(&mut patience, 700), Some(3));
        assert_eq!(continues(&mut patience, 701 + TICK_MS), Some(2));
    }

    #[test]
    fn a_call_that_uses_the_time_itself_is_stopped() {
        let mut patience = Patience::of(3);
        assert_eq!(continues(&mut patience, 700), Some(1));
        assert_eq!(continues(&mut patience, 703), None);
    }
}
