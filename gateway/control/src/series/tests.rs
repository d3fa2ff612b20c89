//! A past that is made second by second.

use std::path::Path;
use std::time::Duration;

use gatewright_model::config::{Environment, parse};
use gatewright_model::id::Generation;
use gatewright_model::snapshot::Snapshot;

use super::*;
use crate::overview::server;
use crate::reloads::Reloads;

/// A gateway's figures over time, a second at each look.
struct Watched {
    series: Series,
    snapshot: Snapshot,
    now: Instant,
    totals: Totals,
}

impl Watched {
    fn new(servers: &str) -> Self {
        Self {
            series: Series::default(),
            snapshot: snapshot(None, servers),
            now: Instant::now(),
            totals: Totals::default(),
        }
    }

    fn look(&mut self) {
        let pools = self.snapshot.pools.iter();
        let servers = pools.flat_map(|pool| pool.endpoints().map(move |one| server(pool, one)));
        let overview = Overview {
            uptime: Duration::ZERO,
            totals: self.totals.clone(),
            pools: Vec::new(),
            servers: servers.collect(),
            plugins: Vec::new(),
            lookups: Vec::new(),
            last_reload: Reloads::default().last(),
            cache: gatewright_proxy::Kept::default(),
            telemetry: Default::default(),
        };
        self.series.take_in(overview, self.now);
        self.now += Duration::from_secs(1);
    }

    /// The first server answers so many requests, each in so many microseconds.
    fn answer(&self, requests: u64, micros: u32) {
        let endpoint = self.snapshot.pools[0].endpoints().next().unwrap();
        let counters = endpoint.state.counters_of(0);
        counters.requests.add(requests);
        (0..requests).for_each(|_| counters.responded(micros));
    }

    fn change(&mut self, servers: &str) {
        self.snapshot = snapshot(Some(&self.snapshot), servers);
    }

    fn past(&self, span: Span) -> Past {
        let pool = Some("web".to_owned());
        self.series.past(&Wanted {
            span,
            pool,
            ..Wanted::default()
        })
    }
}

fn snapshot(previous: Option<&Snapshot>, servers: &str) -> Snapshot {
    let text = format!("[pools.web]\nservers = [{servers}]");
    let config = parse(&text, Path::new(""), &Environment::empty()).unwrap();
    Snapshot::next(previous, Arc::new(config), 1).unwrap()
}

fn rates(points: &[Point]) -> Vec<f32> {
    points
        .iter()
        .map(|point| point.requests_per_second)
        .collect()
}

const ONE: &str = "\"127.0.0.1:3001\"";
const TWO: &str = "\"127.0.0.1:3001\", \"127.0.0.1:3002\"";

#[test]
fn a_second_has_its_own_percentiles() {
    let mut watched = Watched::new(ONE);
    watched.answer(7, 1_000);
    watched.look();
    assert!(watched.past(Span::Minute).times.is_empty());
    watched.answer(10, 2_000);
    watched.look();
    watched.look();
    let past = watched.past(Span::Minute);
    assert_eq!(past.times.len(), 2);
    let (_, points) = &past.servers[0];
    assert_eq!(rates(points), [10.0, 0.0]);
    let [median, _, p99] = points[0].quantiles().map(Option::unwrap);
    assert!((1_900.0..=2_100.0).contains(&median) && p99 == median);
    assert_eq!(points[1].quantiles(), [None; 3]);
}

#[test]
fn longer_points_hold_all_that_came_in_their_time() {
    let mut watched = Watched::new(ONE);
    watched.look();
    for second in 1..=15 {
        watched.answer(second, if second == 15 { 90_000 } else { 1_000 });
        watched.look();
    }
    let fives = watched.past(Span::FiveMinutes);
    assert_eq!(fives.times.len(), 3);
    assert_eq!(rates(&fives.servers[0].1), [3.0, 8.0, 13.0]);
    let quarter = watched.past(Span::QuarterHour);
    assert_eq!(rates(&quarter.servers[0].1), [8.0]);
    // 105 requests at 1 ms and 15 at 90 ms: neither a mean of means.
    let [median, _, p99] = quarter.servers[0].1[0].quantiles().map(Option::unwrap);
    assert!(median < 1_100.0 && p99 > 80_000.0, "{median} {p99}");
}

#[test]
fn no_more_than_sixty_points_are_kept() {
    let mut watched = Watched::new(ONE);
    for _ in 0..=1_000 {
        watched.look();
    }
    for span in Span::ALL {
        let past = watched.past(span);
        assert_eq!((past.times.len(), past.servers[0].1.len()), (60, 60));
        assert_eq!(past.pools[0].1.len(), 60);
    }
}

#[test]
fn a_server_has_a_past_from_its_own_beginning_to_its_end() {
    let mut watched = Watched::new(ONE);
    watched.look();
    watched.look();
    watched.change(TWO);
    watched.look();
    watched.look();
    let past = watched.past(Span::Minute);
    let lengths: Vec<_> = past
        .servers
        .iter()
        .map(|(_, points)| points.len())
        .collect();
    assert_eq!((past.times.len(), lengths), (3, vec![3, 1]));
    watched.change("\"127.0.0.1:3002\"");
    watched.look();
    assert_eq!(watched.past(Span::Minute).servers.len(), 1);
    // One that comes back begins anew.
    watched.change(TWO);
    watched.answer(5, 1_000);
    watched.look();
    let (_, points) = &watched.past(Span::Minute).servers[0];
    assert!(points.is_empty());
    // The pool goes on all the while.
    assert_eq!(watched.past(Span::Minute).pools[0].1.len(), 5);
}

#[test]
fn a_pool_is_its_servers_together() {
    let mut watched = Watched::new(TWO);
    watched.look();
    watched.answer(10, 1_000);
    let other = watched.snapshot.pools[0].endpoints().nth(1).unwrap();
    other.state.counters_of(0).requests.add(30);
    other.state.counters_of(0).failures.add(6);
    watched.look();
    let past = watched.past(Span::Minute);
    let (_, points) = &past.pools[0];
    assert_eq!(rates(points), [40.0]);
    assert_eq!(points[0].errors_per_second, 6.0);
    let busiest = watched.series.past(&Wanted {
        pool: Some("web".to_owned()),
        top: Some(1),
        ..Wanted::default()
    });
    assert_eq!(busiest.servers.len(), 1);
    assert_eq!(rates(&busiest.servers[0].1), [30.0]);
}

#[test]
fn all_traffic_is_what_clients_saw() {
    let mut watched = Watched::new(ONE);
    watched.totals.generation = Generation(1);
    watched.look();
    watched.totals.requests = 8;
    watched.totals.responses = [0, 6, 0, 0, 2];
    watched.totals.in_flight = 3;
    watched.look();
    let total = watched.series.past(&Wanted::default()).total.unwrap();
    assert_eq!(rates(&total), [8.0]);
    assert_eq!((total[0].errors_per_second, total[0].active), (2.0, 3.0));
    let look = watched.series.looks().borrow().clone().unwrap();
    assert_eq!(look.overview.totals.requests_per_second, 8.0);
}
