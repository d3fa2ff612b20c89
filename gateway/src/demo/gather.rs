//! From what the gateway and the shoppers count to what the table shows.

use gatewright_control::{Overview, PluginFigures, ServerFigures};
use gatewright_model::circuit::Phase;
use gatewright_model::endpoint;
use gatewright_model::histogram::Reading;

use super::rates::Rates;
use super::table::{Figures, Health, PluginRow, ServerRow, Totals};
use crate::traffic::Summary;

/// The digits of a version that there is room for.
const VERSION_DIGITS: usize = 8;

/// What the keys do.
const KEYS: &str = "1-9: kill or start a server   p: next policy   q: end, and print the totals";

/// The name under which all requests together have a rate.
const ALL: &str = "all";

/// Gathers figures again and again, and so knows what changed.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    rates: Rates,
    servers: Vec<(String, Health)>,
}

impl Gathering {
    /// The figures as they are now. The totals are the shoppers', who see what
    /// clients see; without shoppers they are the gateway's.
    pub(super) fn figures(&mut self, overview: &Overview, shoppers: Option<&Summary>) -> Figures {
        let mut figures = Figures {
            about: Vec::new(),
            totals: shoppers.map_or_else(|| totals(overview), totals_of_shoppers),
            servers: servers(&overview.servers),
            plugins: overview.plugins.iter().map(plugin).collect(),
            notes: Vec::new(),
            keys: KEYS,
        };
        figures.totals.elapsed = overview.uptime;
        self.add_rates(&mut figures);
        figures
    }

    /// In words, which servers are in another state than the last time.
    pub(super) fn changes(&mut self, figures: &Figures) -> Vec<String> {
        let states = figures
            .servers
            .iter()
            .map(|server| (server.id.clone(), server.health));
        let before = std::mem::replace(&mut self.servers, states.collect());
        let changed = self.servers.iter().filter(|now| {
            let known = before.iter().find(|then| then.0 == now.0);
            known.is_some_and(|then| then.1 != now.1 && then.1 != Health::Unknown)
        });
        changed
            .map(|(id, health)| format!("{id} is {}", health.word()))
            .collect()
    }

    fn add_rates(&mut self, figures: &mut Figures) {
        let elapsed = figures.totals.elapsed;
        let seats: Vec<String> = figures.plugins.iter().map(seat).collect();
        let counts = std::iter::once((ALL, figures.totals.requests))
            .chain(
                figures
                    .servers
                    .iter()
                    .map(|row| (row.id.as_str(), row.requests)),
            )
            .chain(
                seats
                    .iter()
                    .map(String::as_str)
                    .zip(figures.plugins.iter().map(|row| row.decisions)),
            );
        self.rates.turn(elapsed, counts);
        figures.totals.rate = self.rates.of(ALL, figures.totals.requests, elapsed);
        for row in &mut figures.servers {
            row.rate = self.rates.of(&row.id, row.requests, elapsed);
        }
        for (row, seat) in figures.plugins.iter_mut().zip(&seats) {
            row.rate = self.rates.of(seat, row.decisions, elapsed);
        }
    }
}

/// What a plugin's rate is kept under.
fn seat(row: &PluginRow) -> String {
    let pool = row.pool.as_deref().unwrap_or_default();
    format!("{} {pool} {}", row.role, row.name)
}

fn totals(overview: &Overview) -> Totals {
    let totals = &overview.totals;
    let [.., server_errors] = totals.responses;
    Totals {
        requests: totals.responses.iter().sum(),
        failed: server_errors,
        p50_ms: milliseconds(&totals.latency, 0.5),
        p99_ms: milliseconds(&totals.latency, 0.99),
        ..Totals::default()
    }
}

fn totals_of_shoppers(summary: &Summary) -> Totals {
    Totals {
        requests: summary.requests,
        failed: summary.failed,
        p50_ms: summary.p50_ms,
        p99_ms: summary.p99_ms,
        ..Totals::default()
    }
}

/// A row for each server, over all pools that it is in.
fn servers(figures: &[ServerFigures]) -> Vec<ServerRow> {
    let mut rows: Vec<(ServerRow, Reading)> = Vec::new();
    for server in figures {
        let id = server.id.as_str();
        let known = rows.iter().position(|(row, _)| row.id == id);
        let known = known.unwrap_or_else(|| {
            let row = ServerRow {
                id: id.to_owned(),
                health: health(server),
                ..ServerRow::default()
            };
            rows.push((row, Reading::default()));
            rows.len() - 1
        });
        let (row, latency) = &mut rows[known];
        row.health = worse(row.health, health(server));
        row.active += u64::from(server.active);
        row.requests += server.requests;
        row.failed += server.failures;
        latency.merge(&server.latency);
    }
    let with_times = |(row, latency): (ServerRow, Reading)| ServerRow {
        p50_ms: milliseconds(&latency, 0.5),
        p99_ms: milliseconds(&latency, 0.99),
        ..row
    };
    rows.into_iter().map(with_times).collect()
}

fn health(server: &ServerFigures) -> Health {
    match server.health {
        endpoint::Health::Unhealthy => Health::Down,
        _ if server.circuit != Phase::Closed => Health::Broken,
        _ if server.draining => Health::Draining,
        endpoint::Health::Healthy => Health::Up,
        endpoint::Health::Unknown => Health::Unknown,
    }
}

/// Pools check on their own, so that for a moment they may disagree.
fn worse(one: Health, other: Health) -> Health {
    let rank = |health| match health {
        Health::Up => 0,
        Health::Unknown => 1,
        Health::Draining => 2,
        Health::Broken => 3,
        Health::Down => 4,
    };
    std::cmp::max_by_key(one, other, |health| rank(*health))
}

fn plugin(figures: &PluginFigures) -> PluginRow {
    let mut version = figures.version.short();
    version.truncate(VERSION_DIGITS);
    PluginRow {
        name: figures.name.to_string(),
        role: figures.role.to_string(),
        pool: figures.pool.as_ref().map(ToString::to_string),
        version,
        decisions: figures.decisions,
        rate: 0.0,
        // The median: a thread that is interrupted in a decision is none of the
        // plugin's time, and a few of those would make the mean.
        ns_per_decision: figures.time_ns.quantile(0.5).unwrap_or_default(),
        faults: figures.faults.total(),
        state: figures.state.name().to_owned(),
    }
}

fn milliseconds(micros: &Reading, quantile: f64) -> f64 {
    micros.quantile(quantile).unwrap_or_default() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::histogram::Histogram;

    fn server(id: &str, pool: &str, health: endpoint::Health, micros: &[u32]) -> ServerFigures {
        let histogram = Histogram::default();
        micros.iter().for_each(|micros| histogram.record(*micros));
        let mut latency = Reading::default();
        histogram.add_to(&mut latency);
        ServerFigures {
            id: id.into(),
            pool: pool.into(),
            host: "127.0.0.1".into(),
            port: 1,
            weight: 1,
            health,
            circuit: Phase::Closed,
            ejections: 0,
            warmth: 100,
            draining: false,
            eligible: true,
            active: 1,
            requests: micros.len() as u64,
            failures: 1,
            connect_failures: 0,
            connections: 1,
            latency,
            mean_ms: None,
            state: std::sync::Weak::new(),
        }
    }

    #[test]
    fn a_server_of_two_pools_is_one_row() {
        use endpoint::Health::{Healthy, Unhealthy};
        let rows = servers(&[
            server("a", "api", Healthy, &[1000; 9]),
            server("b", "api", Healthy, &[2000]),
            server("a", "web", Unhealthy, &[100_000]),
        ]);
        assert_eq!(rows.len(), 2);
        let a = &rows[0];
        assert_eq!(
            (a.id.as_str(), a.active, a.requests, a.failed),
            ("a", 2, 10, 2)
        );
        assert_eq!(a.health, Health::Down);
        assert!((0.9..1.1).contains(&a.p50_ms), "{}", a.p50_ms);
        assert!((90.0..110.0).contains(&a.p99_ms), "{}", a.p99_ms);
        assert_eq!(rows[1].health, Health::Up);
    }

    #[test]
    fn only_what_was_known_can_change() {
        let mut gathering = Gathering::default();
        let mut see = |health| {
            let servers = vec![ServerRow {
                id: "a".to_owned(),
                health,
                ..ServerRow::default()
            }];
            gathering.changes(&Figures {
                servers,
                ..Figures::default()
            })
        };
        assert!(see(Health::Unknown).is_empty());
        assert!(see(Health::Up).is_empty());
        assert_eq!(see(Health::Down), ["a is down"]);
        assert!(see(Health::Down).is_empty());
    }
}
