//! An instance whose calls are written down.

use gatewright_model::id::Slot;

use super::{Failure, Instance};
use crate::recording::{Call, Pick, Recorder, Tape};
use crate::view::{ExchangeView, Lent};

impl Instance {
    /// What its questions are written to, or answered from.
    pub(crate) fn tape(&mut self) -> Option<&mut Tape> {
        self.store.data_mut().tape.as_deref_mut()
    }

    /// Who writes its calls down, if they are.
    pub(crate) fn recorder(&mut self) -> Option<&mut Recorder> {
        self.tape()?.recorder()
    }

    /// Write its calls down no more.
    pub(crate) fn stop_recording(&mut self) {
        self.store.data_mut().tape = None;
    }

    /// Write a decision down that was made with this load.
    pub(crate) fn note_pick(
        &mut self,
        (key, load): (u64, &[u32]),
        lent: &Lent,
        answer: &Result<Option<u32>, Failure>,
    ) {
        let guest = self.store.data_mut();
        let times = guest.response_times();
        let at_ns = guest.binding.now().as_nanos() as u64;
        let Some(recorder) = guest.tape.as_deref_mut().and_then(Tape::recorder) else {
            return;
        };
        let view = lent.as_deref();
        let tried = view.map_or(&[] as &[Slot], ExchangeView::tried);
        recorder.end(at_ns, || Pick {
            key,
            attempt: view.map_or(1, ExchangeView::attempt),
            tried: tried.iter().map(|slot| slot.0).collect(),
            load: load.to_vec(),
            times,
            answer: answer.as_ref().ok().copied().flatten(),
            fault: answer.as_ref().err().map(|why| why.fault.to_string()),
        });
    }

    /// Write down a call that is over, if its calls are.
    pub(super) fn note(&mut self, call: impl FnOnce() -> Call) {
        let guest = self.store.data_mut();
        if let Some(recorder) = guest.tape.as_deref_mut().and_then(Tape::recorder) {
            recorder.write(guest.binding.now().as_nanos() as u64, call());
        }
    }
}
