//! Balancers: with nothing to do, with much to do, and while they hear how
//! attempts ended.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use gatewright_host::{Simulated, defaults};
use gatewright_model::reported::LoadReport;
use gatewright_model::role::Role;

use crate::place::{SIZES, Worker, next, outcome, pool, request};

/// Those that hear how attempts ended.
const OBSERVERS: [&str; 3] = ["peak-ewma", "adaptive", "prequal"];

/// The host tells of outcomes 10 ms after the last ones at the earliest, and of 256
/// at most: so are a worker's that has 25,600 requests a second, and one's that
/// has 100.
const PACES: [(&str, u64); 2] = [("256 a call", 256), ("one a call", 1)];

const TELL_EVERY_NS: u64 = 10_000_000;

fn config(balancer: &str, size: u16) -> String {
    // What a balancer must be told.
    let settings = match balancer {
        "zone" => "zone = \"a\"",
        _ => "",
    };
    let plugin = format!("plugin = \"{balancer}\", config = {{ {settings} }}");
    pool(size, &format!("balancer = {{ {plugin} }}"))
}

/// Every default balancer, with nothing in flight.
pub(crate) fn idle(criterion: &mut Criterion) {
    let balancers = defaults().iter();
    for plugin in balancers.filter(|plugin| plugin.roles() == [Role::Balancer]) {
        let mut group = criterion.benchmark_group(plugin.name);
        for size in SIZES {
            let mut worker = Worker::of(&config(plugin.name, size));
            let (mut lent, mut key) = (request().lent(), 0);
            let seat = &mut worker.chain.pools[0].balancer;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| black_box(seat.pick(next(&mut key), &mut lent)).unwrap());
            });
        }
        group.finish();
    }
}

/// Those whose decisions take longer while servers have something to do.
pub(crate) fn busy(criterion: &mut Criterion) {
    for name in ["least-connections", "consistent-hash", "first"] {
        let mut group = criterion.benchmark_group(format!("{name}, busy"));
        for size in SIZES {
            let mut worker = Worker::of(&config(name, size));
            let pool = &worker.snapshot.pools[0];
            for endpoint in pool.endpoints() {
                // More than `consistent-hash` allows without looking at all.
                for _ in 0..5 {
                    pool.state.enter(endpoint.slot());
                }
            }
            let (mut lent, mut key) = (request().lent(), 0);
            let seat = &mut worker.chain.pools[0].balancer;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| black_box(seat.pick(next(&mut key), &mut lent)).unwrap());
            });
        }
        group.finish();
    }
}

/// Those that hear how attempts ended, with one outcome for each decision.
pub(crate) fn observers(criterion: &mut Criterion) {
    for name in OBSERVERS {
        for (way, each_call) in PACES {
            let title = format!("{name}, hearing {way}");
            hearing(criterion, &title, name, (each_call, false));
        }
    }
    let title = "prequal, with reports";
    hearing(criterion, title, "prequal", (256, true));
}

fn hearing(
    criterion: &mut Criterion,
    title: &str,
    name: &str,
    (each_call, has_reports): (u64, bool),
) {
    let mut group = criterion.benchmark_group(title);
    for size in SIZES {
        let clock = Arc::new(Simulated::new(1));
        let mut worker = Worker::simulated(&clock, &config(name, size));
        let endpoints: Vec<_> = worker.snapshot.pools[0].endpoints().cloned().collect();
        let (mut lent, mut key, mut decisions) = (request().lent(), 0, 0);
        let seat = &mut worker.chain.pools[0].balancer;
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                decisions += 1;
                let now = decisions * TELL_EVERY_NS / each_call;
                clock.advance(now);
                if has_reports {
                    // One after the other; ten of them come 40 times a second.
                    let endpoint = &endpoints[decisions as usize / 64 % endpoints.len()];
                    let report = LoadReport {
                        in_flight: 2 + key as u32 % 4,
                        latency_us: 1_000 + key as u32 % 1_000,
                    };
                    let reported = &endpoint.state.reported;
                    reported.note_at(report, Duration::from_nanos(now));
                }
                let slot = seat.pick(next(&mut key), &mut lent).unwrap().unwrap();
                seat.observe(outcome(slot, key));
            });
        });
    }
    group.finish();
}
