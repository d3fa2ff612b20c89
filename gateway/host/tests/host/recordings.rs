//! What is recorded of a seat's decisions, and for how long.

use std::time::{Duration, Instant};

use gatewright_host::{Recording, RecordingOptions};
use gatewright_model::id::Slot;

use crate::support::{Rig, picking};

/// Decide until there is a decision in a recording.
fn fills(rig: &mut Rig, recording: &Recording) {
    let patience = Instant::now() + Duration::from_secs(60);
    while recording.decisions() == 0 {
        assert!(Instant::now() < patience, "nothing is recorded");
        assert_eq!(rig.pick(0), Ok(Some(Slot(1))));
        std::thread::yield_now();
    }
}

/// Its lines before the last one, which says that it is the last.
fn lines(recording: &Recording) -> usize {
    recording.text().lines().count() - 1
}

#[test]
fn a_later_recording_takes_over_and_a_discarded_one_holds_nothing() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 1)"));
    let options = RecordingOptions {
        sample: 100,
        length: Duration::from_secs(600),
        bytes: 1 << 20,
        key: [7; 32],
    };
    let early = Recording::new(rig.balancer().binding(), &options);
    let late = Recording::new(rig.balancer().binding(), &options);
    rig.balancer().record(&early);
    fills(&mut rig, &early);
    rig.balancer().record(&late);
    let recorded = lines(&early);
    fills(&mut rig, &late);
    assert_eq!(lines(&early), recorded);
    // The header, what a new instance is told, and the decision.
    assert!(lines(&late) >= 5, "{}", late.text());

    late.discard();
    assert_eq!(lines(&late), 1);
    assert_eq!(rig.pick(0), Ok(Some(Slot(1))));
    assert_eq!(lines(&late), 1);
    // One that is over is not begun again.
    early.close();
    rig.balancer().record(&early);
    assert_eq!(rig.pick(0), Ok(Some(Slot(1))));
    assert_eq!(lines(&early), recorded);
}
