//! The figures that streams carry: everything a page charts, once a second,
//! gathered once for all readers.

mod rates;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use tokio::time::Instant;

use self::rates::Rates;
use super::frame;
use crate::admin::burden::Taken;
use crate::admin::health::{self, Overall};
use crate::admin::metrics::{Answer, Figures, PoolFigures, Recent, milliseconds, rounded};
use crate::admin::words::{Circuit, Status};
use crate::control::Control;
use crate::overview::{Overview, PluginFigures, ServerFigures};
use crate::reloads::LastReload;
use crate::seats::SeatName;
use crate::series::Look;
use crate::timestamp::Timestamp;

/// Show each look at the figures to those who watch, for ever.
pub(in crate::admin) async fn show(control: Arc<Control>) {
    loop {
        control.live.watched().await;
        let mut rates = Rates::default();
        let mut looks = control.series.looks();
        // Who comes first is shown the last one at once.
        looks.mark_changed();
        while control.live.is_watched() && looks.changed().await.is_ok() {
            let look = looks.borrow_and_update().clone();
            if let Some(look) = look {
                rates.turn(Instant::now());
                let moment = Moment::of(&look, &control, &mut rates);
                control.live.show(frame::event("metrics", None, &moment));
            }
        }
    }
}

/// All figures at a moment. Rates of plugins are none before there are two
/// readings.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Moment {
    at: Timestamp,
    /// What tells this run of the gateway, and its generations, from another.
    run: String,
    /// As `/api/health` has it.
    status: Overall,
    #[serde(flatten)]
    metrics: Answer,
    #[serde(flatten)]
    traffic: Traffic,
    pools: Vec<PoolFigures>,
    servers: Vec<Server>,
    plugins: Vec<Plugin>,
    last_reload: LastReload,
}

/// What a chart of all traffic has beside `/api/metrics`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Traffic {
    uptime_seconds: u64,
    errors_per_second: Option<f64>,
    /// Of the last second, in milliseconds, as those after it.
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
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
struct Server {
    #[serde(flatten)]
    figures: Figures,
    status: Status,
    circuit: Circuit,
    warmth: u8,
    draining: bool,
    eligible: bool,
    weight: u16,
    /// 0 while it takes no new work.
    weight_in_force: u16,
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
    ns_p50: Option<f64>,
    ns_p99: Option<f64>,
    memory_bytes: u64,
    faults: u64,
    fallbacks: u64,
    capped: u64,
    #[serde(flatten)]
    burden: Taken,
}

impl Moment {
    fn of(look: &Look, control: &Control, rates: &mut Rates) -> Self {
        let Look { at, overview } = look;
        let series = &control.series;
        let snapshot = control.publisher.snapshot();
        let by_pool = overview.servers.chunk_by(|one, next| one.pool == next.pool);
        let by_pool = by_pool.filter_map(|servers| Some((&servers.first()?.pool, servers)));
        let by_pool: HashMap<_, _> = by_pool.collect();
        let pools = snapshot.pools.iter().map(|pool| {
            let servers = by_pool.get(&pool.name).copied().unwrap_or_default();
            PoolFigures::of(pool, servers, Recent::of(series.of_pool(&pool.name)))
        });
        let servers = overview.servers.iter().map(|server| {
            let recent = series.of_server(&server.pool, &server.id);
            Server::of(server, Recent::of(recent))
        });
        let plugins = overview.plugins.iter();
        Self {
            at: *at,
            run: super::run_of(control),
            status: health::overall(&snapshot),
            metrics: Answer::of(overview, control),
            traffic: Traffic::of(overview, Recent::of(series.of_all())),
            pools: pools.collect(),
            servers: servers.collect(),
            plugins: plugins.map(|plugin| Plugin::of(plugin, rates)).collect(),
            last_reload: overview.last_reload.clone(),
        }
    }
}

impl Traffic {
    fn of(overview: &Overview, recent: Recent) -> Self {
        let Overview { totals, uptime, .. } = overview;
        let quantile = |share| totals.latency.quantile(share).map(milliseconds);
        Self {
            uptime_seconds: uptime.as_secs(),
            errors_per_second: recent.errors_per_second,
            p50: recent.p50,
            p90: recent.p90,
            p99: recent.p99,
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
    fn of(server: &ServerFigures, recent: Recent) -> Self {
        Self {
            figures: Figures::of(server, recent),
            status: server.health.into(),
            circuit: server.circuit.into(),
            warmth: server.warmth,
            draining: server.draining,
            eligible: server.eligible,
            weight: server.weight,
            weight_in_force: server.weight_in_force(),
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
            decisions_per_second: rates.of(place, plugin.decisions).map(rounded),
            ns_per_decision: plugin.ns_per_decision.map(f64::round),
            ns_p50: plugin.time_ns.quantile(0.5),
            ns_p99: plugin.time_ns.quantile(0.99),
            memory_bytes: plugin.memory,
            faults: plugin.faults.total(),
            fallbacks: plugin.fallbacks,
            capped: plugin.capped,
            burden: Taken::of(plugin.burden),
        }
    }
}
