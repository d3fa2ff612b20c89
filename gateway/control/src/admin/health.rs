//! `GET /api/health`: how the servers are, in one look.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gatewright_model::endpoint::{Endpoint, Health};
use gatewright_model::snapshot::Snapshot;
use serde::Serialize;

use super::envelope::{Success, success};
use crate::control::Control;

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    status: &'static str,
    servers: Servers,
    /// In milliseconds.
    uptime: u64,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Servers {
    total: usize,
    healthy: usize,
    unhealthy: usize,
}

/// `healthy`; `degraded` when a server is unhealthy; `unhealthy` when a pool
/// has no server that may take a request.
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

fn status(snapshot: &Snapshot, servers: &Servers) -> &'static str {
    if snapshot.pools.iter().any(|pool| pool.available() == 0) {
        "unhealthy"
    } else if servers.unhealthy > 0 {
        "degraded"
    } else {
        "healthy"
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
        assert_eq!(status(), "healthy");
        endpoints[0].state.set_health(Health::Unhealthy);
        assert_eq!(status(), "degraded");
        endpoints[1].state.set_health(Health::Unhealthy);
        assert_eq!(status(), "unhealthy");
        endpoints[0].state.set_health(Health::Healthy);
        let expected = Servers {
            total: 2,
            healthy: 1,
            unhealthy: 1,
        };
        assert_eq!(Servers::of(&snapshot), expected);
    }
}
