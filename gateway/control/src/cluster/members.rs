//! Saying that this gateway is there, and hearing which others are.

use std::sync::{Arc, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use gatewright_cluster::{ANNOUNCE_EVERY, Member, Standing};
use gatewright_model::endpoint::Health;
use tokio::time;

use super::Cluster;
use crate::control::Control;

/// Say it now and then, for ever.
pub(super) async fn announce(control: &Arc<Control>, cluster: &Arc<Cluster>) {
    let mut standings = cluster.connection.standings();
    loop {
        // An error is the end of the connection, which this holds.
        let connected = standings.wait_for(Standing::is_connected).await.is_ok();
        if connected && let Ok(all) = cluster.members.announce(&cluster.member(control)).await {
            *cluster
                .gateways
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = all;
        }
        time::sleep(ANNOUNCE_EVERY).await;
    }
}

impl Cluster {
    /// What this gateway says of itself.
    pub(crate) fn member(&self, control: &Control) -> Member {
        let snapshot = control.publisher.snapshot();
        let count = |wanted: Health| {
            let endpoints = snapshot.pools.iter().flat_map(|pool| pool.endpoints());
            endpoints.filter(|one| one.state.health() == wanted).count() as u64
        };
        let started = SystemTime::now().checked_sub(control.started.elapsed());
        let started = started.and_then(|started| started.duration_since(UNIX_EPOCH).ok());
        Member {
            name: self.connection.name().to_owned(),
            instance: format!("{:016x}", self.connection.instance()),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            admin: self
                .admin
                .get()
                .map(ToString::to_string)
                .unwrap_or_default(),
            started: started.unwrap_or_default().as_millis() as u64,
            healthy: count(Health::Healthy),
            unhealthy: count(Health::Unhealthy),
            version: self.revision().map_or(0, |revision| revision.version),
            generation: snapshot.generation.0,
        }
    }

    /// Be on the list no more.
    pub(crate) async fn leave(&self, control: &Control) {
        // Else it is shown as silent for a while.
        let _ = self.members.leave(&self.member(control)).await;
    }
}
