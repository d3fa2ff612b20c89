//! Adding up what the workers count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_host::{Binding, SeatCounters};
use gatewright_model::cache::Way;
use gatewright_model::counters::{
    Counter, EndpointCounters, Protocol, ProtocolCounters, WorkerCounters,
};
use gatewright_model::endpoint::Endpoint;
use gatewright_model::histogram::{Histogram, Reading};
use gatewright_model::id::Generation;
use gatewright_model::pool::Pool;
use gatewright_proxy::TelemetryCounts;

use super::{
    Faults, Overview, PluginFigures, PluginState, PoolFigures, ProtocolFigures, ServerFigures,
    TelemetryFigures, Totals,
};
use crate::burden::Burdens;
use crate::control::Control;

/// All figures as they are now.
pub(crate) fn gather(control: &Control) -> Overview {
    let snapshot = control.publisher.snapshot();
    let plan = control.publisher.plan();
    let workers = control.publisher.counters();
    let last_second = control.series.of_all();
    let rate = last_second.map_or(0.0, |point| point.requests_per_second.into());
    Overview {
        uptime: control.started.elapsed(),
        totals: Totals {
            requests_per_second: rate,
            ..totals(workers, snapshot.generation)
        },
        pools: snapshot
            .pools
            .iter()
            .map(|pool| pool_figures(pool))
            .collect(),
        servers: snapshot
            .pools
            .iter()
            .flat_map(|pool| servers(pool))
            .collect(),
        plugins: plan
            .bindings()
            .iter()
            .map(|binding| plugin(&control.burdens, binding))
            .collect(),
        lookups: control.discovery.figures(&snapshot.config),
        last_reload: control.reloads.last(),
        cache: control.publisher.in_force().cache.kept(),
        telemetry: telemetry(&control.telemetry.counts),
    }
}

fn telemetry(counts: &TelemetryCounts) -> TelemetryFigures {
    let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
    TelemetryFigures {
        lines: count(&counts.lines),
        lines_dropped: count(&counts.lines_dropped),
        spans: count(&counts.spans),
        spans_dropped: count(&counts.spans_dropped),
    }
}

/// How many workers have taken over a generation.
pub(crate) fn workers_at(workers: &[WorkerCounters], generation: Generation) -> usize {
    let taken = |worker: &&WorkerCounters| worker.generation.get() >= generation.0;
    workers.iter().filter(taken).count()
}

fn totals(workers: &[WorkerCounters], generation: Generation) -> Totals {
    let sum = |counter: fn(&WorkerCounters) -> &Counter| add(workers, counter);
    let longest = workers.iter().map(|worker| worker.longest_switch_us.get());
    Totals {
        requests: sum(|worker| &worker.requests),
        responses: responses(workers),
        in_flight: sum(|worker| &worker.in_flight),
        tunnels: sum(|worker| &worker.tunnels),
        accepted: sum(|worker| &worker.accepted),
        connections: sum(|worker| &worker.connections),
        tls_failures: sum(|worker| &worker.tls_failures),
        protocols: Protocol::ALL.map(|protocol| spoken(workers, protocol)),
        retries: sum(|worker| &worker.retries),
        shed: sum(|worker| &worker.shed),
        hedges: sum(|worker| &worker.hedges),
        hedges_won: sum(|worker| &worker.hedges_won),
        mirrored: sum(|worker| &worker.mirrored),
        unmirrored: sum(|worker| &worker.unmirrored),
        uncompressed: sum(|worker| &worker.uncompressed),
        fallbacks: sum(|worker| &worker.fallbacks),
        overruled: sum(|worker| &worker.overruled),
        abandoned: sum(|worker| &worker.abandoned),
        latency: read(workers, |worker| &worker.latency),
        requests_per_second: 0.0,
        longest_switch_us: longest.max().unwrap_or(0),
        generation,
        workers: workers.len(),
        workers_current: workers_at(workers, generation),
    }
}

fn responses(workers: &[WorkerCounters]) -> [u64; 5] {
    std::array::from_fn(|class| {
        let counts = workers.iter().map(|worker| worker.responses[class].get());
        counts.sum()
    })
}

fn spoken(workers: &[WorkerCounters], protocol: Protocol) -> ProtocolFigures {
    let sum = |counter: fn(&ProtocolCounters) -> &Counter| {
        let counts = workers
            .iter()
            .map(|worker| counter(worker.of(protocol)).get());
        counts.sum()
    };
    ProtocolFigures {
        requests: sum(|counters| &counters.requests),
        accepted: sum(|counters| &counters.accepted),
        connections: sum(|counters| &counters.connections),
    }
}

fn pool_figures(pool: &Pool) -> PoolFigures {
    PoolFigures {
        name: pool.name.clone(),
        panicking: pool.state.is_panicking(),
        queue: pool.state.queue().figures(),
        cache: pool
            .config
            .cache
            .map(|_| Way::ALL.map(|way| pool.state.ways.of(way))),
    }
}

fn servers(pool: &Pool) -> impl Iterator<Item = ServerFigures> {
    pool.endpoints().map(|endpoint| server(pool, endpoint))
}

/// A server's figures as they are now.
pub(crate) fn server(pool: &Pool, endpoint: &Endpoint) -> ServerFigures {
    let state = &endpoint.state;
    let workers = state.counters();
    let sum = |counter: fn(&EndpointCounters) -> &Counter| add(workers, counter);
    ServerFigures {
        id: endpoint.id.clone(),
        pool: pool.name.clone(),
        host: endpoint.host.clone(),
        port: endpoint.port,
        weight: endpoint.weight,
        health: state.health(),
        circuit: state.circuit.phase(),
        ejections: state.circuit.openings(),
        warmth: state.warmth.percent(),
        draining: state.is_draining(),
        eligible: endpoint.is_eligible(),
        active: state.active(),
        requests: sum(|worker| &worker.requests),
        failures: sum(|worker| &worker.failures),
        connect_failures: sum(|worker| &worker.connect_failures),
        connections: sum(|worker| &worker.connections),
        latency: read(workers, |worker| &worker.latency),
        mean_ms: mean_ms(workers),
        state: Arc::downgrade(state),
    }
}

/// The mean of the workers' means, each as trustworthy as the next.
fn mean_ms(workers: &[EndpointCounters]) -> Option<f64> {
    let means = workers.iter().map(|worker| f64::from(worker.mean_us()));
    let known: Vec<f64> = means.filter(|mean| *mean > 0.0).collect();
    match known.len() {
        0 => None,
        count => Some(known.iter().sum::<f64>() / count as f64 / 1000.0),
    }
}

/// A plugin's figures in its seat as they are now.
pub(crate) fn plugin(burdens: &Burdens, binding: &Binding) -> PluginFigures {
    let place = binding.place();
    let workers = binding.counters();
    let sum = |counter: fn(&SeatCounters) -> &Counter| add(workers, counter);
    let fallbacks = workers.iter().map(SeatCounters::fallbacks);
    let samples = sum(|worker| &worker.samples);
    let sampled_ns = sum(|worker| &worker.sampled_ns);
    PluginFigures {
        name: place.plugin.clone(),
        role: place.role,
        pool: place.pool.clone(),
        policy: place.policy.clone(),
        part: place.part,
        version: binding.version(),
        decisions: sum(|worker| &worker.decisions),
        faults: Faults {
            trapped: sum(|worker| &worker.trapped),
            overran: sum(|worker| &worker.overran),
            out_of_memory: sum(|worker| &worker.out_of_memory),
            impossible: sum(|worker| &worker.impossible),
        },
        fallbacks: fallbacks.sum(),
        capped: sum(|worker| &worker.capped),
        overruled: sum(|worker| &worker.overruled),
        restarts: sum(|worker| &worker.restarts),
        time_ns: read(workers, |worker| &worker.time_ns),
        ns_per_decision: (samples > 0).then(|| sampled_ns as f64 / samples as f64),
        burden: burdens.of(binding),
        memory: binding.memory_in_use(),
        own: binding.figures().all(),
        state: state(binding),
    }
}

/// Whether a plugin decides in its seat.
pub(crate) fn state(binding: &Binding) -> PluginState {
    if binding.is_quarantined() {
        PluginState::Quarantined
    } else if binding.stands_in_for().is_some() {
        PluginState::StandingIn
    } else {
        PluginState::Active
    }
}

fn add<W>(workers: &[W], counter: fn(&W) -> &Counter) -> u64 {
    workers.iter().map(|worker| counter(worker).get()).sum()
}

fn read<W>(workers: &[W], histogram: fn(&W) -> &Histogram) -> Reading {
    let mut reading = Reading::default();
    for worker in workers {
        histogram(worker).add_to(&mut reading);
    }
    reading
}
