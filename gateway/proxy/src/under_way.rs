//! What a worker does beside passing requests and answers on, and has only so much of
//! under way at once: what is slow must not gather memory without end.

use std::cell::Cell;
use std::rc::Rc;

use crate::worker::Worker;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// A copy of a request, with its body, for a second pool.
    Copy,
    /// Asking whether a kept answer is still right while it is used.
    Refresh,
    /// Reading what nobody waits for.
    Reading,
    /// Compressing a body.
    Compressing,
}

impl Work {
    const KINDS: usize = 4;

    /// How many there may be on a worker.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::Copy | Self::Refresh | Self::Compressing => 128,
            Self::Reading => 256,
        }
    }
}

/// How many there are.
#[derive(Debug, Default)]
pub(crate) struct Counts([Cell<usize>; Work::KINDS]);

/// The guard of one.
pub(crate) struct UnderWay {
    worker: Rc<Worker>,
    work: Work,
}

impl UnderWay {
    /// Count one in, unless there are too many.
    pub(crate) fn begin(worker: &Rc<Worker>, work: Work) -> Option<Self> {
        let count = &worker.under_way.0[work as usize];
        if count.get() >= work.most() {
            return None;
        }
        count.set(count.get() + 1);
        Some(Self {
            worker: Rc::clone(worker),
            work,
        })
    }

    /// Whose it is.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let count = &self.worker.under_way.0[self.work as usize];
        count.set(count.get() - 1);
    }
}
