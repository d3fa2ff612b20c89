//! `/api/health`: how the servers are, in one look.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::endpoint::{Endpoint, Health};
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Success, success};
use crate::control::Control;

/// How the gateway's servers are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct Answer {
    status: Overall,
    servers: Servers,
    /// In milliseconds.
    uptime: u64,
}

/// How all servers together are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Overall {
    Healthy,
    /// A server is unhealthy.
    Degraded,
    /// A pool has no server that may take a request.
    Unhealthy,
}

/// Servers counted by what their checks found.
#[derive(Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ServerCounts)]
struct Servers {
    total: usize,
    healthy: usize,
    unhealthy: usize,
}

/// Show how the servers are.
///
/// `healthy`; `degraded` when a server is unhealthy; `unhealthy` when a pool
/// has no server that may take a request.
#[utoipa::path(
    get, path = "/api/health", operation_id = "showHealth", tag = "figures",
    responses((status = OK, description = "How they are", body = Success<Answer>))
)]
pub(super) async fn health(State(control): State<Arc<Control>>) -> Json<Success<Answer>> {
    let snapshot = control.publisher.snapshot();
    let servers = Servers::of(&snapshot);
    success(Answer {
        status: status(&snapshot, &servers),
        servers,
        uptime: control.started.elapsed().as_millis() as u64,
    })
}

impl Servers {
    fn of(snapshot: &Snapshot) -> Self {
        let mut servers = Self::default();
        for endpoint in snapshot.pools.iter().flat_map(|pool| pool.endpoints()) {
            servers.count(endpoint);
        }
        servers
    }

    fn count(&mut self, endpoint: &Endpoint) {
        self.total += 1;
        match endpoint.state.health() {
            Health::Healthy => self.healthy += 1,
            Health::Unhealthy => self.unhealthy += 1,
            Health::Unknown => {}
        }
    }
}

/// How all servers of a snapshot together are.
pub(super) fn overall(snapshot: &Snapshot) -> Overall {
    status(snapshot, &Servers::of(snapshot))
}

fn status(snapshot: &Snapshot, servers: &Servers) -> Overall {
    if snapshot.pools.iter().any(|pool| pool.available() == 0) {
        Overall::Unhealthy
    } else if servers.unhealthy > 0 {
        Overall::Degraded
    } else {
        Overall::Healthy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::config::{Environment, parse};
    use std::path::Path;

    #[test]
    fn the_status_follows_the_servers() {
        let text = "[pools.web]\nservers = [\"127.0.0.1:1\", \"127.0.0.1:2\"]";
        let config = parse(text, Path::new(""), &Environment::empty()).unwrap();
        let snapshot = Snapshot::next(None, config.into(), 1).unwrap();
        let status = || status(&snapshot, &Servers::of(&snapshot));
        let endpoints: Vec<_> = snapshot.pools[0].endpoints().collect();
        assert_eq!(status(), Overall::Healthy);
        endpoints[0].state.set_health(Health::Unhealthy);
        assert_eq!(status(), Overall::Degraded);
        endpoints[1].state.set_health(Health::Unhealthy);
        assert_eq!(status(), Overall::Unhealthy);
        endpoints[0].state.set_health(Health::Healthy);
        let expected = Servers {
            total: 2,
            healthy: 1,
            unhealthy: 1,
        };
        assert_eq!(Servers::of(&snapshot), expected);
    }
}
