//! All that decides what may become of a circuit, in one number.

/// The phase, the number of the opening, and what trials there may be, in one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Word(pub(super) u64);

impl Word {
    const PHASE: u64 = 0b11;
    pub(super) const CLOSED: u64 = 0b00;
    pub(super) const OPEN: u64 = 0b01;
    /// Half-open, and nobody is on trial.
    pub(super) const WAITING: u64 = 0b10;
    /// Half-open, and one is on trial.
    pub(super) const TRYING: u64 = 0b11;
    /// Whether any request may be on trial, not only one that may be repeated.
    pub(super) const ANY: u64 = 0b100;
    const OPENING: u32 = 3;

    pub(super) fn new(opening: u64, phase: u64) -> Self {
        Self(opening << Self::OPENING | phase)
    }

    pub(super) fn phase(self) -> u64 {
        self.0 & Self::PHASE
    }

    pub(super) fn opening(self) -> u64 {
        self.0 >> Self::OPENING
    }

    pub(super) fn with_phase(self, phase: u64) -> Self {
        Self(self.0 & !Self::PHASE | phase)
    }

    pub(super) fn takes(self, may_repeat: bool) -> bool {
        self.phase() == Self::WAITING && (may_repeat || self.0 & Self::ANY != 0)
    }

    /// What follows a trial of this opening, if it is still under way.
    pub(super) fn after_trial(self, opening: u64, next: Self) -> Option<Self> {
        (self.phase() == Self::TRYING && self.opening() == opening).then_some(next)
    }
}
