//! What the control plane's parts share, and what it does when asked.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::desired::Desired;
use crate::error::ReloadError;
use crate::events::{Events, Happened};
use crate::publisher::{Publisher, Reloaded};
use crate::readiness::Readiness;
use crate::restart;
use crate::roster::Roster;

/// What the control plane's parts share.
pub(crate) struct Control {
    /// One reads it at a time, so that what was read later is in force later.
    desired: Mutex<Desired>,
    pub(crate) publisher: Publisher,
    pub(crate) events: Arc<Events>,
    pub(crate) roster: Roster,
    pub(crate) readiness: Readiness,
    /// Requests in the last second, as the bits of an `f64`.
    pub(crate) rate: AtomicU64,
    pub(crate) started: Instant,
}

impl Control {
    pub(crate) fn new(desired: Desired, publisher: Publisher, events: Arc<Events>) -> Self {
        Self {
            desired: Mutex::new(desired),
            publisher,
            events,
            roster: Roster::default(),
            readiness: Readiness::default(),
            rate: AtomicU64::default(),
            started: Instant::now(),
        }
    }

    /// Read what is wanted and put it in force.
    pub(crate) async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let desired = self.desired.lock().await;
        let outcome = self.put_in_force(&desired).await;
        self.note(&outcome);
        outcome
    }

    async fn put_in_force(&self, desired: &Desired) -> Result<Reloaded, ReloadError> {
        let wanted = desired.read().await?;
        let in_force = self.publisher.snapshot();
        if let Some(error) = restart::needed(&in_force.config, &wanted) {
            return Err(ReloadError::NeedsRestart(error));
        }
        self.publisher.publish(&wanted).await
    }

    /// Replace quarantined versions by those before them, where there are any.
    pub(crate) async fn replace_quarantined(&self) {
        self.note(&self.publisher.publish_again().await);
    }

    /// Log what a change came to, and keep it among the events.
    fn note(&self, outcome: &Result<Reloaded, ReloadError>) {
        self.events.push(match outcome {
            Ok(reloaded) => Happened::Reloaded(*reloaded),
            Err(error) => Happened::Refused(error.to_string()),
        });
        match outcome {
            Ok(Reloaded::Published { workers, of, .. }) if workers < of => {
                tracing::warn!(workers, of, "a change is not yet in force on every worker");
            }
            Ok(reloaded) => tracing::info!("{reloaded}"),
            Err(error) => tracing::error!("a change was refused: {error}"),
        }
    }

    /// Drain the data plane and wait for its end.
    pub(crate) async fn stop(&self) {
        self.readiness.stop();
        let Some(data_plane) = self.publisher.close().await else {
            return;
        };
        data_plane.drain();
        let ending = tokio::task::spawn_blocking(move || data_plane.join());
        if let Err(error) = ending.await {
            tracing::error!(%error, "the workers were not waited for");
        }
    }
}
