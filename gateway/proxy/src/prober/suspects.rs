//! What workers tell the prober of endpoints: by messages, which they never wait
//! for.

use std::sync::Arc;

use gatewright_model::circuit::Turn;
use gatewright_model::endpoint::EndpointState;
use tokio::sync::mpsc;

/// Reports of suspects that may wait; more are dropped, since the interval
/// finds them too.
const MOST_SUSPECTS: usize = 64;

/// Where workers report endpoints that cannot be connected to, so that they
/// are checked at once, and circuits that have opened or closed.
#[derive(Clone)]
pub struct Suspects {
    suspects: mpsc::Sender<Arc<EndpointState>>,
    /// None is lost, since an open circuit waits for the prober. There are never
    /// many: a circuit turns only once in the time that it stays open.
    turned: mpsc::UnboundedSender<Turned>,
}

/// An endpoint's circuit has turned.
pub(crate) struct Turned {
    pub(super) state: Arc<EndpointState>,
    pub(super) turn: Turn,
}

/// The prober's side of it.
pub(super) struct Reports {
    pub(super) suspects: mpsc::Receiver<Arc<EndpointState>>,
    pub(super) turned: mpsc::UnboundedReceiver<Turned>,
}

impl Suspects {
    pub(super) fn new() -> (Self, Reports) {
        let (suspects, suspects_inbox) = mpsc::channel(MOST_SUSPECTS);
        let (turned, turned_inbox) = mpsc::unbounded_channel();
        let reports = Reports {
            suspects: suspects_inbox,
            turned: turned_inbox,
        };
        (Self { suspects, turned }, reports)
    }

    pub(crate) fn report(&self, endpoint: &Arc<EndpointState>) {
        // A full queue means that the prober has enough to look at.
        let _ = self.suspects.try_send(Arc::clone(endpoint));
    }

    pub(crate) fn turned(&self, state: &Arc<EndpointState>, turn: Turn) {
        let state = Arc::clone(state);
        // Without a prober the gateway is ending.
        let _ = self.turned.send(Turned { state, turn });
    }
}
