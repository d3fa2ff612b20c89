//! The figures of a gateway on a screen, each second anew.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;

use super::words::not_in_force;
use crate::cli::api::{Events, Told};
use crate::demo::table::{Figures, Health, Key, PluginRow, ServerRow, Table, Totals};

/// How often keys are looked for.
const TICK: Duration = Duration::from_millis(100);

/// Lines of what has happened that are kept: more than a screen shows.
const MOST_NOTES: usize = 100;

/// The digits of a version that there is room for.
const VERSION_DIGITS: usize = 8;

/// What the keys do.
const KEYS: &str = "q: end";

/// Show what comes until q is pressed.
///
/// # Errors
///
/// When the stream ends, or the terminal does not do as it is told.
pub(super) async fn show(mut events: Events, admin: &str) -> anyhow::Result<()> {
    let mut table = Table::new()?;
    let mut shown = Figures {
        about: vec![admin.to_owned()],
        keys: KEYS,
        ..Figures::default()
    };
    let mut notes = VecDeque::new();
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            told = events.next() => take(told?, &mut shown, &mut notes),
            _ = ticks.tick() => {
                if table.pressed()?.contains(&Key::Quit) {
                    return Ok(());
                }
                continue;
            }
        }
        shown.notes = notes.iter().cloned().collect();
        table.draw(&shown)?;
    }
}

/// Take in what is told.
fn take(told: Told, shown: &mut Figures, notes: &mut VecDeque<String>) {
    let Told { name, data } = told;
    if name == "metrics" {
        let about = format!(
            "{}: generation {}",
            text(&data, "status"),
            data["generation"]
        );
        shown.about.truncate(1);
        shown.about.push(about);
        shown.about.extend(not_in_force(&data["lastReload"]));
        shown.totals = totals(&data);
        shown.servers = rows(&data["servers"], server);
        shown.plugins = rows(&data["plugins"], plugin);
        return;
    }
    if notes.len() == MOST_NOTES {
        notes.pop_front();
    }
    notes.push_back(note(&name, &data));
}

/// An event in a line.
fn note(name: &str, data: &Value) -> String {
    match name {
        "audit" => {
            let [who, action, target] = ["who", "action", "target"].map(|field| text(data, field));
            format!("{who}: {action} {target}")
        }
        "missed" => format!("{} events were missed", data["missed"]),
        _ => text(data, "message").replace('\n', " "),
    }
}

fn rows<R>(data: &Value, row: fn(&Value) -> R) -> Vec<R> {
    data.as_array().into_iter().flatten().map(row).collect()
}

fn totals(data: &Value) -> Totals {
    Totals {
        elapsed: Duration::from_secs(count(data, "uptimeSeconds")),
        requests: count(data, "totalRequests"),
        failed: data["responses"][4].as_u64().unwrap_or_default(),
        rate: number(data, "requestsPerSecond"),
        p50_ms: number(data, "medianResponseTime"),
        p99_ms: number(data, "p99ResponseTime"),
    }
}

fn server(data: &Value) -> ServerRow {
    let health = match (text(data, "status").as_str(), &data["draining"]) {
        ("unhealthy", _) => Health::Down,
        _ if matches!(data["circuit"].as_str(), Some("open" | "half-open")) => Health::Broken,
        (_, Value::Bool(true)) => Health::Draining,
        ("healthy", _) => Health::Up,
        _ => Health::Unknown,
    };
    ServerRow {
        id: format!("{} {}", text(data, "pool"), text(data, "serverId")),
        health,
        active: count(data, "activeConnections"),
        requests: count(data, "totalRequests"),
        rate: number(data, "requestsPerSecond"),
        failed: count(data, "failedRequests"),
        p50_ms: number(data, "medianResponseTime"),
        p99_ms: number(data, "p99ResponseTime"),
    }
}

fn plugin(data: &Value) -> PluginRow {
    let (plugin, seat) = (text(data, "plugin"), text(data, "binding"));
    let name = match seat.strip_prefix("-/policy.") {
        Some(policy) if policy != plugin => format!("{plugin} ({policy})"),
        _ => plugin,
    };
    PluginRow {
        name,
        role: text(data, "role"),
        pool: data["pool"].as_str().map(str::to_owned),
        version: text(data, "version").chars().take(VERSION_DIGITS).collect(),
        decisions: count(data, "decisions"),
        rate: number(data, "decisionsPerSecond"),
        ns_per_decision: number(data, "nsPerDecision"),
        faults: count(data, "faults"),
        state: text(data, "state"),
    }
}

fn text(data: &Value, field: &str) -> String {
    data[field].as_str().unwrap_or_default().to_owned()
}

fn count(data: &Value, field: &str) -> u64 {
    data[field].as_u64().unwrap_or_default()
}

fn number(data: &Value, field: &str) -> f64 {
    data[field].as_f64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(name: &str, data: Value) -> Told {
        let name = name.to_owned();
        Told { name, data }
    }

    #[test]
    fn figures_replace_those_before_and_events_become_notes() {
        let (mut shown, mut notes) = (Figures::default(), VecDeque::new());
        shown.about.push("http://here".to_owned());
        for requests in [1, 2] {
            let data = json!({
                "status": "healthy", "generation": 7, "totalRequests": requests,
                "responses": [0, 1, 0, 0, 5],
                "servers": [{ "serverId": "a:1", "pool": "web", "status": "healthy", "draining": true }],
                "plugins": [{
                    "plugin": "mine", "version": "0123456789", "pool": null,
                    "role": "request-policy", "binding": "-/policy.guard",
                }],
            });
            take(told("metrics", data), &mut shown, &mut notes);
        }
        assert_eq!(shown.about, ["http://here", "healthy: generation 7"]);
        assert_eq!((shown.totals.requests, shown.totals.failed), (2, 5));
        assert_eq!(shown.servers.len(), 1);
        assert_eq!(shown.servers[0].id, "web a:1");
        assert_eq!(shown.servers[0].health, Health::Draining);
        assert_eq!(shown.plugins[0].version, "01234567");
        assert_eq!(shown.plugins[0].name, "mine (guard)");
        let mut data = json!({ "status": "healthy", "generation": 7 });
        data["lastReload"] = json!({ "at": "now", "outcome": "refused", "error": "a.toml:1: a" });
        take(told("metrics", data.clone()), &mut shown, &mut notes);
        let line = "at now the configuration was refused, and the one before is in force: \
                    a.toml:1: a";
        assert_eq!(shown.about, ["http://here", "healthy: generation 7", line]);
        data["lastReload"] = json!({ "at": "then", "outcome": "applied", "error": null });
        take(told("metrics", data), &mut shown, &mut notes);
        assert_eq!(shown.about, ["http://here", "healthy: generation 7"]);
        let audit = json!({ "who": "me", "action": "server.add", "target": "x" });
        take(told("audit", audit), &mut shown, &mut notes);
        let health = json!({ "message": "a:1 is\nwell" });
        take(told("health", health), &mut shown, &mut notes);
        assert_eq!(notes, ["me: server.add x", "a:1 is well"]);
    }

    #[test]
    fn notes_do_not_pile_up() {
        let (mut shown, mut notes) = (Figures::default(), VecDeque::new());
        for count in 0..=MOST_NOTES {
            take(
                told("missed", json!({ "missed": count })),
                &mut shown,
                &mut notes,
            );
        }
        assert_eq!(notes.len(), MOST_NOTES);
        assert_eq!(notes[0], "1 events were missed");
    }
}
