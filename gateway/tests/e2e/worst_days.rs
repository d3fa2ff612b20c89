//! What clients see on the worst days of servers, printed: one of three a hundred
//! times slower, one that fails a tenth of its requests, one that is gone, all of
//! them gone; and that it is over when the servers are well again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Request;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::support::{Builder, Client, Gateway, Pool, Shop, body_of, empty, eventually};

/// Clients at a time, each on a connection of its own.
const CLIENTS: usize = 8;

/// Requests of each.
const REQUESTS: usize = 50;

/// What a server that is well takes for a request.
const WELL: [&str; 2] = ["--delay", "2ms"];

/// What clients saw.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, usize>,
    times: Vec<Duration>,
}

impl Seen {
    fn only(&self, status: u16) -> bool {
        self.statuses.keys().all(|seen| *seen == status)
    }

    fn percentile(&self, percent: usize) -> Duration {
        self.times[(self.times.len() - 1) * percent / 100]
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (status, count) in &self.statuses {
            write!(f, "{count} × {status}, ")?;
        }
        let [median, slow] = [50, 99].map(|percent| self.percentile(percent));
        write!(f, "p50 {median:.1?}, p99 {slow:.1?}")
    }
}

/// Ask from many sides at a time.
async fn ask(gateway: &Gateway) -> Seen {
    let clients = (0..CLIENTS).map(|_| async {
        let stream = TcpStream::connect(gateway.address()).await;
        let mut client = Client::http1_on(stream.expect("it accepts")).await;
        let mut seen = Vec::with_capacity(REQUESTS);
        for _ in 0..REQUESTS {
            let request = Request::get("/api/test").header("host", "localhost");
            let began = Instant::now();
            let response = client.send(request.body(empty()).expect("a request")).await;
            let response = response.expect("a response");
            let status = response.status().as_u16();
            body_of(response.into_body()).await.expect("a whole body");
            seen.push((status, began.elapsed()));
        }
        seen
    });
    let mut all = Seen::default();
    for (status, time) in join_all(clients).await.concat() {
        *all.statuses.entry(status).or_default() += 1;
        all.times.push(time);
    }
    all.times.sort_unstable();
    all
}

/// A gateway that knows of its servers by requests alone.
async fn before(shops: &[Shop], retries: &str) -> Gateway {
    let addresses: Vec<_> = shops.iter().map(Shop::address).collect();
    let pool = Pool::at(&addresses)
        .with(
            "breaker",
            "{ open_time = \"300ms\", max_open_time = \"300ms\" }",
        )
        .with("retries", retries);
    Builder::new().workers(2).pool(pool).start().await
}

async fn shops(last: &[&str]) -> Vec<Shop> {
    vec![
        Shop::open(&WELL).await,
        Shop::open(&WELL).await,
        Shop::open(last).await,
    ]
}

/// What the API says of the last server.
async fn last(gateway: &Gateway) -> Value {
    gateway.servers().await.pop().expect("a server")
}

/// Tell how it was.
async fn tell(day: &str, seen: &Seen, gateway: &Gateway) {
    let server = last(gateway).await;
    println!(
        "{day}: {seen}; {} retries; the last server had {} of them, its circuit opened {} times",
        gateway.metric("gatewright_retries_total").await,
        server["totalRequests"],
        server["ejections"],
    );
}

async fn circuit_of_last_is(gateway: &Gateway, phase: &str) {
    eventually(&format!("the circuit is {phase}"), async || {
        // A circuit that is half-open waits for a request.
        gateway.get("/api/test").await;
        last(gateway).await["circuit"] == phase
    })
    .await;
}

#[tokio::test]
async fn a_server_a_hundred_times_slower_is_left_alone_once_it_misses_its_time() {
    let shops = shops(&["--delay", "200ms"]).await;
    let gateway = before(&shops, "{ per_try_timeout = \"100ms\" }").await;
    let seen = ask(&gateway).await;
    tell("one is a hundred times slower", &seen, &gateway).await;
    assert!(seen.only(200), "{seen}");
    assert!(last(&gateway).await["ejections"].as_u64() > Some(0));
}

#[tokio::test]
async fn a_server_that_fails_a_tenth_is_seen_unless_its_status_is_tried_again() {
    let shops = shops(&["--delay", "2ms", "--error-rate", "0.1"]).await;
    let gateway = before(&shops, "{}").await;
    let seen = ask(&gateway).await;
    tell("one fails a tenth", &seen, &gateway).await;
    let failed = seen.statuses.get(&500).copied().unwrap_or_default();
    assert!(failed < CLIENTS * REQUESTS / 10, "{seen}");
    let gateway = before(&shops, "{ statuses = [500], budget = 0.5 }").await;
    let seen = ask(&gateway).await;
    tell("one fails a tenth, 500 is tried again", &seen, &gateway).await;
    assert!(seen.only(200), "{seen}");
}

#[tokio::test]
async fn a_server_that_is_gone_is_seen_by_nobody_and_comes_back() {
    let mut shops = shops(&WELL).await;
    let gateway = before(&shops, "{}").await;
    shops[2].kill();
    let seen = ask(&gateway).await;
    tell("one is gone", &seen, &gateway).await;
    assert!(seen.only(200), "{seen}");
    assert!(last(&gateway).await["ejections"].as_u64() > Some(0));
    shops[2].reopen().await;
    circuit_of_last_is(&gateway, "closed").await;
    let before = last(&gateway).await["totalRequests"].as_u64();
    let seen = ask(&gateway).await;
    tell("it is back", &seen, &gateway).await;
    assert!(last(&gateway).await["totalRequests"].as_u64() > before);
}

#[tokio::test]
async fn when_all_are_gone_clients_hear_so_at_once_and_all_is_well_when_they_are_back() {
    let mut shops = shops(&WELL).await;
    let gateway = before(&shops, "{}").await;
    shops.iter_mut().for_each(Shop::kill);
    let seen = ask(&gateway).await;
    tell("all are gone", &seen, &gateway).await;
    let refused: usize = [502, 503].iter().filter_map(|s| seen.statuses.get(s)).sum();
    assert_eq!(refused, CLIENTS * REQUESTS, "{seen}");
    for shop in &mut shops {
        shop.reopen().await;
    }
    circuit_of_last_is(&gateway, "closed").await;
    let seen = ask(&gateway).await;
    tell("all are back", &seen, &gateway).await;
    assert!(seen.only(200), "{seen}");
    gateway.settles().await;
}
