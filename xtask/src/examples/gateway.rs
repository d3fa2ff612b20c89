//! A running gateway in front of three servers, two of them in zone `a` and one
//! in zone `b`, and its API.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::http;
use crate::bench::metrics::Metrics;
use crate::bench::peer::free_ports;
use crate::process::Process;

/// The servers' names, each beginning with its zone.
pub(super) const NAMES: [&str; 3] = ["a1", "a2", "b1"];

/// How long a change may take: a big component is compiled first, on a machine
/// that has other things to do.
const PATIENCE: Duration = Duration::from_secs(240);

/// A gateway with its servers; dropping it ends them.
pub(super) struct Gateway {
    /// Where its clients come in.
    pub(super) port: u16,
    /// Where it is changed, and tells how it is.
    pub(super) admin_port: u16,
    /// Configuration, logs, and compiled components.
    folder: TempDir,
    /// The program that it was started from.
    program: PathBuf,
    _running: Vec<Process>,
}

/// What the API answers: the data, or why it refuses.
pub(super) type Answer = Result<Value, String>;

impl Gateway {
    /// Start the servers and the gateway, and wait until it has found all of
    /// them healthy.
    ///
    /// # Errors
    ///
    /// When one ends or is not ready in time.
    pub(super) fn start(gatewright: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = gatewright.canonicalize()?;
        let servers = free_ports()?;
        let mut running = Vec::new();
        for (name, port) in NAMES.into_iter().zip(servers) {
            let mut command = Command::new(&program);
            command.args(["backend", "--name", name, "--port", &port.to_string()]);
            let mut server = Process::start(name, &mut command, folder.path())?;
            server.until(|| http::get(port, "/health").is_ok())?;
            running.push(server);
        }
        let [port, admin_port] = free_ports()?;
        let file = folder.path().join("gatewright.toml");
        fs::write(&file, configuration(port, admin_port, servers))?;
        let mut command = Command::new(&program);
        command.arg("run").arg("-c").arg(file);
        let mut process = Process::start("gateway", &mut command, folder.path())?;
        process.until(|| Metrics::of(admin_port).is_ok_and(|metrics| all_up(&metrics)))?;
        running.push(process);
        Ok(Self {
            port,
            admin_port,
            folder,
            program,
            _running: running,
        })
    }

    /// Have it take in a component as a plugin whose instances have so much
    /// memory.
    ///
    /// # Errors
    ///
    /// When it does not answer; inside, why it refuses.
    pub(super) fn upload(&self, name: &str, memory_kib: u32, component: &[u8]) -> Result<Answer> {
        let path = format!("/api/plugins?name={name}&memory={memory_kib}KiB");
        let body = ("application/wasm", component);
        answer(&http::send(
            self.admin_port,
            ("POST", &path),
            body,
            PATIENCE,
        )?)
    }

    /// Have a plugin decide in a seat.
    ///
    /// # Errors
    ///
    /// As for [`Self::upload`].
    pub(super) fn bind(&self, seat: &str, plugin: &str, config: &Value) -> Result<Answer> {
        let path = format!("/api/bindings/{seat}");
        let body = json!({ "plugin": plugin, "config": config }).to_string();
        let body = ("application/json", body.as_bytes());
        answer(&http::send(
            self.admin_port,
            ("PUT", &path),
            body,
            PATIENCE,
        )?)
    }

    /// Nanoseconds of a decision of a balancer among so many servers, as
    /// `plugin bench` measures it.
    ///
    /// # Errors
    ///
    /// When it cannot be measured.
    pub(super) fn bench(&self, component: &Path, config: &Value, servers: u64) -> Result<f64> {
        let mut command = Command::new(&self.program);
        command
            .args(["plugin", "bench", "--json", "--config", &config.to_string()])
            .arg(component)
            .env("XDG_CACHE_HOME", self.folder.path());
        let rows: Value = serde_json::from_str(&crate::cargo::output(&mut command)?)?;
        let mut rows = rows.as_array().into_iter().flatten();
        let row = rows.find(|row| row["servers"] == servers);
        let found = row.and_then(|row| row["nsMedian"].as_f64());
        ensure!(
            found.is_some(),
            "plugin bench has no row of {servers} servers"
        );
        Ok(found.unwrap_or_default())
    }
}

/// Pools of the same servers: `near` and `elsewhere` for balancers, `with` and
/// `without` for routers, one server with and the others without a cookie.
fn configuration(port: u16, admin_port: u16, servers: [u16; 3]) -> String {
    let mut text = format!(
        "[admin]\nlisten = \"127.0.0.1:{admin_port}\"\n[workers]\ncount = 1\n\
         [[listener]]\nlisten = \"127.0.0.1:{port}\"\n\
         [router]\nplugin = \"path-router\"\nconfig = {}\n",
        r#"{ routes = [{ path = "/elsewhere/*", pool = "elsewhere", rewrite = "/" }, { path = "/*", pool = "near" }] }"#
    );
    let pools: [(&str, &[usize]); 4] = [
        ("near", &[0, 1, 2]),
        ("elsewhere", &[0, 1, 2]),
        ("with", &[2]),
        ("without", &[0, 1]),
    ];
    for (pool, places) in pools {
        let listed = places.iter().map(|place| {
            let (port, zone) = (servers[*place], &NAMES[*place][..1]);
            format!(r#"{{ host = "127.0.0.1", port = {port}, labels = {{ zone = "{zone}" }} }}"#)
        });
        let listed = listed.collect::<Vec<_>>().join(", ");
        text +=
            &format!("[pools.{pool}]\nhealth = {{ interval = \"50ms\" }}\nservers = [{listed}]\n");
    }
    text
}

fn answer(response: &http::Response) -> Result<Answer> {
    let mut said: Value = serde_json::from_str(&response.body)?;
    Ok(match said["success"] == true {
        true => Ok(said["data"].take()),
        false => Err(said["error"].to_string()),
    })
}

fn all_up(metrics: &Metrics) -> bool {
    let mut servers = metrics.all("gatewright_server_up").peekable();
    servers.peek().is_some() && servers.all(|server| server.value == 1.0)
}
