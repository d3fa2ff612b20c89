//! What seats, bindings and the preparer share of a host.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use wasmtime::Engine;

use crate::binding::Terms;
use crate::event::HostEvent;
use crate::instance::Budget;
use crate::preparer::Order;
use crate::replica::Replica;
use crate::simulated::Simulated;
use crate::spread::Spread;
use crate::ticker::TickerThread;

/// Events that a receiver may leave unread; more are dropped for it.
const EVENT_BACKLOG: usize = 256;

/// What seats, bindings and the preparer share of a host.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) ticker: TickerThread,
    orders: Sender<Order>,
    listeners: Mutex<Vec<SyncSender<HostEvent>>>,
    quarantined: Mutex<HashSet<Terms>>,
    replica: OnceLock<Arc<Replica>>,
}

impl Shared {
    /// The shared part of a new host.
    pub(crate) fn new(engine: Engine, ticker: TickerThread, orders: Sender<Order>) -> Self {
        Self {
            engine,
            ticker,
            orders,
            listeners: Mutex::default(),
            quarantined: Mutex::default(),
            replica: OnceLock::new(),
        }
    }

    /// How long the host has been running.
    pub(crate) fn now(&self) -> Duration {
        self.ticker.ticker().now()
    }

    /// What is shared with other gateways, where there are any.
    pub(crate) fn replica(&self) -> Option<Arc<Replica>> {
        self.replica.get().cloned()
    }

    /// Share what plugins keep from the next plan on; the first one to ask is heeded.
    pub(crate) fn share(&self, wake: Box<dyn Fn() + Send + Sync>) -> Arc<Replica> {
        let ticker = self.ticker.ticker();
        let replica = || Arc::new(Replica::new(ticker.now(), ticker.unix_ms(), wake));
        Arc::clone(self.replica.get_or_init(replica))
    }

    /// The randomness of a new instance. A trial's is nobody's business: whether
    /// there is one depends on what the machine has seen before.
    pub(crate) fn generator(&self, on_trial: bool) -> fastrand::Rng {
        match self.ticker.ticker().simulated() {
            Some(_) if on_trial => fastrand::Rng::with_seed(0),
            Some(simulated) => simulated.generator(),
            None => fastrand::Rng::new(),
        }
    }

    /// What spreads the keys of a new table.
    pub(crate) fn spread(&self) -> Spread {
        let simulated = self.ticker.ticker().simulated();
        simulated.map_or_else(Spread::default, Simulated::spread)
    }

    /// How long a preparation is taken to have taken: none at all in a
    /// simulation, where what follows from it must be the same each time.
    pub(crate) fn as_if(&self, took: Duration) -> Duration {
        match self.ticker.ticker().simulated() {
            Some(_) => Duration::ZERO,
            None => took,
        }
    }

    /// How long a call may take that usually may take so long.
    pub(crate) fn budget(&self, usual: Budget) -> Budget {
        match self.ticker.ticker().simulated() {
            Some(_) => Budget::IN_SIMULATION,
            None => usual,
        }
    }

    /// Have an instance made aside.
    pub(crate) fn order(&self, order: Order) {
        // The preparer lives as long as this sender does; were it gone, the
        // seat would stay vacant, which is counted.
        let _ = self.orders.send(order);
    }

    /// A receiver of events from now on.
    pub(crate) fn listen(&self) -> Receiver<HostEvent> {
        let (sender, receiver) = sync_channel(EVENT_BACKLOG);
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sender);
        receiver
    }

    /// Tell whoever listens; never waits for one that does not read.
    pub(crate) fn tell(&self, event: &HostEvent) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| {
            let sent = listener.try_send(event.clone());
            !matches!(sent, Err(TrySendError::Disconnected(_)))
        });
    }

    /// Keep in mind that a version is not to be seated so again.
    pub(crate) fn remember_quarantined(&self, terms: &Terms) {
        let mut known = self
            .quarantined
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(terms.clone());
    }

    /// Whether a version was quarantined in this place on the same terms.
    pub(crate) fn is_quarantined(&self, terms: &Terms) -> bool {
        let known = self
            .quarantined
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.contains(terms)
    }
}
