//! `cargo xtask bench changes`: a gateway of many pools and servers is changed
//! through its API. How long until the answer says that every worker has the
//! change?

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Serialize;
use serde_json::Value;

use super::common::Common;
use super::figures::median;
use super::http;
use crate::process::Process;

/// What the gateway's log names its admin listener after.
const ADMIN: &str = "admin listening address=127.0.0.1:";

/// What `cargo xtask bench changes` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// How many changes of each kind to make
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    changes: u16,
    /// How many pools there are
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pools: u16,
    /// How many servers each pool has
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(2..=50))]
    servers: u16,
    /// How many workers there are
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
    #[command(flatten)]
    common: Common,
}

/// Measure and print.
///
/// # Errors
///
/// When a change is refused, or not in force on every worker.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let gatewright = arguments.common.program()?;
    let folder = tempfile::tempdir()?;
    fs::write(
        folder.path().join("gatewright.toml"),
        configuration(arguments),
    )?;
    let gateway = Gateway::start(&gatewright, folder.path())?;
    let report = Report {
        weight: gateway.time(arguments.changes, |number| {
            let server = (number % arguments.servers) + 1;
            let pool = number % arguments.pools;
            let path = format!("/api/servers/{}/weight?pool=p{pool}", address(pool, server));
            ("PUT", path, format!("{{\"weight\": {}}}", 2 + number / 2))
        })?,
        add: gateway.time(arguments.changes, |number| {
            let (pool, server) = (number % arguments.pools, arguments.servers + 1 + number);
            let (host, port) = host_and_port(pool, server);
            let body = format!(
                "{{\"pool\": \"p{pool}\", \"host\": \"{host}\", \"port\": {port}, \"weight\": 1}}"
            );
            ("POST", "/api/servers".to_owned(), body)
        })?,
        remove: gateway.time(arguments.changes, |number| {
            let (pool, server) = (number % arguments.pools, arguments.servers + 1 + number);
            let path = format!("/api/servers/{}?pool=p{pool}", address(pool, server));
            ("DELETE", path, String::new())
        })?,
    };
    report.print(arguments);
    arguments.common.tell(&report)
}

/// Pools whose servers nobody asks: what is measured is the change alone.
fn configuration(arguments: &Arguments) -> String {
    let mut text = format!(
        "default_pool = \"p0\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n\
         [workers]\ncount = {}\n\n[[listener]]\nlisten = \"127.0.0.1:0\"\n",
        arguments.workers
    );
    for pool in 0..arguments.pools {
        let servers = (1..=arguments.servers).map(|server| format!("{:?}", address(pool, server)));
        let servers: Vec<_> = servers.collect();
        text += &format!(
            "\n[pools.p{pool}]\nhealth = false\nservers = [{}]\n",
            servers.join(", ")
        );
    }
    text
}

fn address(pool: u16, server: u16) -> String {
    let (host, port) = host_and_port(pool, server);
    format!("{host}:{port}")
}

/// An address for each pool, and a port for each of its servers.
fn host_and_port(pool: u16, server: u16) -> (String, u16) {
    (
        format!("127.1.{}.{}", pool / 250, 1 + pool % 250),
        3000 + server,
    )
}

struct Gateway {
    port: u16,
    _process: Process,
}

impl Gateway {
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("run").current_dir(folder).env("NO_COLOR", "1");
        let mut process = Process::start("gatewright", &mut command, folder)?;
        let port = process.printed(|said| {
            let (_, rest) = said.split_once(ADMIN)?;
            Some(rest.lines().next()?.trim().to_owned())
        })?;
        let port = port.parse().context("the admin listener has no port")?;
        process.until(|| http::get(port, "/livez").is_ok())?;
        Ok(Self {
            port,
            _process: process,
        })
    }

    /// Make so many changes, and time each until its answer.
    fn time(
        &self,
        changes: u16,
        change: impl Fn(u16) -> (&'static str, String, String),
    ) -> Result<Times> {
        let mut millis = Vec::with_capacity(changes.into());
        for number in 0..changes {
            let (method, path, body) = change(number);
            let began = Instant::now();
            let answer = http::ask(self.port, method, &path, &body)?;
            millis.push(began.elapsed().as_secs_f64() * 1e3);
            let told: Value = serde_json::from_str(&answer.body)
                .with_context(|| format!("{method} {path} answered {}", answer.status))?;
            let applied = &told["data"]["applied"];
            ensure!(
                told["success"] == true && applied["workers"] == applied["of"],
                "{method} {path} {body}: {told}"
            );
        }
        Ok(Times::of(millis))
    }
}

/// Milliseconds from asking to the answer that every worker has the change.
#[derive(Serialize)]
struct Times {
    median_ms: f64,
    slowest_ms: f64,
}

impl Times {
    fn of(millis: Vec<f64>) -> Self {
        Self {
            slowest_ms: millis.iter().copied().fold(0.0, f64::max),
            median_ms: median(millis.into_iter()),
        }
    }
}

/// What was found.
#[derive(Serialize)]
struct Report {
    weight: Times,
    add: Times,
    remove: Times,
}

impl Report {
    fn print(&self, arguments: &Arguments) {
        println!(
            "{} servers in {} pools, {} workers; in force on every worker after",
            arguments.pools * arguments.servers,
            arguments.pools,
            arguments.workers
        );
        for (what, times) in [
            ("a weight", &self.weight),
            ("a server added", &self.add),
            ("a server removed", &self.remove),
        ] {
            println!(
                "{what:<18} {:>7.1} ms (median), {:>7.1} ms at most",
                times.median_ms, times.slowest_ms
            );
        }
    }
}
