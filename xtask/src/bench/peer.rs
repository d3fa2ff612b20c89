//! The proxies that are compared: how each is configured, started and asked for
//! its version.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::backends::COUNT;
use super::cores::{self, Cores};
use super::http;
use super::template::Values;
use crate::process::Process;
use crate::workspace;

/// The component that a gateway watches, in the comparison's folder.
pub(super) const WATCHED: &str = "watched.wasm";

/// A proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Peer {
    Gatewright,
    Haproxy,
    Nginx,
}

impl Peer {
    /// Its name in tables and results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gatewright => "gatewright",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
        }
    }

    /// Its configuration's template in `benches/`, and the name it is written
    /// under.
    fn template(self) -> &'static str {
        match self {
            Self::Gatewright => "gatewright.toml",
            Self::Haproxy => "haproxy.cfg",
            Self::Nginx => "nginx.conf",
        }
    }

    /// Its version, as it says itself.
    ///
    /// # Errors
    ///
    /// When it cannot be run.
    pub(super) fn version(self, gatewright: &Path) -> Result<String> {
        let (program, flag) = match self {
            Self::Gatewright => (gatewright.to_owned(), "--version"),
            Self::Haproxy => (server("haproxy"), "-v"),
            Self::Nginx => (server("nginx"), "-v"),
        };
        let output = Command::new(program)
            .arg(flag)
            .output()
            .with_context(|| format!("cannot run {}", self.name()))?;
        // nginx tells its version as an error.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let version = said
            .split([' ', '/', '\n'])
            .find(|word| word.starts_with(|letter: char| letter.is_ascii_digit()))
            .with_context(|| format!("{} does not tell its version", self.name()))?;
        Ok(version.to_owned())
    }
}

/// What every proxy of a comparison is given.
pub(super) struct Setting<'a> {
    /// The gateway's program.
    pub(super) gatewright: &'a Path,
    /// A folder for configurations, logs and sockets.
    pub(super) folder: &'a Path,
    pub(super) cores: Cores,
    pub(super) backends: [u16; COUNT],
    /// Whether proxies that can keep sessions do.
    pub(super) sessions: bool,
    /// Whether Gatewright's balancer is the component in the file [`WATCHED`]
    /// instead of the one that is compiled in.
    pub(super) watched: bool,
    /// Tables by which Gatewright tells of requests; none for a comparison.
    pub(super) telemetry: String,
}

/// A proxy that takes requests.
pub(super) struct Started {
    pub(super) peer: Peer,
    pub(super) process: Process,
    pub(super) plain_port: u16,
    pub(super) tls_port: u16,
    /// Gatewright's port for operators; nobody listens there at the others.
    pub(super) admin_port: u16,
}

impl Started {
    /// Start a proxy on free ports and wait until it answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub(super) fn start(peer: Peer, setting: &Setting<'_>) -> Result<Self> {
        let [plain_port, tls_port, admin_port] = free_ports()?;
        let [backend_1, backend_2, backend_3] = setting.backends;
        let values = Values::default()
            .text("plain_port", &plain_port)
            .text("tls_port", &tls_port)
            .text("admin_port", &admin_port)
            .text("folder", &setting.folder.display())
            .text("backend_1", &backend_1)
            .text("backend_2", &backend_2)
            .text("backend_3", &backend_3)
            .text("telemetry", &setting.telemetry)
            .lines("sessions", setting.sessions)
            .lines("watched", setting.watched)
            .lines("root", is_root());
        let template = workspace::root().join("benches").join(peer.template());
        let template = fs::read_to_string(&template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        let file = setting.folder.join(peer.template());
        fs::write(&file, values.fill(&template)?)?;
        let mut command = command(peer, setting, &file);
        let mut process = Process::start(peer.name(), &mut command, setting.folder)?;
        process.until(|| http::get(plain_port, "/").is_ok_and(|answer| answer.status == 200))?;
        Ok(Self {
            peer,
            process,
            plain_port,
            tls_port,
            admin_port,
        })
    }

    /// The cookie that it gives to a new client, as `name=value`.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub(super) fn cookie(&self) -> Result<Option<String>> {
        let answer = http::get(self.plain_port, "/")?;
        let pair = |cookie: &str| cookie.split(';').next().map(str::to_owned);
        Ok(answer.header("set-cookie").and_then(pair))
    }
}

fn command(peer: Peer, setting: &Setting<'_>, file: &Path) -> Command {
    let core = setting.cores.proxy;
    let mut command = match peer {
        Peer::Gatewright => {
            let mut command = cores::on(core, setting.gatewright);
            command.args(["run", "--config"]).arg(file);
            command
        }
        Peer::Haproxy => {
            let mut command = cores::on(core, server("haproxy"));
            command.args(["-db", "-f"]).arg(file);
            command
        }
        Peer::Nginx => {
            let mut command = cores::on(core, server("nginx"));
            let errors = setting.folder.join("nginx.errors");
            command.arg("-e").arg(errors).arg("-c").arg(file);
            command
        }
    };
    // What the environment asks of a gateway is not meant for this one.
    for variable in ["PORT", "WORKER_COUNT", "HEALTH_CHECK_INTERVAL"] {
        command.env_remove(variable);
    }
    command.current_dir(setting.folder);
    command
}

/// Debian puts servers where only root's path leads.
fn server(name: &str) -> PathBuf {
    let place = Path::new("/usr/sbin").join(name);
    if place.is_file() { place } else { name.into() }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Ports that are free now. All are held until the last is found, so that they
/// differ.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
