//! The figures of a gateway as text.

use serde_json::Value;

use crate::cli::table::{Column, Table};

const POOLS: [Column; 11] = [
    ("POOL", "pool"),
    ("ALGORITHM", "algorithm"),
    ("WELL", "activeServers"),
    ("UNHEALTHY", "unhealthyServers"),
    ("PANICS", "panicking"),
    ("ACTIVE", "activeConnections"),
    ("WAITING", "waiting"),
    ("SHED", "shed"),
    ("PER S", "requestsPerSecond"),
    ("FAILED", "failedRequests"),
    ("MS", "averageResponseTime"),
];

const SERVERS: [Column; 10] = [
    ("SERVER", "serverId"),
    ("POOL", "pool"),
    ("STATUS", "status"),
    ("CIRCUIT", "circuit"),
    ("DRAINING", "draining"),
    ("ACTIVE", "activeConnections"),
    ("REQUESTS", "totalRequests"),
    ("PER S", "requestsPerSecond"),
    ("FAILED", "failedRequests"),
    ("P99 MS", "p99ResponseTime"),
];

const PLUGINS: [Column; 7] = [
    ("PLUGIN", "plugin"),
    ("SEAT", "binding"),
    ("ROLE", "role"),
    ("STATE", "state"),
    ("PER S", "decisionsPerSecond"),
    ("NS", "nsPerDecision"),
    ("FAULTS", "faults"),
];

const GATEWAYS: [Column; 6] = [
    ("GATEWAY", "name"),
    ("ADMIN", "admin"),
    ("VERSION", "version"),
    ("WELL", "healthy"),
    ("UNHEALTHY", "unhealthy"),
    ("PROGRAM", "program"),
];

/// How it stands with the cluster; nothing of a gateway that is alone.
fn of_cluster(cluster: &Value) -> String {
    if cluster["enabled"] != true {
        return String::new();
    }
    let text = |field: &str| cluster[field].as_str().unwrap_or("unknown");
    let standing = match cluster["connected"] == true {
        true => "connected".to_owned(),
        false => format!("away, changes wait: {}", text("why")),
    };
    let problems = cluster["problems"].as_array().into_iter().flatten();
    let problems = problems.filter_map(Value::as_str);
    let problems: String = problems.map(|one| format!("problem: {one}\n")).collect();
    let table = Table::of(&cluster["gateways"], &GATEWAYS);
    format!(
        "cluster: {}, {standing}\n{problems}\n{table}\n",
        text("server")
    )
}

/// All of it.
pub(super) fn of(figures: &Value) -> String {
    let text = |field: &str| figures[field].as_str().unwrap_or("unknown");
    let number = |field: &str| figures[field].as_f64().unwrap_or_default();
    let applied = &figures["applied"];
    format!(
        "{}, up {}; generation {} is in force on {} of {} workers\n{}\
         {} requests, {:.1} a second, {} in flight, {} connections; p50 {:.2} ms, p99 {:.2} ms\n\n\
         {}{}\n{}\n{}",
        text("status"),
        text("uptime"),
        number("generation"),
        applied["workers"],
        applied["of"],
        not_in_force(&figures["lastReload"]).map_or_else(String::new, |line| line + "\n"),
        number("totalRequests"),
        number("requestsPerSecond"),
        number("requestsInFlight"),
        number("activeConnections"),
        number("medianResponseTime"),
        number("p99ResponseTime"),
        of_cluster(&figures["cluster"]),
        Table::of(&figures["pools"], &POOLS),
        Table::of(&figures["servers"], &SERVERS),
        Table::of(&figures["plugins"], &PLUGINS),
    )
}

/// A line, where the files that lie there are not in force.
pub(super) fn not_in_force(reload: &Value) -> Option<String> {
    let error = reload["error"].as_str()?;
    let mut wrong = error.lines();
    let first = wrong.next().unwrap_or_default();
    let more = match wrong.count() {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let at = reload["at"].as_str().unwrap_or("the last reload");
    // Others have nothing wrong in them, and the error says what they wait for.
    let was = match reload["outcome"].as_str() {
        Some("refused") => "refused",
        _ => "not taken over",
    };
    Some(format!(
        "at {at} the configuration was {was}, and the one before is in force: {first}{more}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cluster_is_told_of_where_there_is_one() {
        assert_eq!(of_cluster(&json!({ "enabled": false })), "");
        assert_eq!(of_cluster(&Value::Null), "");
        let cluster = json!({
            "enabled": true, "connected": false, "server": "redis://a:1", "why": "no route",
            "gateways": [{ "name": "gw-1", "version": 7 }], "problems": ["it is so"],
        });
        let text = of_cluster(&cluster);
        assert!(
            text.contains("redis://a:1, away, changes wait: no route"),
            "{text}"
        );
        assert!(text.contains("gw-1"), "{text}");
        assert!(text.contains("\nproblem: it is so\n"), "{text}");
    }

    #[test]
    fn what_matters_most_comes_first() {
        let figures = json!({
            "status": "degraded", "uptime": "0d 0h 5m", "generation": 3,
            "applied": { "workers": 2, "of": 2 }, "totalRequests": 12, "requestsPerSecond": 1.5,
            "requestsInFlight": 1, "activeConnections": 4, "medianResponseTime": null,
            "p99ResponseTime": 8.5,
            "pools": [{ "pool": "web", "waiting": 41, "shed": 1234 }], "servers": [], "plugins": [{ "plugin": "mine", "binding": "-/policy.guard" }],
        });
        let text = of(&figures);
        let mut lines = text.lines();
        let first = "degraded, up 0d 0h 5m; generation 3 is in force on 2 of 2 workers";
        assert_eq!(lines.next(), Some(first));
        let second =
            "12 requests, 1.5 a second, 1 in flight, 4 connections; p50 0.00 ms, p99 8.50 ms";
        assert_eq!(lines.next(), Some(second));
        let mut refused = figures.clone();
        let at = "2026-01-31T12:00:00.000Z";
        let error = "a.toml:1: a\na.toml:2: b";
        refused["lastReload"] = json!({ "at": at, "outcome": "refused", "error": error });
        let line = format!(
            "at {at} the configuration was refused, and the one before is in force: a.toml:1: a \
             (and 1 more)"
        );
        let text_of_refused = of(&refused);
        assert_eq!(text_of_refused.lines().nth(1), Some(&*line));
        assert_eq!(text_of_refused.lines().nth(2), Some(second));
        let mut waits = figures.clone();
        let error = "needs a restart: a.toml:1: a";
        waits["lastReload"] = json!({ "at": at, "outcome": "needsRestart", "error": error });
        let line = format!(
            "at {at} the configuration was not taken over, and the one before is in force: {error}"
        );
        assert_eq!(of(&waits).lines().nth(1), Some(&*line));
        for figure in ["WAITING", "41", "SHED", "1234"] {
            assert!(text.contains(figure), "{text}");
        }
        for heading in ["POOL", "SERVER", "PLUGIN", "mine"] {
            assert!(text.lines().any(|line| line.starts_with(heading)), "{text}");
        }
        assert!(text.contains("-/policy.guard"), "{text}");
    }
}
