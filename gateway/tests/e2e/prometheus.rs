//! Prometheus, which takes what a gateway shows, and the examples that are for it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Builder, Pool, Redis, Upstream, run_program};

/// What `/metrics` shows, as the golden file of its own test has it.
const GOLDEN: &str = include_str!("../../control/tests/golden/metrics.txt");

/// The two forms of it.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What Prometheus 2 accepts.
const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
    application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

/// What promtool says of something that it must find right.
async fn promtool(arguments: &str, folder: &Path, input: &str) -> String {
    let said = run_program(&format!("promtool {arguments}"), folder, input).await;
    assert!(!said.contains("FAILED"), "{arguments}: {said}");
    said
}

fn example(name: &str) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    examples.join(name)
}

/// The names of a text's samples.
fn samples(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names = lines.map(|line| line.split(['{', ' ']).next().unwrap_or_default());
    names.collect()
}

#[tokio::test]
async fn what_a_gateway_shows_is_what_prometheus_expects_and_what_is_promised() {
    let server = Upstream::named("a").await;
    let redis = Redis::start(&[]).await;
    // With what some gateways alone have figures of.
    let cluster = format!("[cluster]\nurl = \"{}\"\nname = \"a\"", redis.url());
    let builder = Builder::new().tls("self_signed = true").with(&cluster);
    let pool = Pool::of(&[&server]).with("cache", "true");
    let gateway = builder.pool(pool).start().await;
    assert_eq!(gateway.get("/").await.status(), 200);
    let answer = gateway.admin("/metrics").await;
    assert_eq!(answer.header("content-type"), Some(TEXT));
    assert_eq!(answer.header("vary"), Some("accept"));
    let shown = answer.text();
    let folder = tempfile::tempdir().expect("a folder");
    let said = promtool("check metrics", folder.path(), shown).await;
    assert_eq!(said, "");
    let (shown, promised) = (samples(shown), samples(GOLDEN));
    let more: Vec<_> = shown.difference(&promised).collect();
    assert!(more.is_empty(), "{more:?}");
    for name in [
        "requests_total",
        "certificate_expiry_timestamp_seconds",
        "cluster_version",
        "cache_requests_total",
    ] {
        assert!(shown.contains(&*format!("gatewright_{name}")), "{name}");
    }
}

#[tokio::test]
async fn whoever_likes_open_metrics_better_gets_it() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&server])).start().await;
    let call = gateway.call("GET", "/metrics").header("accept", ACCEPT);
    let answer = call.send().await;
    assert_eq!(answer.header("content-type"), Some(OPEN_METRICS));
    assert_eq!(answer.header("vary"), Some("accept"));
    let (shown, usual) = (answer.text(), gateway.admin("/metrics").await);
    assert!(shown.ends_with("\n# EOF\n"), "{shown}");
    assert!(
        shown.contains("# TYPE gatewright_requests counter\n"),
        "{shown}"
    );
    assert_eq!(samples(shown), samples(usual.text()));
}

#[tokio::test]
async fn the_scrape_and_the_rules_are_right_and_alerts_fire_when_they_should() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["prometheus.yml", "alerts.yml", "alerts_test.yml"] {
        let file = example("prometheus").join(name);
        fs::copy(file, folder.path().join(name)).expect("it is copied");
    }
    fs::write(folder.path().join("gatewright.token"), "gw_token").expect("it is written");
    for arguments in [
        "check config prometheus.yml",
        "check rules alerts.yml",
        "test rules alerts_test.yml",
    ] {
        let said = promtool(arguments, folder.path(), "").await;
        assert!(said.contains("SUCCESS"), "{arguments}: {said}");
    }
}

#[tokio::test]
async fn what_the_dashboard_of_grafana_asks_is_understood() {
    let board = fs::read_to_string(example("grafana/gatewright.json")).expect("a file");
    let board: Value = serde_json::from_str(&board).expect("JSON");
    let panels = board["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array());
    let filled = |target: &Value| {
        let mut expr = target["expr"].as_str().expect("a text").to_owned();
        for (variable, value) in [
            ("$__rate_interval", "5m"),
            ("$job", ".*"),
            ("$instance", ".*"),
            ("$pool", ".*"),
            ("$plugin", ".*"),
        ] {
            expr = expr.replace(variable, value);
        }
        assert!(!expr.contains('$'), "{expr}");
        expr
    };
    let exprs: Vec<_> = targets.flatten().map(filled).collect();
    assert!(exprs.len() > 50, "{}", exprs.len());
    let rule =
        |(at, expr): (usize, &String)| json!({ "record": format!("asked:{at}"), "expr": expr });
    let rules: Vec<_> = exprs.iter().enumerate().map(rule).collect();
    let rules = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().expect("a folder");
    // What is JSON is YAML.
    fs::write(folder.path().join("rules.yml"), rules.to_string()).expect("it is written");
    let said = promtool("check rules rules.yml", folder.path(), "").await;
    assert!(
        said.contains(&format!("{} rules found", exprs.len())),
        "{said}"
    );
}

#[tokio::test]
async fn nothing_that_a_client_says_makes_a_label() {
    let server = Upstream::named("a").await;
    let pool = Pool::of(&[&server]).with("affinity", "\"sticky-cookie\"");
    let gateway = Builder::new().pool(pool).start().await;
    for number in 0..20 {
        let word = format!("STRANGER{number}");
        let head = format!("{word} /{word}?{word}=1 HTTP/1.1\r\nhost: {word}.example\r\n");
        let more = format!("user-agent: {word}\r\ncookie: {word}={word}\r\n\r\n");
        assert_eq!(gateway.exchange(head + &more).await.status(), 200);
    }
    let shown = gateway.admin("/metrics").await;
    assert_eq!(gateway.metric("gatewright_requests_total").await, 20.0);
    assert!(!shown.text().contains("STRANGER"), "{}", shown.text());
}
