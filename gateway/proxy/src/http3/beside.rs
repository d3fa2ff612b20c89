//! What is known of a request's stream beside the library.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use quinn::{Connection, SendStream, StoppedError, VarInt};

/// What is known of a request's stream beside the library.
pub(super) struct Beside {
    /// Ready when the client wants no (more) answer, or has all of it.
    pub(super) stopped: Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>>>>,
    pub(super) given: Rc<Given>,
    quic: Connection,
}

/// What belongs to the request that was accepted last, until it is taken.
pub(super) type Latest = Rc<RefCell<Option<Beside>>>;

impl Beside {
    /// What is known of a stream of this connection.
    pub(super) fn of(quic: &Connection, sending: &SendStream, given: Rc<Given>) -> Self {
        Self {
            stopped: Box::pin(sending.stopped()),
            given,
            quic: quic.clone(),
        }
    }

    /// How often the client has acknowledged anything on the connection.
    pub(super) fn acknowledged(&self) -> u64 {
        self.quic.stats().frame_rx.acks
    }
}

/// How much of a body the library has been given that its reader has not taken.
#[derive(Default)]
pub(super) struct Given(Cell<usize>);

impl Given {
    /// So much is given.
    pub(super) fn gives(&self, length: usize) {
        self.0.set(length);
    }

    /// So much has been taken.
    pub(super) fn taken(&self, length: usize) {
        self.0.set(self.0.get().saturating_sub(length));
    }

    /// Whether there is a piece that has not been taken.
    pub(super) fn is_held(&self) -> bool {
        self.0.get() > 0
    }
}
