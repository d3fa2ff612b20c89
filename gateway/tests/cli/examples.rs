//! The examples for operators: whoever they are written for can read them, and
//! they name nothing that is not there.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::formats::{document, file, files, metrics, text, toml, yaml};
use crate::support::{folder, prints};

/// What `/metrics` shows, as the golden file of its own test has it.
const GOLDEN: &str = include_str!("../../control/tests/golden/metrics.txt");

/// Every name that a sample has.
fn samples() -> BTreeSet<&'static str> {
    let lines = GOLDEN.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(metrics).collect()
}

/// The samples' names and those that a reader calls them by.
fn names() -> BTreeSet<&'static str> {
    GOLDEN.lines().flat_map(metrics).collect()
}

/// Every text in a value that has this key.
fn with_key<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| with_key(value, key, found)),
        Value::Object(values) => {
            for (name, value) in values {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    value => with_key(value, key, found),
                }
            }
        }
        _ => {}
    }
}

fn json(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

#[test]
fn every_example_is_of_its_format() {
    let examples = file("examples");
    let mut read = 0;
    for end in [".json", ".toml", ".yaml", ".yml"] {
        for path in files(&examples, end) {
            let text = fs::read_to_string(&path).unwrap();
            let place = path.display();
            match end {
                ".json" => drop(json(&text).unwrap_or_else(|error| panic!("{place}: {error}"))),
                ".toml" => assert!(toml(&text).is_object(), "{place}"),
                _ => assert!(!yaml(&text).is_empty(), "{place}"),
            }
            read += 1;
        }
    }
    assert!(read > 20, "{read}");
}

#[test]
fn the_configurations_of_deployments_are_right() {
    for name in [
        "deploy/gatewright.toml",
        "docker/config/gatewright.toml",
        "docker/cluster/config/gatewright.toml",
    ] {
        let path = file("examples").join(name).display().to_string();
        let said = prints(&folder(), &["check", "-c", &path]);
        assert!(said.contains("is right"), "{said}");
    }
}

#[test]
fn the_dashboard_of_grafana_shows_every_metric_and_no_other() {
    let board = json(&text("examples/grafana/gatewright.json")).unwrap();
    let mut asked = Vec::new();
    with_key(&board, "expr", &mut asked);
    assert!(asked.len() > 50, "{}", asked.len());
    let shown: BTreeSet<_> = asked.iter().flat_map(|expr| metrics(expr)).collect();
    assert_eq!(shown, samples());
    with_key(&board, "definition", &mut asked);
    for name in asked.iter().flat_map(|expr| metrics(expr)) {
        assert!(samples().contains(name), "{name}");
    }
}

#[test]
fn the_dashboard_of_grafana_asks_the_source_that_is_chosen() {
    let board = json(&text("examples/grafana/gatewright.json")).unwrap();
    let mut numbers = BTreeSet::new();
    let panels = board["panels"].as_array().unwrap();
    for panel in panels {
        assert!(numbers.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"], panel["datasource"], "{panel}");
            let expr = target["expr"].as_str().unwrap();
            assert!(
                expr.contains("job=~\"$job\", instance=~\"$instance\""),
                "{expr}"
            );
        }
        assert!(
            !panel["description"].as_str().unwrap().is_empty(),
            "{panel}"
        );
    }
    let rows = panels.iter().filter(|panel| panel["type"] == "row");
    let rows: Vec<_> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    assert_eq!(rows, ["Traffic", "Pools", "Servers", "Plugins", "Gateway"]);
}

#[test]
fn alerts_ask_for_metrics_that_exist_and_say_what_to_do() {
    let alerts = document("examples/prometheus/alerts.yml");
    let samples = samples();
    let tests = text("examples/prometheus/alerts_test.yml");
    let groups = alerts["groups"].as_array().unwrap().iter();
    let mut rules = 0;
    for rule in groups.flat_map(|group| group["rules"].as_array().unwrap()) {
        rules += 1;
        let expr = rule["expr"].as_str().unwrap();
        for name in metrics(expr) {
            assert!(samples.contains(name), "{name} in {expr}");
        }
        for word in ["summary", "description", "runbook"] {
            let words = rule["annotations"][word].as_str();
            assert!(words.is_some_and(|words| words.len() > 10), "{rule}");
        }
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["page", "ticket"].contains(&severity), "{rule}");
        // By its name, or with others that begin alike.
        let name = rule["alert"].as_str().unwrap();
        let is_tested =
            tests.contains(&format!("\"{name}\"")) || tests.contains(&format!(": {name}\n"));
        assert!(is_tested, "no test of {name}");
    }
    assert!(rules > 10, "{rules}");
}

#[test]
fn what_operators_read_calls_metrics_by_their_names() {
    let names = names();
    for page in [
        "docs/configuration.md",
        "docs/deployment.md",
        "docs/operations.md",
        "examples/load/README.md",
        "examples/prometheus/alerts.yml",
        "examples/prometheus/alerts_test.yml",
    ] {
        let text = text(page);
        for name in metrics(&text) {
            assert!(names.contains(name), "{name} in {page}");
        }
    }
}

#[test]
fn the_scrape_finds_what_lies_beside_it() {
    let prometheus = document("examples/prometheus/prometheus.yml");
    assert_eq!(prometheus["rule_files"][0], "alerts.yml");
    let job = &prometheus["scrape_configs"][0];
    // Alerts go by this name.
    assert_eq!(job["job_name"], "gatewright");
    let admin = toml(&text("examples/deploy/gatewright.toml"));
    let listen = admin["admin"]["listen"].as_str().unwrap();
    let (_, port) = listen.rsplit_once(':').unwrap();
    let target = job["static_configs"][0]["targets"][0].as_str().unwrap();
    assert_eq!(target, format!("localhost:{port}"));
}

#[test]
fn the_shoppers_of_locust_are_python() {
    let script = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
    let file = file("examples/load/locustfile.py");
    let mut python = Command::new("python3");
    let output = python.args(["-c", script]).arg(file).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}
