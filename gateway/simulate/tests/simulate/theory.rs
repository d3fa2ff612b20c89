//! Queues whose figures theory knows. All are without a network, checks, circuits
//! and retries, which theory does not have.

use crate::support::{assert_near, run};

/// What switches off all that a queue of the textbooks does not have.
const BARE: &str = "health = false\nbreaker = false\nretries = { attempts = 1, per_try_timeout = \"1h\" }\nrequest_timeout = \"0s\"\n";

/// Poisson arrivals, exponential work of 10 ms in the mean, so many equal servers
/// each loaded so much.
fn queue(servers: u32, concurrency: u32, load: f64, requests: u64) -> String {
    let rate = load * f64::from(servers) * f64::from(concurrency) * 100.0;
    let warm_up = requests as f64 / rate / 10.0;
    format!(
        "requests = {requests}\nwarm_up = \"{}ms\"\n\
         arrivals = {{ poisson = {{ rate = {rate} }} }}\n\
         work = {{ exponential = {{ mean = \"10ms\" }} }}\n\
         clients = {{ count = 1000000 }}\n\
         [pool]\n{BARE}\
         [[servers]]\nname = \"s\"\ncount = {servers}\nconcurrency = {concurrency}\n",
        (warm_up * 1000.0) as u64
    )
}

/// The chance that a request has to wait with so many servers that share a queue
/// (A. K. Erlang, 1917: the C formula), by the recursion of the B formula.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    let blocked = (1..=servers).fold(1.0, |blocked, n| {
        offered * blocked / (f64::from(n) + offered * blocked)
    });
    blocked / (1.0 - load * (1.0 - blocked))
}

/// The mean time of requests that join the shorter of two queues with a server
/// each, in units of the work (the model of F. Haight, "Two queues in parallel",
/// 1958). It has no plain formula, so the chain of the two lengths is followed from
/// empty until it stands still, cut off where hardly a request ever comes to. Who
/// gets a request at a tie changes neither length.
fn shorter_of_two(load: f64) -> f64 {
    const LONGEST: usize = 40;
    let arrivals = 2.0 * load;
    let states: Vec<(usize, usize)> = (0..=LONGEST)
        .flat_map(|long| (0..=long).map(move |short| (short, long)))
        .collect();
    // By the shorter queue and the longer one.
    let mut chances = vec![vec![0.0_f64; LONGEST + 1]; LONGEST + 1];
    chances[0][0] = 1.0;
    let mut before = f64::INFINITY;
    loop {
        let mut next = vec![vec![0.0_f64; LONGEST + 1]; LONGEST + 1];
        for &(short, long) in &states {
            let chance = chances[short][long] / (arrivals + 2.0);
            let joined = match short < long {
                true => (short + 1, long),
                false => (short, LONGEST.min(long + 1)),
            };
            next[joined.0][joined.1] += chance * arrivals;
            next[short.saturating_sub(1)][long] += chance;
            let left = long.saturating_sub(1);
            next[short.min(left)][short.max(left)] += chance;
        }
        chances = next;
        let lengths = states
            .iter()
            .map(|&(short, long)| chances[short][long] * (short + long) as f64);
        let number: f64 = lengths.sum();
        if (number - before).abs() < 1e-9 {
            // J. Little, 1961.
            return number / arrivals;
        }
        before = number;
    }
}

#[test]
fn one_queue_for_several_servers_is_as_long_as_erlang_says() {
    for (servers, load) in [(1, 0.5), (4, 0.8), (16, 0.9)] {
        let outcome = run("round-robin", &queue(1, servers, load, 150_000), 1);
        // M/M/n: the wait's mean, beside the work's.
        let wait = erlang_c(servers, load) * 10.0 / (f64::from(servers) * (1.0 - load));
        assert_near("mean", outcome.mean_ms, 10.0 + wait, 0.05);
        assert_near("utilisation", outcome.utilisation.mean, load, 0.02);
    }
}

#[test]
fn hashing_of_many_clients_makes_every_server_a_queue_of_its_own() {
    // Requests of a million clients are spread as by chance: M/M/1, whose time in
    // the system is exponentially distributed around 1 / (μ - λ).
    let outcome = run("ip-hash", &queue(20, 1, 0.7, 150_000), 2);
    let mean = 10.0 / (1.0 - 0.7);
    assert_near("mean", outcome.mean_ms, mean, 0.08);
    assert_near("median", outcome.p50_ms, mean * 2.0_f64.ln(), 0.08);
    assert_near("p99", outcome.p99_ms, mean * 100.0_f64.ln(), 0.10);
}

#[test]
fn two_choices_take_the_time_of_the_supermarket_model() {
    // M. Mitzenmacher, "The power of two choices in randomized load balancing"
    // (2001), for many servers: Σ λ^(2^i - 2) over i from 1, in units of the work.
    // For λ = 0.9 that is 2.614, where by one choice it is 10.
    let outcome = run("power-of-two", &queue(200, 1, 0.9, 200_000), 3);
    let expected: f64 = (1..10).map(|i| 0.9_f64.powi(2_i32.pow(i) - 2)).sum();
    assert_near("mean", outcome.mean_ms, 10.0 * expected, 0.05);
}

#[test]
fn the_shorter_of_two_queues_takes_the_time_of_its_chain() {
    // A queue that both share would take 7 % less, one each 40 % more or worse.
    for load in [0.5, 0.7] {
        let expected = 10.0 * shorter_of_two(load);
        let text = queue(2, 1, load, 150_000);
        let means = [1, 2, 3].map(|seed| run("least-connections", &text, seed).mean_ms);
        for mean in means {
            assert_near("mean of a seed", mean, expected, 0.05);
        }
        let mean = means.iter().sum::<f64>() / means.len() as f64;
        assert_near("mean", mean, expected, 0.025);
    }
}

#[test]
fn the_shortest_queue_lies_between_a_shared_one_and_a_queue_each() {
    let text = queue(10, 1, 0.9, 150_000);
    let shortest = run("least-connections", &text, 4).mean_ms;
    let two = run("power-of-two", &text, 4).mean_ms;
    let chance = run("ip-hash", &text, 4).mean_ms;
    // No way of joining queues beats the one that is shared, M/M/10.
    let shared = 10.0 + erlang_c(10, 0.9) * 10.0 / (10.0 * (1.0 - 0.9));
    assert!(shared < shortest, "{shared} {shortest}");
    assert!(
        shortest < two && two < chance / 2.0,
        "{shortest} {two} {chance}"
    );
}

#[test]
fn the_fullest_of_as_many_bins_as_balls_holds_what_two_choices_allow() {
    // Requests that never end are balls in bins. Mitzenmacher (2001), after Azar,
    // Broder, Karlin and Upfal (1999): with n of both, the fullest bin has about
    // ln n / ln ln n balls by one choice (5 or 6 for a thousand, rarely 4 or 8),
    // and ln ln n / ln 2 + O(1) by two (3, hardly ever 4).
    let balls = format!(
        "requests = 1000\narrivals = {{ constant = {{ rate = 1000 }} }}\n\
         work = {{ constant = {{ time = \"1000s\" }} }}\nclients = {{ count = 1000000 }}\n\
         [pool]\n{BARE}[[servers]]\nname = \"bin\"\ncount = 1000\nconcurrency = 100\n"
    );
    for seed in 1..=3 {
        let one = run("ip-hash", &balls, seed).peak;
        let two = run("power-of-two", &balls, seed).peak;
        let fewest = run("least-connections", &balls, seed).peak;
        assert!((4..=8).contains(&one), "{one}");
        assert!((2..=4).contains(&two) && two < one, "{two}");
        assert_eq!(fewest, 1);
    }
}

#[test]
fn a_gateway_sees_no_more_than_its_own_requests() {
    // Requests that never end, as many as servers. Who sees them all gives each
    // server one; two that see only their own both begin with the first server, and
    // leave the last ones without.
    let dealt = |gateways: u32| {
        let text = format!(
            "requests = 200\narrivals = {{ constant = {{ rate = 1000 }} }}\n\
             work = {{ constant = {{ time = \"1000s\" }} }}\ngateways = {{ count = {gateways} }}\n\
             [pool]\n{BARE}[[servers]]\nname = \"s\"\ncount = 200\nconcurrency = 100\n"
        );
        let outcome = run("least-connections", &text, 1);
        (outcome.groups[0].fewest, outcome.groups[0].most)
    };
    assert_eq!(dealt(1), (1, 1));
    assert_eq!(dealt(2), (0, 2));
}
