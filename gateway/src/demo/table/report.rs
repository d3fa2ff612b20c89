//! What a demo came to: its last line with `--json`, its last words without.

use std::fmt;

use serde::Serialize;

use super::figures::{Figures, PluginRow, ServerRow};

/// The totals of a demo. Times are in milliseconds unless they say otherwise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Requests that came to an end, good or bad.
    pub(crate) requests: u64,
    /// Of these, how many failed.
    pub(crate) failed: u64,
    /// By server.
    pub(crate) servers: Vec<ServerReport>,
    /// By plugin.
    pub(crate) plugins: Vec<PluginReport>,
}

/// A server's totals.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ServerReport {
    id: String,
    requests: u64,
    failed: u64,
    p50_ms: f64,
    p99_ms: f64,
}

/// A plugin's totals.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PluginReport {
    name: String,
    role: String,
    pool: Option<String>,
    version: String,
    decisions: u64,
    faults: u64,
    ns_per_decision: f64,
}

impl From<&Figures> for Report {
    fn from(figures: &Figures) -> Self {
        Self {
            requests: figures.totals.requests,
            failed: figures.totals.failed,
            servers: figures.servers.iter().map(ServerReport::from).collect(),
            plugins: figures.plugins.iter().map(PluginReport::from).collect(),
        }
    }
}

impl From<&ServerRow> for ServerReport {
    fn from(row: &ServerRow) -> Self {
        Self {
            id: row.id.clone(),
            requests: row.requests,
            failed: row.failed,
            p50_ms: row.p50_ms,
            p99_ms: row.p99_ms,
        }
    }
}

impl From<&PluginRow> for PluginReport {
    fn from(row: &PluginRow) -> Self {
        Self {
            name: row.name.clone(),
            role: row.role.clone(),
            pool: row.pool.clone(),
            version: row.version.clone(),
            decisions: row.decisions,
            faults: row.faults,
            ns_per_decision: row.ns_per_decision,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} requests, {} failed",
            self.requests, self.failed
        )?;
        for server in &self.servers {
            write!(
                formatter,
                "\n  {}: {} requests, {} failed, p50 {:.2} ms, p99 {:.2} ms",
                server.id, server.requests, server.failed, server.p50_ms, server.p99_ms
            )?;
        }
        for plugin in &self.plugins {
            write!(formatter, "\n  {} ({}", plugin.name, plugin.role)?;
            if let Some(pool) = &plugin.pool {
                write!(formatter, " of {pool}")?;
            }
            write!(
                formatter,
                ", {}): {} decisions at {:.0} ns, {} faults",
                plugin.version, plugin.decisions, plugin.ns_per_decision, plugin.faults
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn as_json_it_has_exactly_the_documented_fields() {
        let mut figures = Figures::sample();
        figures.servers.truncate(1);
        let expected = json!({
            "requests": 4321,
            "failed": 2,
            "servers": [{
                "id": "backend-3001", "requests": 4300, "failed": 0,
                "p50_ms": 1.25, "p99_ms": 8.5,
            }],
            "plugins": [{
                "name": "path-router", "role": "router", "pool": null,
                "version": "1f0c9a2b", "decisions": 4321, "faults": 0,
                "ns_per_decision": 431.7,
            }, {
                "name": "least-connections", "role": "balancer", "pool": "web",
                "version": "1f0c9a2b", "decisions": 4321, "faults": 1,
                "ns_per_decision": 431.7,
            }],
        });
        let report = serde_json::to_value(Report::from(&figures)).expect("it can be written");
        assert_eq!(report, expected);
    }

    #[test]
    fn in_words_it_has_a_line_for_each_server_and_plugin() {
        let expected = "\
4321 requests, 2 failed
  backend-3001: 4300 requests, 0 failed, p50 1.25 ms, p99 8.50 ms
  backend-3002: 21 requests, 0 failed, p50 1.25 ms, p99 8.50 ms
  path-router (router, 1f0c9a2b): 4321 decisions at 432 ns, 0 faults
  least-connections (balancer of web, 1f0c9a2b): 4321 decisions at 432 ns, 1 faults";
        assert_eq!(Report::from(&Figures::sample()).to_string(), expected);
    }
}
