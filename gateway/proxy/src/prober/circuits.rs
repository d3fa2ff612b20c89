//! What follows when a circuit has turned: how long it stays open, and when it
//! is half-open.

use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Duration;

use gatewright_model::circuit::{Phase, Turn};
use gatewright_model::endpoint::EndpointState;
use gatewright_model::pool::Pool;

use super::news::{About, Teller};

/// Tell of it, and see to what comes next.
pub(super) fn follow(teller: &Rc<Teller>, about: About, state: &Arc<EndpointState>, turn: Turn) {
    match turn {
        Turn::Closed => {
            let reason = "a request that was let through succeeded".into();
            teller.circuit(&about, Phase::Closed, reason);
        }
        Turn::Opened {
            opening,
            time,
            cause,
        } => {
            let reason = format!("{cause}; it gets none for {time:?}");
            teller.circuit(&about, Phase::Open, reason);
            let opened = Opened {
                teller: Rc::clone(teller),
                about,
                state: Arc::downgrade(state),
                opening,
            };
            tokio::task::spawn_local(opened.wait(time));
        }
    }
}

/// One opening of a circuit. It keeps no endpoint that is gone otherwise.
struct Opened {
    teller: Rc<Teller>,
    about: About,
    state: Weak<EndpointState>,
    opening: u64,
}

impl Opened {
    /// Wait until it is over, and see that somebody is on trial.
    async fn wait(self, time: Duration) {
        tokio::time::sleep(time).await;
        let half_open = |state: Arc<EndpointState>| state.circuit.half_open(self.opening);
        if self.state.upgrade().is_some_and(half_open) {
            let reason = "its time is over, and requests are let through on trial".into();
            self.teller.circuit(&self.about, Phase::HalfOpen, reason);
            tokio::time::sleep(time).await;
        }
        // It may have been half-open before its time, too.
        if let Some(state) = self.state.upgrade() {
            state.circuit.widen(self.opening);
        }
    }
}

/// An endpoint has come back, as its checks say: what it did before says little
/// of it now, so that an open circuit need not wait for its time.
pub(super) fn recovered(teller: &Teller, about: &About, state: &EndpointState) {
    let circuit = &state.circuit;
    if circuit.half_open(circuit.openings()) {
        let reason = "its checks pass again, and requests are let through on trial".into();
        teller.circuit(about, Phase::HalfOpen, reason);
    }
}

/// Close so many circuits of a pool, those first that have been open for longest:
/// others that were to stand in for them are gone.
pub(super) fn close_surplus(teller: &Teller, pool: &Pool, surplus: u32) {
    let open = |state: &EndpointState| state.circuit.open_since();
    let mut opened: Vec<_> = pool
        .endpoints()
        .filter_map(|endpoint| Some((open(&endpoint.state)?, endpoint)))
        .collect();
    opened.sort_by_key(|(at, _)| *at);
    for (_, endpoint) in opened.into_iter().take(surplus as usize) {
        if endpoint.state.circuit.close() {
            let about = About {
                pool: pool.name.clone(),
                endpoint: endpoint.id.clone(),
            };
            let reason = match pool.config.breaker {
                Some(_) => "too few other servers are left",
                None => "the pool's breaker is switched off",
            };
            teller.circuit(&about, Phase::Closed, reason.into());
        }
    }
}
