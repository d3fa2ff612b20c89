//! A gateway in front of three servers, two of them in zone `a` and one in
//! zone `b`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::bench::http;
use crate::bench::metrics::Metrics;
use crate::bench::peer::free_ports;
use crate::process::Process;

/// The servers' names, each beginning with its zone.
pub(super) const NAMES: [&str; 3] = ["a1", "a2", "b1"];

/// The servers, and the program that gateways are started from.
pub(super) struct Servers {
    gatewright: PathBuf,
    /// Configurations, logs, and compiled components.
    pub(super) folder: TempDir,
    ports: [u16; 3],
    _running: Vec<Process>,
}

impl Servers {
    /// Start them and wait until they answer.
    ///
    /// # Errors
    ///
    /// When one does not.
    pub(super) fn start(gatewright: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let gatewright = gatewright.canonicalize()?;
        let ports = free_ports()?;
        let mut running = Vec::new();
        for (name, port) in NAMES.into_iter().zip(ports) {
            let mut command = Command::new(&gatewright);
            command.args(["backend", "--name", name, "--port", &port.to_string()]);
            let mut server = Process::start(name, &mut command, folder.path())?;
            server.until(|| http::get(port, "/health").is_ok())?;
            running.push(server);
        }
        Ok(Self {
            gatewright,
            folder,
            ports,
            _running: running,
        })
    }

    /// The line of a pool's table that lists servers, by their places in [`NAMES`].
    pub(super) fn listed(&self, places: &[usize]) -> String {
        let tables: Vec<String> = places
            .iter()
            .map(|place| {
                let (port, zone) = (self.ports[*place], &NAMES[*place][..1]);
                format!(
                    r#"{{ host = "127.0.0.1", port = {port}, labels = {{ zone = "{zone}" }} }}"#
                )
            })
            .collect();
        format!("servers = [{}]", tables.join(", "))
    }

    /// Check a configuration.
    ///
    /// # Errors
    ///
    /// When it is not right: the message says why.
    pub(super) fn check(&self, config: &str) -> Result<()> {
        let file = self.write(config)?;
        let mut command = Command::new(&self.gatewright);
        let output = command.arg("check").arg("-c").arg(file).output()?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Run a gateway and wait until it has found all servers healthy.
    ///
    /// # Errors
    ///
    /// When it ends or is not ready in time.
    pub(super) fn run(&self, config: &str) -> Result<Gateway> {
        let [port, admin_port] = free_ports()?;
        let file = self.write(&format!(
            "{config}\n[[listener]]\nlisten = \"127.0.0.1:{port}\"\n"
        ))?;
        let text =
            fs::read_to_string(&file)?.replace("127.0.0.1:0", &format!("127.0.0.1:{admin_port}"));
        fs::write(&file, text)?;
        let mut command = Command::new(&self.gatewright);
        command.arg("run").arg("-c").arg(file);
        let start = Instant::now();
        let mut process = Process::start("gateway", &mut command, self.folder.path())?;
        process.until(|| Metrics::of(admin_port).is_ok_and(|metrics| all_up(&metrics)))?;
        Ok(Gateway {
            port,
            admin_port,
            ready_after: start.elapsed(),
            _process: process,
        })
    }

    fn write(&self, config: &str) -> Result<PathBuf> {
        let file = self.folder.path().join("gatewright.toml");
        // The data folder lies beside it: what one gateway compiled, the next finds.
        let head = "[admin]\nlisten = \"127.0.0.1:0\"\n[workers]\ncount = 1\n";
        fs::write(&file, format!("{head}{config}"))?;
        Ok(file)
    }
}

fn all_up(metrics: &Metrics) -> bool {
    let mut servers = metrics.all("gatewright_server_up").peekable();
    servers.peek().is_some() && servers.all(|server| server.value == 1.0)
}

/// A running gateway; dropping it ends it.
pub(super) struct Gateway {
    /// Where its clients come in.
    pub(super) port: u16,
    /// Where it tells how it is.
    pub(super) admin_port: u16,
    /// How long it took to be ready.
    pub(super) ready_after: Duration,
    _process: Process,
}
