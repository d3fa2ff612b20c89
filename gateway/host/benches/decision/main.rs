//! What a decision costs: each default plugin alone, at three sizes of a pool
//! where that makes a difference, and the whole default chain, which is also
//! measured in the lane that the default plugins do not need.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that measures faults measures nothing"
)]

mod affinities;
mod balancers;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/host/exchange.rs"]
mod exchange;
mod place;
mod policies;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use place::{LANES, SIZES, Worker, next, pool, request};

fn config(settings: &str, size: u16) -> String {
    let pool = pool(size, settings);
    format!(
        "[router]\nplugin = \"path-router\"\n[router.config]\n\
         routes = [{{ path = \"/api/*\", pool = \"web\" }}]\n{pool}"
    )
}

fn router(criterion: &mut Criterion) {
    for (suffix, lanes) in LANES {
        let mut worker = Worker::on(lanes, &config("", 10));
        let mut lent = request().lent();
        let router = &mut worker.chain.router;
        criterion.bench_function(&format!("path-router{suffix}"), |bencher| {
            bencher.iter(|| black_box(router.route(&mut lent)).unwrap());
        });
    }
}

fn whole_chain(criterion: &mut Criterion) {
    for (suffix, lanes) in LANES {
        let mut group = criterion.benchmark_group(format!("default chain{suffix}"));
        for size in SIZES {
            let settings = "affinity = \"sticky-cookie\"\nbalancer = \"least-connections\"";
            let mut worker = Worker::on(lanes, &config(settings, size));
            let (mut lent, mut key) = (request().lent(), 0);
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    let chain = &mut worker.chain;
                    black_box(chain.router.route(&mut lent)).unwrap();
                    let pool = &mut chain.pools[0];
                    let affinity = pool.affinity.as_mut().unwrap();
                    black_box(affinity.lookup(&mut lent)).unwrap();
                    black_box(pool.balancer.pick(next(&mut key), &mut lent)).unwrap();
                });
            });
        }
        group.finish();
    }
}

criterion_group!(
    benches,
    balancers::idle,
    balancers::busy,
    balancers::observers,
    affinities::strangers,
    affinities::sessions,
    policies::requests,
    policies::credentials,
    policies::responses,
    router,
    whole_chain
);
criterion_main!(benches);
