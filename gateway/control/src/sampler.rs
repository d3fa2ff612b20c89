//! Looking at the figures once a second: what is only known by comparing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use crate::control::Control;
use crate::events::Happened;
use crate::overview::gather;

/// How often.
const PERIOD: Duration = Duration::from_secs(1);

/// Take the figures in, sound the alarm about heavy plugins, and look after the roster of servers, for ever.
pub(crate) async fn sample(control: Arc<Control>) {
    let mut snapshots = control.publisher.subscribe();
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => look(&control),
            changed = snapshots.changed() => if changed.is_err() { return },
        }
        let snapshot = Arc::clone(&snapshots.borrow_and_update().snapshot);
        control.roster.look(&snapshot);
    }
}

fn look(control: &Control) {
    let now = Instant::now();
    let (plan, snapshot) = (control.publisher.plan(), control.publisher.snapshot());
    let turns = control.burdens.look(plan.bindings(), &snapshot.config, now);
    for turn in turns {
        control.events.push(Happened::Burdened(turn));
    }
    control.series.take_in(gather(control), now);
}
