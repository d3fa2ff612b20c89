//! What a decision costs: each default plugin alone at three sizes of a pool,
//! and the whole default chain, which is also measured in the lane that the
//! default plugins do not need.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that measures faults measures nothing"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gatewright_host::{
    Chain, Compiler, Effects, Ending, ExchangeView, Host, HostError, HostOptions, Lanes, Lent,
    Outcome, Simulated, defaults,
};
use gatewright_model::config::{self, Environment};
use gatewright_model::role::Role;
use gatewright_model::snapshot::Snapshot;

const SIZES: [u16; 3] = [3, 100, 1000];

/// The lane that plugins take, and the one that others would.
const LANES: [(&str, Lanes); 2] = [
    ("", Lanes::Both),
    (", component lane", Lanes::ComponentOnly),
];

/// A browser's request, with the cookie of a session.
#[derive(Clone)]
struct Request {
    headers: HashMap<&'static str, &'static str>,
    cookie: Option<String>,
    effects: Effects,
}

impl ExchangeView for Request {
    fn path(&self) -> &str {
        "/api/items/42"
    }

    fn query(&self) -> Option<&str> {
        Some("page=2")
    }

    fn header(&self, name: &str, index: usize) -> Option<&[u8]> {
        let value = self.headers.get(name).filter(|_| index == 0)?;
        Some(value.as_bytes())
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookie.as_deref().filter(|_| name == "gw_session")
    }

    fn client_address(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9))
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}

fn request() -> Lent {
    Some(Box::new(Request {
        headers: HashMap::from([("host", "shop.example"), ("accept", "*/*")]),
        cookie: None,
        effects: Effects::default(),
    }))
}

/// One worker with the default router, the default affinity and a balancer.
struct Bench {
    chain: Chain,
    snapshot: Arc<Snapshot>,
    _host: Arc<Host>,
}

/// What a balancer must be told.
fn settings(balancer: &str) -> &'static str {
    match balancer {
        "zone" => "zone = \"a\"",
        _ => "",
    }
}

fn bench(balancer: &str, servers: u16, lanes: Lanes) -> Bench {
    bench_on(balancer, servers, |options| Host::start_on(lanes, options))
}

fn bench_on(
    balancer: &str,
    servers: u16,
    start: impl FnOnce(HostOptions) -> Result<Arc<Host>, HostError>,
) -> Bench {
    let server = |number| {
        format!(
            "{{ host = \"192.0.2.1\", port = {}, labels = {{ zone = \"a\" }} }}",
            3000 + number
        )
    };
    let servers: Vec<_> = (0..servers).map(server).collect();
    let text = format!(
        "[router]\nplugin = \"path-router\"\n[router.config]\nroutes = [{{ path = \"/api/*\", pool = \"web\" }}]\n\
         [pools.web]\nhealth = false\naffinity = \"sticky-cookie\"\n\
         balancer = {{ plugin = \"{balancer}\", config = {{ {} }} }}\nservers = [{}]\n",
        settings(balancer),
        servers.join(", ")
    );
    let config = config::parse(&text, Path::new("."), &Environment::empty()).unwrap();
    let snapshot = Arc::new(Snapshot::next(None, Arc::new(config), 1).unwrap());
    let options = HostOptions {
        workers: 1,
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled"),
        components: None,
        compiler: Compiler::InProcess,
    };
    let host = start(options).unwrap();
    let mut prepared = host.prepare(&snapshot, None).unwrap();
    let chain = Chain::new(prepared.chains.remove(0), &snapshot);
    Bench {
        chain,
        snapshot,
        _host: host,
    }
}

/// A different key each time, as hashes of clients are.
fn next(key: &mut u64) -> u64 {
    *key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    *key
}

/// Every default balancer, with nothing in flight.
fn balancers(criterion: &mut Criterion) {
    let balancers = defaults().iter();
    for plugin in balancers.filter(|plugin| plugin.roles() == [Role::Balancer]) {
        let mut group = criterion.benchmark_group(plugin.name);
        for size in SIZES {
            let mut bench = bench(plugin.name, size, Lanes::Both);
            let (mut lent, mut key) = (request(), 0);
            let seat = &mut bench.chain.pools[0].balancer;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| black_box(seat.pick(next(&mut key), &mut lent)).unwrap());
            });
        }
        group.finish();
    }
}

/// Those whose decisions take longer while servers have something to do.
fn busy_balancers(criterion: &mut Criterion) {
    for name in ["least-connections", "consistent-hash", "first"] {
        let mut group = criterion.benchmark_group(format!("{name}, busy"));
        for size in SIZES {
            let mut bench = bench(name, size, Lanes::Both);
            let pool = &bench.snapshot.pools[0];
            for endpoint in pool.endpoints() {
                // More than `consistent-hash` allows without looking at all.
                for _ in 0..5 {
                    pool.state.enter(endpoint.slot());
                }
            }
            let (mut lent, mut key) = (request(), 0);
            let seat = &mut bench.chain.pools[0].balancer;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| black_box(seat.pick(next(&mut key), &mut lent)).unwrap());
            });
        }
        group.finish();
    }
}

/// Those that hear how attempts ended, with one outcome for each decision: told
/// as the host tells them, 256 in one call, and each in a call of its own.
fn observers(criterion: &mut Criterion) {
    for name in ["peak-ewma", "adaptive", "prequal"] {
        for (way, each_call) in [("256 a call", 256), ("one a call", 1)] {
            let mut group = criterion.benchmark_group(format!("{name}, hearing {way}"));
            for size in SIZES {
                let simulated = Arc::new(Simulated::new(1));
                let clock = Arc::clone(&simulated);
                let mut bench =
                    bench_on(name, size, |options| Host::start_simulated(options, clock));
                let (mut lent, mut key, mut decisions) = (request(), 0, 0);
                let seat = &mut bench.chain.pools[0].balancer;
                group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                    bencher.iter(|| {
                        decisions += 1;
                        if decisions % each_call == 0 {
                            // Outcomes are told 10 ms after the last ones at the earliest.
                            simulated.advance(decisions * 10_000_000);
                        }
                        let slot = seat.pick(next(&mut key), &mut lent).unwrap().unwrap();
                        seat.observe(Outcome {
                            slot,
                            ending: Ending::Completed,
                            status: 200,
                            first_byte_us: 1_000 + key as u32 % 1_000,
                            duration_us: 2_000,
                            lot: None,
                        });
                    });
                });
            }
            group.finish();
        }
    }
}

fn router_and_affinity(criterion: &mut Criterion) {
    for (suffix, lanes) in LANES {
        router_and_affinity_on(criterion, suffix, lanes);
    }
}

fn router_and_affinity_on(criterion: &mut Criterion, suffix: &str, lanes: Lanes) {
    let mut bench = bench("round-robin", 10, lanes);
    let mut lent = request();
    let router = &mut bench.chain.router;
    criterion.bench_function(&format!("path-router{suffix}"), |bencher| {
        bencher.iter(|| black_box(router.route(&mut lent)).unwrap());
    });
    let affinity = bench.chain.pools[0].affinity.as_mut().unwrap();
    criterion.bench_function(&format!("sticky-cookie, no session{suffix}"), |bencher| {
        bencher.iter(|| black_box(affinity.lookup(&mut lent)).unwrap());
    });
}

fn whole_chain(criterion: &mut Criterion) {
    for (suffix, lanes) in LANES {
        whole_chain_on(criterion, suffix, lanes);
    }
}

fn whole_chain_on(criterion: &mut Criterion, suffix: &str, lanes: Lanes) {
    let mut group = criterion.benchmark_group(format!("default chain{suffix}"));
    for size in SIZES {
        let mut bench = bench("least-connections", size, lanes);
        let (mut lent, mut key) = (request(), 0);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                let chain = &mut bench.chain;
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

criterion_group!(
    benches,
    balancers,
    busy_balancers,
    observers,
    router_and_affinity,
    whole_chain
);
criterion_main!(benches);
