//! Deadlines by a coarse sweep: one timer per worker instead of one per request.
//!
//! A deadline is a number, and an entry in a slab once somebody waits for it.
//! Every [`TICK`] the sweep walks the entries and wakes those that are due, so
//! a deadline passes up to two ticks late: the tick in which it is reckoned has partly
//! gone by, and does not count. Nor does it pass early, as long as ticks are seen in time.
//!
//! An entry is due no later than its deadline, and often before: most deadlines are
//! put off again and again, and their entries are left as they are. Who is woken
//! too early on that account tells the sweep then when to come again.
//!
//! While nobody holds a deadline the clock rests: a worker without clients is not
//! woken twenty times a second. Who registers the first one has the clock read
//! before anything is reckoned from it, and so sets it going.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, RawWakerVTable, Waker};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::sync::Notify;
use tokio::time;

/// How coarse the deadlines are: walking 10,000 entries takes about 20 µs, so
/// twenty walks a second cost a worker nothing that can be measured.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// How long the clock rests at most: what goes by it without a deadline, such as
/// connections that were idle for long enough, waits no longer.
const REST: Duration = Duration::from_secs(1);

/// So many ticks as a time since the clock's beginning.
pub(crate) fn since_start(ticks: u64) -> Duration {
    Duration::from_millis(ticks * TICK.as_millis() as u64)
}

/// The ticks after which so long has certainly gone by: one more than it takes, because
/// the present tick has partly passed.
pub(crate) fn ticks_in(time: Duration) -> u64 {
    const IN_A_SECOND: u64 = 1000 / TICK.as_millis() as u64;
    let of_seconds = time.as_secs().saturating_mul(IN_A_SECOND);
    let of_rest = time.subsec_nanos().div_ceil(TICK.subsec_nanos());
    of_seconds.saturating_add(u64::from(of_rest) + 1)
}

/// A worker's deadlines and its coarse clock.
pub(crate) struct Deadlines {
    started: Instant,
    now: Cell<u64>,
    entries: RefCell<Slab<Entry>>,
    /// How many deadlines there are, waited for or not.
    registered: Cell<usize>,
    resting: Cell<bool>,
    /// Ends the rest.
    roused: Notify,
}

/// A tick that does not come.
const NEVER: u64 = u64::MAX;

struct Entry {
    /// The tick at which the task is woken.
    due: u64,
    /// None once it has been.
    waker: Option<Waker>,
}

impl Deadlines {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            started: Instant::now(),
            now: Cell::new(0),
            entries: RefCell::default(),
            registered: Cell::new(0),
            resting: Cell::new(false),
            roused: Notify::new(),
        })
    }

    /// Ticks since the worker started; while nobody has a deadline they may be a
    /// second old.
    pub(crate) fn now(&self) -> u64 {
        self.now.get()
    }

    /// The tick at which `after` from now has certainly gone by.
    pub(crate) fn tick_after(&self, after: Duration) -> u64 {
        self.now().saturating_add(ticks_in(after))
    }

    /// A new deadline, disarmed.
    pub(crate) fn register(self: &Rc<Self>) -> Deadline {
        self.registered.set(self.registered.get() + 1);
        self.rouse();
        Deadline {
            deadlines: Rc::clone(self),
            due: Cell::new(NEVER),
            told: Cell::new(None),
        }
    }

    /// Let the clock go on where it rests, showing the time.
    fn rouse(&self) {
        if self.resting.replace(false) {
            self.sweep();
            self.roused.notify_one();
        }
    }

    /// Wait for the next tick and sweep. The clock rests meanwhile where nobody has a
    /// deadline and nobody else needs it.
    pub(crate) async fn pass(&self, is_needed: bool) {
        if is_needed || self.registered.get() > 0 {
            time::sleep_until(self.next_tick().into()).await;
        } else {
            self.resting.set(true);
            // Roused, or looking anyhow.
            let _ = time::timeout(REST, self.roused.notified()).await;
            self.resting.set(false);
        }
        self.sweep();
    }

    /// When the next tick begins, whenever this one was seen: deadlines would be early by
    /// as much as ticks are seen late in turn.
    fn next_tick(&self) -> Instant {
        self.started + since_start(self.now() + 1)
    }

    /// Read the clock and wake every deadline that has passed.
    pub(crate) fn sweep(&self) {
        let now = (self.started.elapsed().as_millis() / TICK.as_millis()) as u64;
        self.sweep_at(now);
    }

    /// Wake every deadline that has passed at this tick.
    pub(crate) fn sweep_at(&self, now: u64) {
        self.now.set(now);
        for (_, entry) in &mut *self.entries.borrow_mut() {
            if entry.due <= now
                && let Some(waker) = entry.waker.take()
            {
                waker.wake();
            }
        }
    }

    /// Wake everyone who waits on a deadline, whether it has passed or not:
    /// how connections learn that the worker drains.
    pub(crate) fn wake_all(&self) {
        for (_, entry) in &*self.entries.borrow() {
            if let Some(waker) = &entry.waker {
                waker.wake_by_ref();
            }
        }
    }
}

/// One deadline; dropping it forgets it.
pub(crate) struct Deadline {
    deadlines: Rc<Deadlines>,
    /// The tick at which it passes; [`NEVER`] while disarmed.
    due: Cell<u64>,
    /// What the sweep was told of it, once somebody has waited.
    told: Cell<Option<Told>>,
}

/// What the sweep was told of a deadline.
#[derive(Clone, Copy)]
struct Told {
    /// Its entry.
    key: usize,
    /// When that is due, at `due` or before: until then it wakes `task`.
    due: u64,
    task: Task,
}

/// Which task a waker wakes: no other one, as long as the sweep has that waker.
#[derive(Clone, Copy)]
struct Task {
    data: *const (),
    vtable: &'static RawWakerVTable,
}

impl Task {
    fn of(waker: &Waker) -> Self {
        Self {
            data: waker.data(),
            vtable: waker.vtable(),
        }
    }

    fn is_of(&self, waker: &Waker) -> bool {
        self.data == waker.data() && std::ptr::eq(self.vtable, waker.vtable())
    }
}

impl Deadline {
    /// Let it pass `after` from now (the coarse now: up to two ticks late).
    pub(crate) fn arm(&self, after: Duration) {
        self.arm_at(self.deadlines.tick_after(after));
    }

    /// Let it pass at a tick of the coarse clock.
    pub(crate) fn arm_at(&self, tick: u64) {
        self.due.set(tick);
        if let Some(told) = self.told.get()
            && tick < told.due
        {
            // Whoever waits need not be the one who arms it, and is not asked again.
            self.deadlines.entries.borrow_mut()[told.key].due = tick;
            self.told.set(Some(Told { due: tick, ..told }));
        }
    }

    /// Whether it is to pass some time.
    pub(crate) fn is_armed(&self) -> bool {
        self.due.get() != NEVER
    }

    /// The present tick of the coarse clock.
    pub(crate) fn now(&self) -> u64 {
        self.deadlines.now()
    }

    /// Let it never pass.
    pub(crate) fn disarm(&self) {
        self.due.set(NEVER);
    }

    /// Ready once it has passed; otherwise the task is woken when it does.
    pub(crate) fn poll_passed(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_passed_or(cx, NEVER)
    }

    /// The same, with the task woken at a tick to come as well, by which it has something
    /// else to see to.
    pub(crate) fn poll_passed_or(&self, cx: &Context<'_>, tick: u64) -> Poll<()> {
        let (due, now) = (self.due.get(), self.deadlines.now());
        if due <= now {
            return Poll::Ready(());
        }
        let due = match now < tick {
            true => due.min(tick),
            false => due,
        };
        let wakes = |told: Told| now < told.due && told.due <= due && told.task.is_of(cx.waker());
        if !self.told.get().is_some_and(wakes) {
            self.tell(due, cx.waker());
        }
        Poll::Pending
    }

    /// Tell the sweep whom to wake, and when.
    fn tell(&self, due: u64, waker: &Waker) {
        let entry = Entry {
            due,
            waker: Some(waker.clone()),
        };
        let mut entries = self.deadlines.entries.borrow_mut();
        let key = match self.told.get() {
            Some(told) => {
                entries[told.key] = entry;
                told.key
            }
            None => entries.insert(entry),
        };
        let task = Task::of(waker);
        self.told.set(Some(Told { key, due, task }));
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
        let deadlines = &self.deadlines;
        deadlines.registered.set(deadlines.registered.get() - 1);
        if let Some(told) = self.told.get() {
            deadlines.entries.borrow_mut().remove(told.key);
        }
    }
}

/// The deadline passed first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passed;

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

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
        for (more, ticks) in [(Duration::ZERO, 1), (Duration::from_nanos(1), 2)] {
            let tick = deadlines.tick_after(TICK + more);
            assert_eq!(tick, 7 + ticks + 1, "a tick and {more:?}");
        }
        assert_eq!(deadlines.tick_after(Duration::MAX), u64::MAX);
    }

    #[test]
    fn dropping_a_deadline_forgets_it() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        assert!(!is_passed(&deadline));
        assert_eq!(deadlines.entries.borrow().len(), 1);
        drop(deadline);
        assert!(deadlines.entries.borrow().is_empty());
    }

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_is_woken_in_time_however_often_the_deadline_is_moved() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let task = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&task));
        let waits = || {
            let cx = Context::from_waker(&waker);
            deadline.poll_passed(&cx).is_pending()
        };
        let wakes_at = |tick| {
            deadlines.sweep_at(tick);
            task.0.swap(0, Ordering::Relaxed) == 1
        };
        deadline.arm_at(3);
        assert!(waits());
        deadline.arm_at(9);
        assert!(waits() && !wakes_at(2));
        // Put off while it was waited for, it wakes too early, once.
        assert!(wakes_at(3) && waits());
        assert!(!wakes_at(4) && !wakes_at(5));
        // Brought forward, it is not waited for anew.
        deadline.disarm();
        deadline.arm_at(20);
        deadline.arm_at(7);
        assert!(!wakes_at(6) && wakes_at(7) && !waits());
        deadline.arm_at(20);
        assert!(waits());
        deadlines.wake_all();
        assert!(wakes_at(19), "everyone was woken");
        assert!(wakes_at(20) && !waits());
    }

    #[test]
    fn who_has_something_else_to_see_to_is_woken_for_that_too_once() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let task = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&task));
        let waits = |tick| {
            let cx = Context::from_waker(&waker);
            deadline.poll_passed_or(&cx, tick).is_pending()
        };
        let wakes_at = |tick| {
            deadlines.sweep_at(tick);
            task.0.swap(0, Ordering::Relaxed) == 1
        };
        assert!(waits(2) && !wakes_at(1) && wakes_at(2));
        deadline.arm_at(5);
        assert!(waits(2) && !wakes_at(3), "what is over is not waited for");
        assert!(wakes_at(5) && !waits(2));
    }

    #[test]
    fn another_task_that_waits_is_woken_instead() {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        deadline.arm_at(2);
        let tasks = [(); 2].map(|()| Arc::new(Counting::default()));
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            let cx = Context::from_waker(&waker);
            assert!(deadline.poll_passed(&cx).is_pending());
        }
        deadlines.sweep_at(2);
        let woken = tasks.map(|task| task.0.load(Ordering::Relaxed));
        assert_eq!(woken, [0, 1]);
    }

    #[tokio::test]
    async fn the_clock_rests_until_somebody_has_a_deadline() {
        let deadlines = Deadlines::new();
        fn goes_by(pass: Pin<&mut impl Future<Output = ()>>) -> bool {
            let mut cx = Context::from_waker(Waker::noop());
            pass.poll(&mut cx).is_ready()
        }
        let rests_while = |is_needed| {
            deadlines.resting.set(false);
            !goes_by(pin!(deadlines.pass(is_needed))) && deadlines.resting.get()
        };
        assert!(!rests_while(true) && rests_while(false));

        let mut pass = pin!(deadlines.pass(false));
        assert!(!goes_by(pass.as_mut()) && deadlines.resting.get());
        std::thread::sleep(TICK);
        let before = deadlines.now();
        let deadline = deadlines.register();
        assert!(deadlines.now() > before, "the clock was read");
        assert!(goes_by(pass.as_mut()), "it was roused");

        assert!(!rests_while(false), "there is a deadline");
        drop(deadline);
        assert!(rests_while(false));
    }

    #[tokio::test]
    async fn ticks_begin_when_they_would_whenever_the_clock_is_read() {
        let deadlines = Deadlines::new();
        std::thread::sleep(TICK * 3 / 2);
        deadlines.sweep();
        let now = deadlines.now();
        let next = deadlines.next_tick();
        assert_eq!(next - deadlines.started, since_start(now + 1));
        tokio::select! {
            biased;
            () = deadlines.pass(true) => {}
            () = time::sleep_until((next + TICK / 3).into()) => panic!("it began long ago"),
        }
        assert!(Instant::now() >= next && deadlines.now() > now);
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
