//! The figures that streams carry: everything a page charts, once a second,
//! gathered once for all readers.

mod rates;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use self::rates::Rates;
use crate::admin::health::{self, Overall};
use crate::admin::metrics::{Answer, Figures, PoolFigures, milliseconds};
use crate::admin::words::Status;
use crate::control::Control;
use crate::overview::{self, Overview, PluginFigures, ServerFigures};
use crate::seats::SeatName;
use crate::timestamp::Timestamp;

/// How often.
const PERIOD: Duration = Duration::from_secs(1);

/// Gather the figures while somebody watches, for ever.
pub(in crate::admin) async fn gather(control: Arc<Control>) {
    loop {
        control.live.watched().await;
        let mut rates = Rates::default();
        let mut ticks = tokio::time::interval(PERIOD);
        while control.live.is_watched() {
            ticks.tick().await;
            rates.turn(Instant::now());
            match serde_json::to_string(&Moment::now(&control, &mut rates)) {
                Ok(figures) => control.live.show(figures),
                Err(error) => tracing::error!(%error, "the figures cannot be shown"),
            }
        }
    }
}

/// All figures at a moment. Rates are those of the last second, none before
/// there are two readings.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Moment {
    at: Timestamp,
    /// As `/api/health` has it.
    status: Overall,
    #[serde(flatten)]
    metrics: Answer,
    #[serde(flatten)]
    traffic: Traffic,
    pools: Vec<Pool>,
    servers: Vec<Server>,
    plugins: Vec<Plugin>,
}

/// What a chart of all traffic has beside `/api/metrics`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Traffic {
    uptime_seconds: u64,
    requests_in_flight: u64,
    /// By the hundreds of their status, 1xx to 5xx.
    responses: [u64; 5],
    median_response_time: Option<f64>,
    p99_response_time: Option<f64>,
    retries: u64,
    fallbacks: u64,
    generation: u64,
    applied: Applied,
}

#[derive(Serialize)]
struct Applied {
    workers: usize,
    of: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pool {
    #[serde(flatten)]
    figures: PoolFigures,
    requests_per_second: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    #[serde(flatten)]
    figures: Figures,
    status: Status,
    draining: bool,
    eligible: bool,
    weight: u16,
    requests_per_second: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plugin {
    plugin: String,
    /// The seat, such as `web/balancer`.
    binding: String,
    role: String,
    part: String,
    pool: Option<String>,
    version: String,
    /// `active`, `standing in` or `quarantined`.
    state: &'static str,
    decisions: u64,
    decisions_per_second: Option<f64>,
    ns_per_decision: Option<f64>,
    faults: u64,
    fallbacks: u64,
}

impl Moment {
    fn now(control: &Control, rates: &mut Rates) -> Self {
        let overview = overview::gather(control);
        let snapshot = control.publisher.snapshot();
        let pools = snapshot.pools.iter().map(|pool| {
            let of_pool = |server: &&ServerFigures| server.pool == pool.name;
            let servers = overview.servers.iter().filter(of_pool).cloned();
            let servers: Vec<_> = servers.collect();
            let requests = servers.iter().map(|server| server.requests).sum();
            Pool {
                figures: PoolFigures::of(pool, &servers),
                requests_per_second: rates.of(format!("pool {}", pool.name), requests),
            }
        });
        Self {
            at: Timestamp::now(),
            status: health::overall(&snapshot),
            metrics: Answer::of(&overview, control),
            traffic: Traffic::of(&overview),
            pools: pools.collect(),
            servers: overview
                .servers
                .iter()
                .map(|server| Server::of(server, rates))
                .collect(),
            plugins: overview
                .plugins
                .iter()
                .map(|plugin| Plugin::of(plugin, rates))
                .collect(),
        }
    }
}

impl Traffic {
    fn of(overview: &Overview) -> Self {
        let Overview { totals, uptime, .. } = overview;
        let quantile = |share| totals.latency.quantile(share).map(milliseconds);
        Self {
            uptime_seconds: uptime.as_secs(),
            requests_in_flight: totals.in_flight,
            responses: totals.responses,
            median_response_time: quantile(0.5),
            p99_response_time: quantile(0.99),
            retries: totals.retries,
            fallbacks: totals.fallbacks,
            generation: totals.generation.0,
            applied: Applied {
                workers: totals.workers_current,
                of: totals.workers,
            },
        }
    }
}

impl Server {
    fn of(server: &ServerFigures, rates: &mut Rates) -> Self {
        let name = format!("server {} {}", server.pool, server.id);
        Self {
            figures: Figures::of(server),
            status: server.health.into(),
            draining: server.draining,
            eligible: server.eligible,
            weight: server.weight,
            requests_per_second: rates.of(name, server.requests),
        }
    }
}

impl Plugin {
    fn of(plugin: &PluginFigures, rates: &mut Rates) -> Self {
        let PluginFigures {
            name,
            role,
            pool,
            policy,
            part,
            ..
        } = plugin;
        let seat = SeatName::new(*role, pool.as_ref(), policy.as_ref()).to_string();
        let pool = pool.as_ref().map(ToString::to_string);
        let place = format!("plugin {name} {seat} {part}");
        Self {
            plugin: name.to_string(),
            binding: seat,
            role: role.to_string(),
            part: part.to_string(),
            pool,
            version: plugin.version.to_string(),
            state: plugin.state.name(),
            decisions: plugin.decisions,
            decisions_per_second: rates.of(place, plugin.decisions),
            ns_per_decision: plugin.ns_per_decision,
            faults: plugin.faults.total(),
            fallbacks: plugin.fallbacks,
        }
    }
}
