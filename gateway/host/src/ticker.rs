//! The clock of budgets: a thread that advances the engine's epoch every few
//! milliseconds while decisions are being made, and hardly ever when there are
//! none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmtime::Engine;

use crate::simulated::Simulated;

/// The length of a tick in milliseconds. On a machine whose processors are all
/// busy each tick interrupts a worker: at 1 ms that was seen to take 3 % of it.
pub(crate) const TICK_MS: u64 = 4;

const TICK: Duration = Duration::from_millis(TICK_MS);

/// Ticks without a decision after which the thread rests. Calls that may take
/// as long or longer say so.
const IDLE_TICKS: u64 = 25;

/// The length of a tick while resting. It goes on ticking, because a worker may
/// have been held up between saying that a call begins and making it: such a
/// call is stopped late, but it is stopped.
const RESTING_TICK: Duration = Duration::from_millis(100);

/// What the clock of a running host shows at its start: so old may be what it takes
/// back from the process before it. A simulation's begins at zero.
const BEGINNING: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Ticking slowly.
const RESTING: u8 = 0;
/// Ticking; no decision since the last look.
const IDLE: u8 = 1;
/// Ticking; a decision came since the last look.
const BUSY: u8 = 2;

/// The ticker as workers see it.
#[derive(Debug)]
pub(crate) struct Ticker {
    state: AtomicU8,
    ticks: AtomicU64,
    awake_until: AtomicU64,
    stopped: AtomicBool,
    started: Instant,
    coarse_ms: AtomicU64,
    /// Whose time it shows in place of the machine's. Budgets go by the
    /// machine's all the same.
    simulated: Option<Arc<Simulated>>,
}

impl Ticker {
    fn new(simulated: Option<Arc<Simulated>>) -> Self {
        Self {
            state: AtomicU8::new(RESTING),
            ticks: AtomicU64::new(0),
            awake_until: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            started: Instant::now(),
            coarse_ms: AtomicU64::new(0),
            simulated,
        }
    }

    /// How long the host has been running.
    pub(crate) fn now(&self) -> Duration {
        match &self.simulated {
            None => BEGINNING + self.started.elapsed(),
            Some(simulated) => simulated.now(),
        }
    }

    /// The same in milliseconds, a tick or two late: free to ask for.
    pub(crate) fn coarse_ms(&self) -> u64 {
        match &self.simulated {
            None => self.coarse_ms.load(Ordering::Relaxed),
            Some(simulated) => simulated.now().as_millis() as u64,
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        if let Some(simulated) = &self.simulated {
            return simulated.unix_ms();
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        since_1970.map_or(0, |elapsed| elapsed.as_millis() as u64)
    }

    /// Whose time and randomness it is, if it is not the machine's.
    pub(crate) fn simulated(&self) -> Option<&Simulated> {
        self.simulated.as_deref()
    }

    fn set_coarse(&self) {
        let now = self.now().as_millis() as u64;
        self.coarse_ms.store(now, Ordering::Relaxed);
    }
}

/// The ticker's thread; it ends with this handle.
#[derive(Debug)]
pub(crate) struct TickerThread {
    ticker: Arc<Ticker>,
    thread: JoinHandle<()>,
}

impl TickerThread {
    /// Start it for an engine, to show the machine's time or a simulation's.
    pub(crate) fn start(
        engine: Engine,
        simulated: Option<Arc<Simulated>>,
    ) -> std::io::Result<Self> {
        let ticker = Arc::new(Ticker::new(simulated));
        let ticking = Arc::clone(&ticker);
        let thread = thread::Builder::new()
            .name("gatewright-epoch".to_owned())
            .spawn(move || tick(&ticking, &engine))?;
        Ok(Self { ticker, thread })
    }

    /// What it shows to everyone.
    pub(crate) fn ticker(&self) -> &Ticker {
        &self.ticker
    }

    /// Whether it need not be told that a call begins which may take so many ticks:
    /// one relaxed load.
    pub(crate) fn is_awake(&self, ticks: u64) -> bool {
        ticks < IDLE_TICKS && self.ticker.state.load(Ordering::Relaxed) == BUSY
    }

    /// A call begins that may take so many ticks: one relaxed load while others
    /// came lately.
    pub(crate) fn begin(&self, ticks: u64) {
        if ticks >= IDLE_TICKS {
            // Counted in ticks, as the deadline is: on a busy machine they are
            // longer than they should be.
            let until = self.ticker.ticks.load(Ordering::Relaxed) + ticks;
            self.ticker.awake_until.fetch_max(until, Ordering::Relaxed);
        }
        if self.ticker.state.load(Ordering::Relaxed) != BUSY {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if self.ticker.state.swap(BUSY, Ordering::AcqRel) == RESTING {
            self.ticker.set_coarse();
            self.thread.thread().unpark();
        }
    }
}

impl Drop for TickerThread {
    fn drop(&mut self) {
        self.ticker.stopped.store(true, Ordering::Release);
        self.thread.thread().unpark();
    }
}

fn tick(ticker: &Ticker, engine: &Engine) {
    while !ticker.stopped.load(Ordering::Acquire) {
        match ticker.state.load(Ordering::Acquire) {
            RESTING => thread::park_timeout(RESTING_TICK),
            _ => thread::sleep(TICK),
        }
        engine.increment_epoch();
        ticker.set_coarse();
        let ticks = ticker.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        if ticks.is_multiple_of(IDLE_TICKS) {
            let until = ticker.awake_until.load(Ordering::Relaxed);
            look(&ticker.state, until >= ticks);
        }
    }
}

/// Busy becomes idle, and idle comes to rest, unless a decision came between.
fn look(state: &AtomicU8, awake: bool) {
    let order = Ordering::AcqRel;
    if awake
        || state
            .compare_exchange(BUSY, IDLE, order, Ordering::Relaxed)
            .is_ok()
    {
        return;
    }
    // Where this fails, a decision has just made it busy again.
    let _ = state.compare_exchange(IDLE, RESTING, order, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rests_only_after_a_whole_round_without_a_decision() {
        let state = AtomicU8::new(BUSY);
        look(&state, false);
        assert_eq!(state.load(Ordering::Relaxed), IDLE);
        look(&state, true);
        assert_eq!(state.load(Ordering::Relaxed), IDLE);
        look(&state, false);
        assert_eq!(state.load(Ordering::Relaxed), RESTING);
    }

    #[test]
    fn it_stays_awake_for_a_long_call() {
        let engine = crate::engine::engine().unwrap();
        let thread = TickerThread::start(engine, None).unwrap();
        thread.begin(5 * IDLE_TICKS);
        let ticker = thread.ticker();
        let patience = Instant::now() + Duration::from_secs(60);
        while ticker.state.load(Ordering::Relaxed) != RESTING {
            assert!(Instant::now() < patience, "it never rests");
            thread::sleep(TICK);
        }
        assert!(ticker.ticks.load(Ordering::Relaxed) >= 5 * IDLE_TICKS);
    }

    #[test]
    fn a_decision_wakes_it() {
        let engine = crate::engine::engine().unwrap();
        let thread = TickerThread::start(engine, None).unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        for _ in 0..2 {
            let before = thread.ticker().coarse_ms();
            thread.begin(2);
            while thread.ticker().coarse_ms() <= before {
                assert!(Instant::now() < patience, "no tick came");
                thread::yield_now();
            }
            while thread.ticker().state.load(Ordering::Relaxed) != RESTING {
                assert!(Instant::now() < patience, "it never rests");
                thread::sleep(TICK);
            }
        }
    }
}
