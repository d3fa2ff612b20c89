//! Balancers tried out in virtual time.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{
    Running, configuration, fails, folder, gatewright, output, prints, says, value_after, write,
};

const SCENARIO: &str = "about = \"A little of everything.\"\nduration = \"3s\"\nobjective = \"50ms\"\n\
    arrivals = { poisson = { rate = 300 } }\nwork = { exponential = { mean = \"10ms\" } }\n\
    [[servers]]\nname = \"web\"\ncount = 4\n";

/// A component of the default set, as a file of one's own.
const COMPONENT: &[u8] = include_bytes!("../../../plugins/dist/power-of-two.wasm");

#[test]
fn policies_are_compared_in_a_table() {
    let folder = folder();
    write(&folder, "little.toml", SCENARIO);
    write(&folder, "mine.wasm", COMPONENT);
    let policies = ["--policy", "round-robin", "--policy", "mine.wasm"];
    let arguments = [&["simulate", "little.toml"][..], &policies].concat();
    let table = prints(&folder, &arguments);
    says(
        &table,
        &["A little of everything.", "P99 MS", "round-robin", "mine "],
    );
}

#[test]
fn the_same_seed_prints_the_same_bytes_and_plots_are_drawn() {
    let folder = folder();
    write(&folder, "little.toml", SCENARIO);
    let run = |seed: &str| {
        let arguments = ["simulate", "little.toml", "--seed", seed, "--json"];
        prints(&folder, &[&arguments[..], &["--plots", "plots"]].concat())
    };
    let first = run("7");
    assert_eq!(first, run("7"));
    assert_ne!(first, run("8"));
    let report: Value = serde_json::from_str(&first).unwrap();
    let policies = report["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 11, "all of the gateway's own but zone");
    assert!(policies[0].get("decisionNs").is_none());
    assert!(folder.path().join("plots/latency.png").is_file());
    assert!(folder.path().join("plots/heat-ip-hash.svg").is_file());
}

#[test]
fn how_fast_it_went_is_told_and_not_among_what_is_the_same_each_time() {
    let folder = folder();
    write(
        &folder,
        "little.toml",
        SCENARIO.replace("objective", "warm_up"),
    );
    let policies = ["--policy", "first", "--policy", "round-robin"];
    let arguments = ["simulate", "little.toml", "--requests", "200"];
    let arguments = [&arguments[..], &policies].concat();
    let table = prints(&folder, &arguments);
    let told = table.lines().last().unwrap();
    // Of both policies, and those of the warm-up too.
    assert!(
        told.starts_with("400 requests were simulated in "),
        "{table}"
    );
    let rate = told.strip_suffix(" a second.").unwrap();
    let (_, rate) = rate.rsplit_once(' ').unwrap();
    assert!(rate.parse::<u64>().unwrap() > 0, "{told}");
    let ended = output(&folder, &[&arguments[..], &["--json"]].concat());
    let errors = String::from_utf8(ended.stderr).unwrap();
    says(&errors, &["400 requests were simulated in ", " a second."]);
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    let first = &report["policies"][0];
    assert!(first["requests"].as_u64().unwrap() < 200, "{first}");
    assert!(first.get("came").is_none() && first.get("took").is_none());
}

#[test]
fn what_is_wrong_is_told_and_ends_with_two() {
    let folder = folder();
    write(&folder, "wrong.toml", SCENARIO.replace("rate", "rat"));
    let errors = fails(&folder, &["simulate", "wrong.toml"], 2);
    says(
        &errors,
        &["wrong.toml:4: arrivals.rat: this key is not known", "rate"],
    );
    write(&folder, "little.toml", SCENARIO);
    let arguments = ["simulate", "little.toml", "--policy", "best"];
    says(&fails(&folder, &arguments, 2), &["\"best\"", "round-robin"]);
}

#[test]
fn what_is_wrong_with_policies_is_told_where_they_stand() {
    let folder = folder();
    write(&folder, "mine.wasm", COMPONENT);
    write(&folder, "other.wasm", "no component");
    let lines = SCENARIO.lines().count();
    for (policy, line, parts) in [
        (
            "plugin = \"rond-robin\"",
            2,
            ["policies[0].plugin: no plugin", "did you mean"],
        ),
        (
            "plugin = \"mine\"\nfile = \"yours.wasm\"",
            3,
            ["policies[0].file: ", "correct the path"],
        ),
        (
            "plugin = \"mine\"\nfile = \"mine.wasm\"\nmemory = \"1KiB\"",
            4,
            ["policies[0].memory: ", "write"],
        ),
        (
            "plugin = \"mine\"\nfile = \"mine.wasm\"\ngrants = []",
            4,
            [
                "policies[0].grants: it imports \"random\"",
                "leave `grants` out",
            ],
        ),
        (
            "plugin = \"other\"\nfile = \"other.wasm\"",
            3,
            ["policies[0].file: ", "not WebAssembly"],
        ),
        (
            "plugin = \"zone\"\nconfig = { zon = \"a\" }",
            3,
            ["policies[0].config", "zon"],
        ),
        (
            "plugin = \"first\"\n[[policies]]\nname = \"First\"\nplugin = \"zone\"",
            4,
            ["policies[1].name: ", "`name`"],
        ),
    ] {
        let text = format!("{SCENARIO}[[policies]]\n{policy}\n");
        write(&folder, "wrong.toml", text);
        let errors = fails(&folder, &["simulate", "wrong.toml"], 2);
        let place = format!("wrong.toml:{}: ", lines + line);
        says(&errors, &[&place, parts[0], parts[1]]);
        assert!(!errors.contains("pool-0"), "{errors}");
    }
}

#[test]
fn what_is_wrong_with_the_pool_is_told_where_it_stands() {
    let folder = folder();
    let text = format!("{SCENARIO}[pool.health]\ninterval = \"1ms\"\n");
    write(&folder, "wrong.toml", text);
    let errors = fails(&folder, &["simulate", "wrong.toml"], 2);
    says(&errors, &["wrong.toml:", "pool.health.interval: "]);
    assert!(!errors.contains("pool-0"), "{errors}");
}

#[test]
fn files_that_are_not_there_are_told_once() {
    let folder = folder();
    let errors = fails(&folder, &["simulate", "nope.toml"], 2);
    says(&errors, &["nope.toml: cannot be read"]);
    assert_eq!(errors.matches("nope.toml").count(), 1, "{errors}");
    let arrivals = "{ poisson = { rate = 300 } }";
    let text = SCENARIO.replace(arrivals, "{ trace = { file = \"gone.txt\" } }");
    write(&folder, "wrong.toml", text);
    let errors = fails(&folder, &["simulate", "wrong.toml"], 2);
    says(
        &errors,
        &["wrong.toml:4: arrivals.trace.file: ", "gone.txt"],
    );
}

#[test]
fn what_a_gateway_wrote_into_its_access_log_is_played() {
    const REQUESTS: usize = 12;
    let folder = folder();
    let server = Running::start(gatewright(&folder, &["backend", "--port=0"]));
    let line = server.line_with("listens on");
    let log = folder.path().join("access.log");
    let keys = format!("[access_log]\nfile = \"{}\"", log.display());
    let text = configuration(&keys).replace("127.0.0.1:9", value_after(&line, "http://"));
    write(&folder, "gatewright.toml", text);
    let mut gateway = Running::start(gatewright(&folder, &["run"]));
    let listening = gateway.line_with("listening");
    gateway.line_with("ready");
    for _ in 0..REQUESTS {
        let mut stream = TcpStream::connect(value_after(&listening, "address=")).unwrap();
        let request = "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 "));
    }
    // When it has ended, all lines are written.
    gateway.signal("-TERM");
    assert_eq!(gateway.code(), Some(0));
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), REQUESTS, "{text}");

    let scenario = "arrivals = { recording = { file = \"access.log\" } }\n\
        work = { constant = { time = \"10s\" } }\n\
        [[servers]]\nname = \"web\"\nconcurrency = 100\n";
    write(&folder, "played.toml", scenario);
    let arguments = ["simulate", "played.toml", "--policy", "first", "--json"];
    let report: Value = serde_json::from_str(&prints(&folder, &arguments)).unwrap();
    let outcome = &report["policies"][0];
    assert_eq!(outcome["requests"], REQUESTS, "{outcome}");
    // Nobody waits, so that each takes what it took: its own work, to the thousandth
    // that response times are told apart by.
    let durations = lines
        .iter()
        .map(|line| line["duration_ms"].as_f64().unwrap());
    let longest = durations.fold(0.0, f64::max);
    let max = outcome["maxMs"].as_f64().unwrap();
    assert!(
        (max - longest).abs() <= 0.002 + 0.002 * longest,
        "{max} {longest}"
    );

    // Its last line was cut off.
    write(&folder, "access.log", &text[..text.len() - 3]);
    let errors = fails(&folder, &arguments, 2);
    says(
        &errors,
        &[&format!("access.log:{REQUESTS}: "), "no object of JSON"],
    );
}

#[test]
fn policies_that_are_called_alike_are_numbered() {
    let folder = folder();
    write(&folder, "little.toml", SCENARIO);
    let policies = ["--policy", "first", "--policy", "first"];
    let rest = ["--plots", "plots", "--json"];
    let arguments = [&["simulate", "little.toml"][..], &policies, &rest].concat();
    let report: Value = serde_json::from_str(&prints(&folder, &arguments)).unwrap();
    assert_eq!(report["policies"][0]["policy"], "first");
    assert_eq!(report["policies"][1]["policy"], "first-2");
    assert!(folder.path().join("plots/load-first-2.svg").is_file());
}

#[test]
fn options_that_cannot_hold_are_refused_before_anything_is_simulated() {
    let folder = folder();
    write(&folder, "little.toml", SCENARIO);
    let arguments = ["simulate", "little.toml", "--plots", "little.toml"];
    let errors = fails(&folder, &arguments, 2);
    says(&errors, &["--plots: little.toml is no folder"]);
    let arguments = ["simulate", "little.toml", "--timings"];
    says(&fails(&folder, &arguments, 2), &["--json"]);
}

#[test]
fn what_a_balancer_cannot_be_judged_with_is_told_and_ends_with_two() {
    let folder = folder();
    write(&folder, "mine.wasm", COMPONENT);
    // It takes a zone.
    let certify = ["plugin", "certify", "zone"];
    says(
        &fails(&folder, &certify, 2),
        &["zone", "[[policies]]", "--config"],
    );
    let arguments = ["plugin", "certify", "mine.wasm", "--config", "[]"];
    says(&fails(&folder, &arguments, 2), &["--config"]);
    for balancer in ["mine.wasm", "first"] {
        let arguments = ["plugin", "certify", balancer, "--memory", "1KiB"];
        says(&fails(&folder, &arguments, 2), &["memory: ", "write"]);
    }
}

#[test]
fn a_balancer_is_judged_by_the_battery() {
    let folder = folder();
    write(&folder, "mine.wasm", COMPONENT);
    let told = prints(&folder, &["plugin", "certify", "mine.wasm", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let verdicts = told["verdicts"].as_array().unwrap();
    assert!(verdicts.len() >= 8);
    // What it imports, of what needs a grant, and no more.
    assert_eq!(told["grants"], serde_json::json!(["random"]));
    for verdict in verdicts {
        assert!(
            verdict["passed"] == true || verdict["required"] == false,
            "{verdict}"
        );
    }
}

#[test]
fn a_program_whose_file_was_replaced_compiles_by_itself() {
    let folder = folder();
    write(&folder, "mine.wasm", COMPONENT);
    let program = folder.path().join("gatewright");
    // By another process: a file that this one has open for writing cannot be run.
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_gatewright"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let mut judging = Command::new(&program)
        .args(["plugin", "certify", "mine.wasm", "--config", "-", "--json"])
        .current_dir(folder.path())
        .env("XDG_CACHE_HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::fs::remove_file(&program).unwrap();
    // It waits for this before it compiles anything.
    judging.stdin.take().unwrap().write_all(b"{}").unwrap();
    let ended = judging.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{errors}");
}
