//! What has been published of the shipped balancers' algorithms, seen again with
//! the shipped components.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use gatewright_host::{Chain, Host, HostOptions, Plan};
use gatewright_model::config::{self, Environment};
use gatewright_model::snapshot::Snapshot;
use gatewright_simulate::{Outcome, Policy, simulate_one};
use serde_json::{Map, Value};

use crate::failures::SLOW_SERVER;
use crate::support::{run, scenario, workshop};

/// What a balancer with these settings comes to.
fn run_with(balancer: &str, settings: &Value, text: &str, seed: u64) -> Outcome {
    let config = settings.as_object().cloned();
    let policy = Policy {
        config: config.unwrap_or_else(Map::new),
        ..Policy::named(balancer)
    };
    let outcome = simulate_one(&scenario(text), &policy, seed, &workshop(), &mut |_| {});
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outcome.faults, 0, "{balancer}");
    outcome
}

#[test]
fn peak_ewma_answers_999_in_1000_in_time_though_one_server_is_slow() {
    // O. Gould, "Beyond Round Robin: Load Balancing for Latency" (2016): 95 % by
    // round robin, 99 % by least loaded, 99.9 % by peak EWMA.
    for seed in [1, 2] {
        let [turns, least, peak] = ["round-robin", "least-connections", "peak-ewma"]
            .map(|balancer| run(balancer, SLOW_SERVER, seed).within.unwrap());
        assert!((0.945..0.96).contains(&turns), "{turns}");
        assert!((0.99..0.9995).contains(&least), "{least}");
        assert!(peak >= 0.999 && peak > least, "{peak} {least}");
    }
}

/// The setting of the Prequal paper's section 5.1: servers have their allocation
/// for sure and more of their machine while nobody else uses it, and the load goes
/// from 0.75 to 1.74 of all allocations. Here a machine has 2.5 allocations, of
/// which others take 1.5 for a fifth of the time.
const ANTAGONISTS: &str = "duration = \"60s\"\nwarm_up = \"5s\"\n\
    arrivals = { ramp = { from = 750, to = 1740, over = \"60s\" } }\n\
    work = { exponential = { mean = \"80ms\" } }\n\
    [pool]\nhealth = false\nbreaker = false\n\
    retries = { attempts = 1, per_try_timeout = \"1m\" }\n\
    [[servers]]\nname = \"s\"\ncount = 20\nconcurrency = 10\n\
    [[antagonists]]\nservers = \"s\"\nshare = 0.6\nevery = \"16s\"\nlasts = \"4s\"\n";

#[test]
fn prequal_keeps_the_tail_short_where_weighted_turns_do_not() {
    // B. Wydrowski and others, "Load is not what you should balance: Introducing
    // Prequal" (NSDI 2024), figure 6: past the allocation, the p99 of weighted
    // round robin is many times that of Prequal. Weights there follow what servers
    // use, as `adaptive` does; `weighted` has fixed ones.
    for seed in [1, 2] {
        let [prequal, fixed, following] = ["prequal", "weighted", "adaptive"]
            .map(|balancer| run(balancer, ANTAGONISTS, seed).p99_ms);
        assert!(prequal < 0.2 * fixed, "{prequal} {fixed}");
        assert!(prequal < 0.6 * following, "{prequal} {following}");
    }
}

#[test]
fn no_server_has_more_than_the_bound_of_bounded_loads() {
    // V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded
    // Loads" (SODA 2018): ⌈c m / n⌉ for m balls in n bins. Requests that never end
    // are the balls, and some keys have most of them.
    let balls = "requests = 2000\narrivals = { constant = { rate = 1000 } }\n\
        work = { constant = { time = \"1000s\" } }\nclients = { count = 1000, zipf = 1.2 }\n\
        [pool]\nhealth = false\nbreaker = false\nrequest_timeout = \"0s\"\n\
        retries = { attempts = 1, per_try_timeout = \"1h\" }\n\
        [[servers]]\nname = \"bin\"\ncount = 30\nconcurrency = 2000\n";
    for (factor, seed) in [(1.0_f64, 1), (1.1, 1), (1.25, 2), (2.0, 3)] {
        let settings = serde_json::json!({ "balance": factor, "floor": 1 });
        let most = run_with("consistent-hash", &settings, balls, seed).peak;
        let bound = (factor * 2000.0 / 30.0).ceil();
        assert!(f64::from(most) <= bound, "{factor}: {most} of {bound}");
        // The fullest one is at the bound: the most popular key has a fifth.
        assert!(
            f64::from(most) >= bound - 1.0,
            "{factor}: {most} of {bound}"
        );
    }
    let free = serde_json::json!({ "balance": false });
    let most = run_with("consistent-hash", &free, balls, 1).peak;
    assert!(most > 250, "{most}");
}

/// A worker of a gateway with one pool, whose balancer is asked for keys.
struct Worker {
    host: Arc<Host>,
    plan: Plan,
    snapshot: Arc<Snapshot>,
    chain: Chain,
}

/// A configuration with servers at these ports.
fn snapshot(before: Option<&Snapshot>, ports: &[u16], table: u32) -> Arc<Snapshot> {
    let mut text = format!(
        "[pools.web]\nhealth = false\nservers = [{}]\nbalancer = {{ plugin = \"consistent-hash\", \
         deadline = \"300ms\", ",
        ports.iter().fold(String::new(), |mut servers, port| {
            let _ = write!(servers, "\"192.0.2.1:{port}\", ");
            servers
        })
    );
    let _ = writeln!(text, "config = {{ table_size = {table} }} }}");
    let config = config::parse(&text, Path::new("."), &Environment::empty()).unwrap();
    Arc::new(Snapshot::next(before, Arc::new(config), 1).unwrap())
}

impl Worker {
    fn of(ports: &[u16], table: u32) -> Self {
        let workshop = workshop();
        let options = HostOptions {
            workers: 1,
            cache: workshop.cache,
            components: None,
            compiler: workshop.compiler,
        };
        let host = Host::start(options).unwrap();
        let snapshot = snapshot(None, ports, table);
        let mut prepared = host.prepare(&snapshot, None).unwrap();
        let chain = Chain::new(prepared.chains.remove(0), &snapshot);
        Self {
            host,
            plan: prepared.plan,
            snapshot,
            chain,
        }
    }

    fn take(&mut self, ports: &[u16], table: u32) {
        let next = snapshot(Some(&self.snapshot), ports, table);
        let mut prepared = self.host.prepare(&next, Some(&self.plan)).unwrap();
        self.chain.apply(prepared.chains.remove(0), &next);
        self.plan = prepared.plan;
        self.snapshot = next;
    }

    /// The port that each of so many keys belongs to.
    fn owners(&mut self, keys: u64) -> Vec<u16> {
        let pool = Arc::clone(&self.snapshot.pools[0]);
        let seat = &mut self.chain.pools[0].balancer;
        let keys = (0..keys).map(|key| key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        keys.map(|key| {
            let slot = seat.pick(key, &mut None).unwrap().unwrap();
            pool.endpoint(slot).unwrap().port
        })
        .collect()
    }
}

fn counts(owners: &[u16]) -> BTreeMap<u16, u32> {
    let mut counts = BTreeMap::new();
    for owner in owners {
        *counts.entry(*owner).or_default() += 1;
    }
    counts
}

#[test]
fn a_maglev_table_is_even_and_a_server_that_leaves_moves_few_other_keys() {
    // D. Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load
    // Balancer" (NSDI 2016): with 100 places a server, servers' shares differ by
    // 1 % at most (section 3.4); a server's removal changes its own places and few
    // others (5.3), where the plain remainder of the key would change nearly all.
    // Seen here is what becomes of keys; the plugin's own tests count the places.
    const KEYS: u64 = 60_000;
    for (servers, table) in [(10, 16_381), (100, 16_381), (100, 65_537)] {
        let mut ports: Vec<u16> = (3_000..3_000 + servers).collect();
        let mut worker = Worker::of(&ports, table);
        let before = worker.owners(KEYS);
        let mean = KEYS as f64 / f64::from(servers);
        for (port, count) in counts(&before) {
            // 1 % of the mean, and five standard deviations of drawing keys.
            let off = (f64::from(count) - mean).abs();
            assert!(off < 0.01 * mean + 5.0 * mean.sqrt(), "{port}: {count}");
        }
        let gone = ports.remove(usize::from(servers) / 2);
        worker.take(&ports, table);
        let after = worker.owners(KEYS);
        let pairs = || before.iter().zip(&after);
        let others = pairs().filter(|(before, _)| **before != gone);
        let moved = others.filter(|(before, after)| before != after).count();
        let moved = moved as f64 / KEYS as f64;
        assert!(moved < 0.02, "{servers} on {table}: {moved}");
        // Its keys go to all others, and to none much more than to another.
        let own: Vec<_> = pairs().filter(|(before, _)| **before == gone).collect();
        let own: Vec<_> = own.into_iter().map(|(_, after)| *after).collect();
        let spread = counts(&own);
        let share = own.len() as f64 / f64::from(servers - 1);
        for count in spread.values() {
            assert!(
                f64::from(*count) < 2.0 * share + 5.0 * share.sqrt(),
                "{spread:?}"
            );
        }
        assert!(
            spread.len() > usize::from(servers) * 3 / 4,
            "{}",
            spread.len()
        );
    }
}
