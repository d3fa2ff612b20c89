//! How a worker's instance comes to be recorded: a fresh one takes over, whose
//! whole life is on the tape.

use std::sync::Arc;

use super::Occupant;
use crate::instance::Instance;
use crate::preparer::Mailbox;
use crate::recording::Recording;

impl Occupant {
    /// Record this binding's decisions, if they are what is to be recorded.
    pub(crate) fn record(&mut self, recording: &Arc<Recording>) {
        // One that a later one ended may be heard of after that.
        let is_over = recording.is_over(self.binding.now());
        if recording.is_of(&self.binding) && !is_over {
            self.stop_recording();
            self.recording = Some(Arc::clone(recording));
        }
    }

    /// The same binding has another instance: it is recorded from its beginning.
    pub(super) fn go_on_recording(&mut self, past: &mut Self) {
        if let Some(recording) = past.recording.take() {
            self.record(&recording);
        }
    }

    /// Before a decision while it is recorded: see to it that the instance is one
    /// whose whole life is on the tape, and end when it is over.
    #[cold]
    pub(super) fn keep_recording(&mut self) {
        let now = self.binding.now();
        let Some(recording) = self.recording.as_ref().filter(|one| !one.is_over(now)) else {
            self.stop_recording();
            return;
        };
        let is_taped = |instance: &mut Instance| {
            let recorder = instance.recorder();
            recorder.is_some_and(|recorder| recorder.writes_to(recording))
        };
        if self.instance.as_mut().is_none_or(is_taped) {
            return;
        }
        let Some(understudy) = &self.understudy else {
            // What is made now is recorded from its beginning.
            self.understudy = Some(self.ordered(Mailbox::of_understudy()));
            return;
        };
        let Some(mut instance) = understudy.take() else {
            if understudy.is_given_up() {
                self.stop_recording();
            }
            return;
        };
        self.understudy = None;
        instance.show(&self.snapshot, self.pool.as_ref());
        // The one that there is goes on where that does not work.
        match self.hand_over(&mut instance) {
            true => self.instance = Some(instance),
            false => self.stop_recording(),
        }
    }

    #[cold]
    pub(super) fn begin_recorded(&mut self) {
        if let Some(recorder) = self.instance.as_mut().and_then(Instance::recorder) {
            recorder.begin();
        }
    }

    fn stop_recording(&mut self) {
        if self.recording.take().is_some() {
            // An instance that is being made would write to it all its life.
            self.mailbox = None;
        }
        self.understudy = None;
        if let Some(instance) = &mut self.instance {
            instance.stop_recording();
        }
    }
}
