//! The proxies that are compared: how each is configured, started and asked for
//! its version.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::cores::{self, Cores};
use super::http;
use super::programs::Programs;
use super::scenario::{Client, Traffic};
use super::template::Values;
use crate::process::{Process, START};
use crate::workspace;

/// The component that a gateway watches, in the comparison's folder.
pub(super) const WATCHED: &str = "watched.wasm";

/// Connections to servers that nginx keeps, at the least: it counts those to all
/// servers together, the others those to each.
const KEPT: usize = 64;

/// Connections of clients that a proxy is made for.
const MOST_CONNECTIONS: u32 = 4096;

/// How long a proxy may take to answer that runs under another program, which counts
/// its instructions.
const START_UNDER: Duration = Duration::from_secs(600);

/// What Gatewright's plugins may take for a decision: what it gives them by itself, and
/// the most that there is under a program that slows it down. There a decision that is
/// late would be no part of what is counted, and rustix cannot read the clock that
/// judges it: valgrind has no vDSO.
const DEADLINE: [&str; 2] = ["2ms", "1s"];

/// Seconds from one health check of a server to the next: what is usual, and so many
/// under a program that slows a proxy down that hardly any is counted. No proxy waits for
/// the first before it asks a server. HAProxy multiplies them, in milliseconds, by the
/// number of servers: with a thousand an hour would not fit its 32 bits.
const CHECK_SECONDS: [u32; 2] = [5, 1800];

/// What names of the gateway's threads that carry traffic begin with.
pub(super) const WORKERS: &str = "worker-";

/// A proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Peer {
    Gatewright,
    Haproxy,
    Nginx,
    /// nginx whose choice of server is a program in Lua
    NginxLua,
    /// A minimal proxy on Pingora, built when it is asked for
    Pingora,
}

impl Peer {
    /// Its name in tables and results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gatewright => "gatewright",
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::NginxLua => "nginx-lua",
            Self::Pingora => "pingora",
        }
    }

    /// Whether a thread of this name is one that requests go through. The gateway's others
    /// look at all servers once a second, which would drown requests where there are many;
    /// the other proxies have no threads of that kind.
    pub(super) fn is_worker(self, thread: &str) -> bool {
        self != Self::Gatewright || thread.starts_with(WORKERS)
    }

    /// Its configuration's template in `benches/`.
    fn template(self) -> &'static str {
        match self {
            Self::Gatewright => "gatewright.toml",
            Self::Haproxy => "haproxy.cfg",
            Self::Nginx | Self::NginxLua => "nginx.conf",
            Self::Pingora => "pingora.conf",
        }
    }

    /// How its configuration names a server.
    fn server(self, number: usize, port: u16) -> String {
        match self {
            Self::Gatewright => format!("    {{ host = \"127.0.0.1\", port = {port} }},"),
            Self::Haproxy => format!("    server s{number} 127.0.0.1:{port} cookie s{number}"),
            Self::Nginx => format!("        server 127.0.0.1:{port};"),
            Self::NginxLua => format!("            {{ \"127.0.0.1\", {port} }},"),
            Self::Pingora => format!("server 127.0.0.1:{port}"),
        }
    }

    /// Its version, as it says itself.
    ///
    /// # Errors
    ///
    /// When it cannot be run.
    pub(super) fn version(self, programs: &Programs) -> Result<String> {
        let flag = match self {
            Self::Gatewright | Self::Pingora => "--version",
            Self::Haproxy | Self::Nginx | Self::NginxLua => "-v",
        };
        let output = Command::new(programs.of_peer(self))
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
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) programs: &'a Programs,
    /// A folder for configurations, logs and sockets.
    pub(super) folder: &'a Path,
    pub(super) cores: Cores,
    pub(super) backends: &'a [u16],
    pub(super) traffic: Traffic,
    /// The most connections of clients.
    pub(super) most_connections: u32,
    /// Whether proxies that can keep sessions do.
    pub(super) sessions: bool,
    /// Whether Gatewright's balancer is the component in the file [`WATCHED`]
    /// instead of the one that is compiled in.
    pub(super) watched: bool,
    /// A program, with arguments, that the proxy runs under, in one process.
    pub(super) under: &'a [String],
    /// Tables by which Gatewright tells of requests; none for a comparison.
    pub(super) telemetry: &'a str,
}

impl<'a> Setting<'a> {
    /// What most benches give: proxies without sessions that nobody watches.
    pub(super) fn new(
        programs: &'a Programs,
        folder: &'a Path,
        cores: Cores,
        backends: &'a [u16],
        traffic: Traffic,
    ) -> Self {
        Self {
            programs,
            folder,
            cores,
            backends,
            traffic,
            most_connections: MOST_CONNECTIONS,
            sessions: false,
            watched: false,
            under: &[],
            telemetry: "",
        }
    }
}

/// A proxy that takes requests.
pub(super) struct Started {
    pub(super) peer: Peer,
    pub(super) process: Process,
    pub(super) plain_port: u16,
    pub(super) tls_port: u16,
    /// Gatewright's port for operators; nobody listens there at the others.
    pub(super) admin_port: u16,
    /// From its start to its first answer.
    pub(super) started_in: Duration,
}

impl Started {
    /// Start a proxy on free ports and wait until it answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub(super) fn start(peer: Peer, setting: &Setting<'_>) -> Result<Self> {
        let [plain_port, tls_port, admin_port] = free_ports()?;
        let numbered = setting.backends.iter().zip(1..);
        let servers = numbered.map(|(port, number)| peer.server(number, *port));
        let servers = servers.collect::<Vec<_>>().join("\n");
        let benches = workspace::root().join("benches");
        let is_websocket = setting.traffic.client == Client::Websocket;
        let [usual_deadline, longest] = DEADLINE;
        let [usual_pause, long] = CHECK_SECONDS;
        let (deadline, check_seconds) = match setting.under {
            [] => (usual_deadline, usual_pause),
            _ => (longest, long),
        };
        let values = Values::default()
            .text("benches", &benches.display())
            .text("name", &peer.name())
            .text("plain_port", &plain_port)
            .text("tls_port", &tls_port)
            .text("admin_port", &admin_port)
            .text("folder", &setting.folder.display())
            .text("workers", &setting.traffic.workers)
            .text("most_connections", &setting.most_connections)
            .text("deadline", &deadline)
            .text("check_seconds", &check_seconds)
            .text("kept", &KEPT.max(2 * setting.backends.len()))
            .text("servers", &servers)
            .lines("lua", peer == Peer::NginxLua)
            .lines("native", peer != Peer::NginxLua)
            .lines("policies", setting.traffic.policies)
            .text("telemetry", &setting.telemetry)
            .lines("sessions", setting.sessions)
            .lines("watched", setting.watched)
            .lines("lua_sessions", peer == Peer::NginxLua && setting.sessions)
            .lines("keeping", !is_websocket)
            .lines("websocket", is_websocket)
            .lines("root", is_root());
        let template = benches.join(peer.template());
        let text = fs::read_to_string(&template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        let file = setting.folder.join(peer.name());
        let file = file.with_extension(template.extension().unwrap_or_default());
        fs::write(&file, values.fill(&text)?)?;
        let mut command = command(peer, setting, &file);
        let start = Instant::now();
        let mut process = Process::start(peer.name(), &mut command, setting.folder)?;
        let patience = match setting.under {
            [] => START,
            _ => START_UNDER,
        };
        process.within(patience, || {
            http::get(plain_port, "/").is_ok_and(|answer| answer.status == 200)
        })?;
        Ok(Self {
            peer,
            process,
            plain_port,
            tls_port,
            admin_port,
            started_in: start.elapsed(),
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
    let program = setting.programs.of_peer(peer);
    let core = setting.cores.proxy;
    let mut command = match setting.under {
        [tool, arguments @ ..] => {
            let mut command = cores::on(core, tool);
            command.args(arguments).arg(program);
            command
        }
        [] => cores::on(core, program),
    };
    match peer {
        Peer::Gatewright => {
            command.args(["run", "--config"]).arg(file);
            if !setting.under.is_empty() {
                command.env("GATEWRIGHT_COMPILER", program);
            }
        }
        Peer::Haproxy => {
            command.args(["-db", "-f"]).arg(file);
        }
        Peer::Nginx | Peer::NginxLua => {
            let errors = setting.folder.join(format!("{}.errors", peer.name()));
            command.arg("-e").arg(errors).arg("-c").arg(file);
            if !setting.under.is_empty() {
                command.args(["-g", "master_process off;"]);
            }
        }
        Peer::Pingora => {
            command.arg(file);
        }
    }
    // What the environment asks of a gateway is not meant for this one.
    for variable in ["PORT", "WORKER_COUNT", "HEALTH_CHECK_INTERVAL"] {
        command.env_remove(variable);
    }
    command.current_dir(setting.folder);
    command
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
