//! How many faults are too many: the window over which a binding's faults are
//! counted, all workers together.

use std::collections::VecDeque;
use std::time::Duration;

use crate::fault::Fault;

/// How long a fault counts.
const WINDOW: Duration = Duration::from_secs(10);

/// So many faults within the window and the version is quarantined.
const FAULTS: usize = 5;

/// So many overruns do it already: each costs a worker its whole deadline.
const OVERRUNS: usize = 3;

/// The faults of the last ten seconds.
#[derive(Debug, Default)]
pub(crate) struct FaultWindow {
    faults: VecDeque<(Duration, Fault)>,
}

impl FaultWindow {
    /// Count a fault; returns whether they are too many now.
    pub(crate) fn add(&mut self, fault: Fault, now: Duration) -> bool {
        while let Some((at, _)) = self.faults.front() {
            if now.saturating_sub(*at) <= WINDOW {
                break;
            }
            self.faults.pop_front();
        }
        self.faults.push_back((now, fault));
        let overruns = self
            .faults
            .iter()
            .filter(|(_, fault)| *fault == Fault::Overran);
        let too_many = self.faults.len() >= FAULTS || overruns.count() >= OVERRUNS;
        if self.faults.len() > FAULTS {
            self.faults.pop_front();
        }
        too_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_fifth_fault_within_ten_seconds_is_too_many() {
        let mut window = FaultWindow::default();
        for fault in 0..4 {
            assert!(!window.add(Fault::Trapped, SECOND * fault));
        }
        assert!(window.add(Fault::Trapped, SECOND * 9));
    }

    #[test]
    fn the_third_overrun_is_too_many() {
        let mut window = FaultWindow::default();
        assert!(!window.add(Fault::Overran, SECOND));
        assert!(!window.add(Fault::Overran, SECOND));
        assert!(window.add(Fault::Overran, SECOND));
    }

    #[test]
    fn faults_far_apart_never_are() {
        let mut window = FaultWindow::default();
        assert!((0..100).all(|fault| !window.add(Fault::Trapped, SECOND * 3 * fault)));
    }
}
