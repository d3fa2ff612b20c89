//! Deadlines by a coarse sweep: one timer per worker instead of one per request.
//!
//! A deadline is an entry in a slab; arming and disarming it writes a number.
//! Every [`TICK`] the sweep walks the entries and wakes those that are due, so
//! a deadline passes up to one tick late and never early.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use slab::Slab;

/// How coarse the deadlines are: walking 10,000 entries takes about 20 µs, so
/// twenty walks a second cost a worker nothing that can be measured.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// So many ticks as a time since the clock's beginning.
pub(crate) fn since_start(ticks: u64) -> Duration {
    Duration::from_millis(ticks * TICK.as_millis() as u64)
}

/// A worker's deadlines and its coarse clock.
pub(crate) struct Deadlines {
    started: Instant,
    now: Cell<u64>,
    entries: RefCell<Slab<Entry>>,
}

#[derive(Default)]
struct Entry {
    /// The tick at which it is due; none while disarmed.
    due: Option<u64>,
    waker: Option<Waker>,
}

impl Deadlines {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            started: Instant::now(),
            now: Cell::new(0),
            entries: RefCell::default(),
        })
    }

    /// Ticks since the worker started.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// The tick at which `after` from now has certainly gone by: one more than
    /// it takes, because the present tick has partly passed.
    pub(crate) fn tick_after(&self, after: Duration) -> u64 {
        const IN_A_SECOND: u64 = 1000 / TICK.as_millis() as u64;
        let of_seconds = after.as_secs().saturating_mul(IN_A_SECOND);
        let of_rest = u64::from(after.subsec_millis()).div_ceil(TICK.as_millis() as u64);
        let ticks = of_seconds.saturating_add(of_rest + 1);
        self.now().saturating_add(ticks)
    }

    /// A new deadline, disarmed.
    pub(crate) fn register(self: &Rc<Self>) -> Deadline {
        let key = self.entries.borrow_mut().insert(Entry::default());
        Deadline {
            deadlines: Rc::clone(self),
            key,
        }
    }

    /// Read the clock and wake every deadline that has passed.
    pub(crate) fn sweep(&self) {
        let now = (self.started.elapsed().as_millis() / TICK.as_millis()) as u64;
        self.now.set(now);
        for (_, entry) in &mut *self.entries.borrow_mut() {
            if entry.due.is_some_and(|due| due <= now) {
                entry.wake();
            }
        }
    }

    /// Wake everyone who waits on a deadline, whether it has passed or not:
    /// how connections learn that the worker drains.
    pub(crate) fn wake_all(&self) {
        for (_, entry) in &mut *self.entries.borrow_mut() {
            entry.wake();
        }
    }
}

impl Entry {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// One deadline; dropping it forgets it.
pub(crate) struct Deadline {
    deadlines: Rc<Deadlines>,
    key: usize,
}

impl Deadline {
    /// Let it pass `after` from now (the coarse now: up to two ticks late).
    pub(crate) fn arm(&self, after: Duration) {
        self.arm_at(self.deadlines.tick_after(after));
    }

    /// Let it pass at a tick of the coarse clock.
    pub(crate) fn arm_at(&self, tick: u64) {
        self.set(Some(tick));
    }

    /// The present tick of the coarse clock.
    pub(crate) fn now(&self) -> u64 {
        self.deadlines.now()
    }

    /// Let it never pass.
    pub(crate) fn disarm(&self) {
        self.set(None);
    }

    fn set(&self, due: Option<u64>) {
        self.deadlines.entries.borrow_mut()[self.key].due = due;
    }

    /// Ready once it has passed; otherwise the task is woken when it does.
    pub(crate) fn poll_passed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut entries = self.deadlines.entries.borrow_mut();
        let entry = &mut entries[self.key];
        if entry.due.is_some_and(|due| due <= self.deadlines.now()) {
            return Poll::Ready(());
        }
        let known = entry.waker.as_ref();
        if !known.is_some_and(|waker| waker.will_wake(cx.waker())) {
            entry.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Run a future until it is done or the deadline passes.
    pub(crate) async fn limit<F: Future>(&self, future: F) -> Result<F::Output, Passed> {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.poll_passed(cx).map(|()| Err(Passed))
        })
        .await
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.deadlines.entries.borrow_mut().remove(self.key);
    }
}

/// The deadline passed first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_passed(deadline: &Deadline) -> bool {
        let cx = Context::from_waker(Waker::noop());
        deadline.poll_passed(&cx).is_ready()
    }

    #[test]
    fn a_deadline_passes_never_early_and_can_be_disarmed() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        assert!(!is_passed(&deadline));
        deadline.arm(TICK * 2);
        deadlines.now.set(2);
        assert!(!is_passed(&deadline));
        deadlines.now.set(3);
        assert!(is_passed(&deadline));
        deadline.disarm();
        assert!(!is_passed(&deadline));
    }

    #[test]
    fn it_takes_a_tick_more_than_has_to_go_by() {
        let deadlines = Deadlines::new();
        deadlines.now.set(7);
        for (millis, ticks) in [(0, 0), (1, 1), (50, 1), (51, 2), (1000, 20), (1999, 40)] {
            let tick = deadlines.tick_after(Duration::from_millis(millis));
            assert_eq!(tick, 7 + ticks + 1, "{millis} ms");
        }
        assert_eq!(deadlines.tick_after(Duration::MAX), u64::MAX);
    }

    #[test]
    fn dropping_a_deadline_forgets_it() {
        let deadlines = Deadlines::new();
        drop(deadlines.register());
        assert!(deadlines.entries.borrow().is_empty());
    }

    #[tokio::test]
    async fn a_future_is_limited() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        assert_eq!(deadline.limit(async { 1 }).await, Ok(1));
        deadline.arm(Duration::ZERO);
        deadlines.now.set(1);
        let never = std::future::pending::<()>();
        assert_eq!(deadline.limit(never).await, Err(Passed));
    }
}
