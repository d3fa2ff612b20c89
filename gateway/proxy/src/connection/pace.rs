//! How much of a response over HTTP/1.1 is read before it is written.
//!
//! hyper writes when a body has nothing more for it, or when as much waits as the longest
//! head may have, which is `limits.request_head`: 64 KiB by default. A long body that comes
//! fast is then read and written in such bursts, and a megabyte takes half as much CPU time
//! again as in smaller ones.

use std::cell::Cell;

/// What a body may have given before it waits until that is written: so much that 16 KiB
/// go out together with their head.
const PIECE: usize = 32 * 1024;

/// What the bodies of a connection have given that hyper has not begun to write.
#[derive(Default)]
pub(crate) struct Pace {
    given: Cell<usize>,
    /// Whether a body waits on that account, whom nobody else wakes.
    is_held: Cell<bool>,
}

impl Pace {
    /// Whether the body is to wait until what it has given is written.
    pub(crate) fn holds(&self) -> bool {
        let holds = self.given.get() >= PIECE;
        self.is_held.set(holds);
        holds
    }

    /// The body has given so many bytes.
    pub(crate) fn gave(&self, bytes: usize) {
        self.given.set(self.given.get() + bytes);
    }

    /// Some of what was given has been written. The rest of it counts no more: where the
    /// client does not take that, hyper has it wait, and more behind it up to its limit.
    pub(crate) fn wrote(&self) {
        self.given.set(0);
    }

    /// Whether a body that was held can be asked again.
    pub(crate) fn goes_on(&self) -> bool {
        self.given.get() == 0 && self.is_held.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_waits_for_what_it_gave_and_for_no_longer() {
        let pace = Pace::default();
        pace.gave(PIECE - 1);
        assert!(!pace.holds());
        assert!(!pace.goes_on(), "nobody waits");
        pace.gave(1);
        assert!(pace.holds());
        assert!(!pace.goes_on(), "nothing is written yet");
        pace.wrote();
        assert!(pace.goes_on());
        assert!(!pace.goes_on(), "it has been asked again");
        assert!(!pace.holds());
    }
}
