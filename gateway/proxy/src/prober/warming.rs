//! Slow start, as the prober drives it: endpoints that were added or have
//! recovered come to their whole share step by step.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use gatewright_model::endpoint::EndpointState;

/// From one step to the next.
pub(super) const STEP: Duration = Duration::from_millis(50);

/// Endpoints that take less than their share.
#[derive(Default)]
pub(super) struct Warming(HashMap<*const EndpointState, Ramp>);

/// One endpoint's way.
struct Ramp {
    state: Weak<EndpointState>,
    since: Instant,
    over: Duration,
}

impl Warming {
    /// Let an endpoint begin, or begin again.
    pub(super) fn begin(&mut self, state: &Arc<EndpointState>, over: Duration) {
        state.warmth.begin();
        let ramp = Ramp {
            state: Arc::downgrade(state),
            since: Instant::now(),
            over,
        };
        self.0.insert(Arc::as_ptr(state), ramp);
    }

    /// Let an endpoint take all of its share at once.
    pub(super) fn end(&mut self, state: &Arc<EndpointState>) {
        self.0.remove(&Arc::as_ptr(state));
        state.warmth.finish();
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Go one step further with each.
    pub(super) fn step(&mut self) {
        let now = Instant::now();
        self.0.retain(|_, ramp| {
            let state = ramp.state.upgrade();
            state.is_some_and(|state| state.warmth.rise(now - ramp.since, ramp.over))
        });
    }
}
