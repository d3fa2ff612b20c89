//! When it is looked whether a client has left that waits for its answer.

use std::cell::Cell;

use crate::worker::Worker;

/// Until when the look is put off. Most first requests are answered in a moment, and many
/// connections closed, of which the runtime need never hear. It is put off no longer once
/// the answer is known to take more time: while its request waits before a server has it,
/// as no server is to hear of a client that has left by then, and when its body stands
/// still.
#[derive(Default)]
pub(crate) struct Look {
    /// The tick at which the task is to look, which nobody tells it before.
    due: Cell<u64>,
    /// What [`Worker::delays`] said when the task was woken.
    delays: Cell<u64>,
}

impl Look {
    /// Look in a moment, and not before.
    pub(crate) fn put_off(&self, worker: &Worker) {
        self.due.set(worker.deadlines.now() + 1);
    }

    /// The body of the answer stands still.
    pub(super) fn stalls(&self) {
        self.due.set(0);
    }

    /// The task has been woken.
    pub(crate) fn wakes(&self, worker: &Worker) {
        self.delays.set(worker.delays());
    }

    /// Whether it is not yet time.
    pub(crate) fn is_put_off(&self, worker: &Worker) -> bool {
        self.due.get() > worker.deadlines.now() && self.delays.get() == worker.delays()
    }

    /// The tick at which the task has to be woken for it, if that is still to come.
    pub(super) fn due(&self) -> u64 {
        self.due.get()
    }
}
