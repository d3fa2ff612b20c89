//! `cargo xtask bench dashboards`: a gateway of a thousand servers, watched by
//! fifty dashboards. What does the control plane take for it, and what does a
//! page's script take of each frame?

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Serialize;

use super::common::Common;
use super::cpu;
use super::figures::grouped;
use super::followers::Followers;
use super::http;
use super::peer::WORKERS;
use crate::cargo::output;
use crate::dashboard;
use crate::process::Process;

/// What the gateway's log names its listeners after.
const ADMIN: &str = "admin listening address=127.0.0.1:";
const CLIENTS: &str = "serving: listening address=";

/// What the backend's output names its port after.
const BACKEND: &str = "listens on http://0.0.0.0:";

/// The thread that checks servers; all but this one and the workers are the control
/// plane's.
const PROBER: &str = "prober";

/// Requests a second, so that figures move.
const RATE: u32 = 1000;

/// How long before it is measured: the first health checks are over then.
const SETTLE: Duration = Duration::from_secs(8);

/// The most of a core that the control plane may take while it is watched.
const MOST_OF_A_CORE: f64 = 0.05;

/// The most that a page's script may take of a frame, in milliseconds: half of
/// what a screen of sixty frames a second has for one.
const MOST_OF_A_FRAME: f64 = 8.0;

/// What `cargo xtask bench dashboards` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// How many servers there are
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=4000))]
    servers: u16,
    /// How many dashboards are open
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=60))]
    dashboards: u16,
    /// How long to measure, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..=600))]
    seconds: u64,
    /// Leave the browser out
    #[arg(long)]
    without_browser: bool,
    #[command(flatten)]
    common: Common,
}

/// Measure and print.
///
/// # Errors
///
/// When a dashboard was not told every second, or something does not start.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let gatewright = arguments.common.program()?;
    let folder = tempfile::tempdir()?;
    let running = Running::start(arguments, &gatewright, folder.path())?;
    std::thread::sleep(SETTLE);
    let period = Duration::from_secs(arguments.seconds);
    let alone = running.control_plane(period)?;
    let followers = Followers::start(running.port, arguments.dashboards)?;
    // The first figures come at once, and all together.
    std::thread::sleep(Duration::from_secs(2));
    let before = followers.told();
    let watched = running.control_plane(period)?;
    let told = followers.told().since(&before);
    drop(followers);
    let report = Report {
        servers: arguments.servers,
        dashboards: arguments.dashboards,
        control_plane_alone: alone,
        control_plane_watched: watched,
        fewest_told_a_second: told.fewest as f64 / period.as_secs_f64(),
        bytes_a_tick: told.bytes_a_tick(),
        pages: match arguments.without_browser {
            true => Vec::new(),
            false => pages(&gatewright, running.port)?,
        },
    };
    report.print();
    arguments.common.tell(&report)?;
    ensure!(
        report.fewest_told_a_second > 0.8,
        "a dashboard was told only {:.1} times a second",
        report.fewest_told_a_second
    );
    Ok(())
}

/// The gateway, one server behind all addresses of its pool, and clients.
struct Running {
    port: u16,
    gateway: Process,
    _others: [Process; 2],
}

impl Running {
    fn start(arguments: &Arguments, program: &Path, folder: &Path) -> Result<Self> {
        let command = |name: &str| {
            let mut command = Command::new(program);
            command.arg(name).current_dir(folder).env("NO_COLOR", "1");
            command
        };
        let mut backend = command("backend");
        backend.args(["--host", "0.0.0.0", "--port", "0"]);
        let mut backend = Process::start("backend", &mut backend, folder)?;
        let server = backend.printed(|said| after(said, BACKEND))?;
        fs::write(
            folder.join("gatewright.toml"),
            configuration(arguments.servers, &server),
        )?;
        let mut gateway = Process::start("gatewright", &mut command("run"), folder)?;
        let port = gateway.printed(|said| after(said, ADMIN))?;
        let port = port.parse().context("the admin listener has no port")?;
        let target = gateway.printed(|said| after(said, CLIENTS))?;
        gateway.until(|| http::get(port, "/livez").is_ok())?;
        let mut traffic = command("traffic");
        traffic.args(["--target", &format!("http://{target}")]);
        traffic.args(["--rate", &RATE.to_string(), "--duration", "0s", "--json"]);
        let traffic = Process::start("traffic", traffic.args(["--path", "/api/test"]), folder)?;
        Ok(Self {
            port,
            gateway,
            _others: [backend, traffic],
        })
    }

    /// The share of a core that the control plane's threads take.
    fn control_plane(&self, period: Duration) -> Result<f64> {
        let (began, [all, others]) = (Instant::now(), self.taken()?);
        std::thread::sleep(period);
        let [all_now, others_now] = self.taken()?;
        let taken = (all_now - all).saturating_sub(others_now - others);
        Ok(taken.as_secs_f64() / began.elapsed().as_secs_f64())
    }

    /// What all threads have taken, those that have ended too, and what those
    /// have that are not the control plane's, which last as long as the gateway.
    fn taken(&self) -> Result<[Duration; 2]> {
        let threads = cpu::of_threads(self.gateway.id())?;
        let is_other = |name: &str| name.starts_with(WORKERS) || name == PROBER;
        let others = threads.iter().filter(|(name, _)| is_other(name));
        let others = others.map(|(_, time)| time.total()).sum();
        Ok([cpu::of_tree(self.gateway.id())?.total(), others])
    }
}

/// The rest of a line after a mark, once the line is whole.
fn after(said: &str, mark: &str) -> Option<String> {
    let (_, rest) = said.split_once(mark)?;
    let (line, _) = rest.split_once('\n')?;
    line.split_whitespace().next().map(str::to_owned)
}

/// Servers that are all the same one, which listens on every address of the
/// machine's own; checked as servers are unless one says otherwise.
fn configuration(servers: u16, port: &str) -> String {
    let servers = (0..servers).map(|number| {
        let (third, fourth) = (number / 250, 1 + number % 250);
        format!("\"127.1.{third}.{fourth}:{port}\"")
    });
    let servers: Vec<_> = servers.collect();
    format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n\n[workers]\ncount = 1\n\n\
         [[listener]]\nlisten = \"127.0.0.1:0\"\n\n\
         [pools.web]\nhealth = {{ path = \"/health\" }}\nservers = [{}]\n",
        servers.join(", ")
    )
}

/// What the script of each page takes, as the browser's own trace tells.
fn pages(program: &Path, port: u16) -> Result<Vec<Page>> {
    let mut script = dashboard::script(program)?;
    script
        .arg("frames.js")
        .arg(format!("http://127.0.0.1:{port}"));
    let told = output(&mut script)?;
    serde_json::from_str(&told).context("cannot understand what the browser was asked")
}

/// What a page's script takes of a frame.
#[derive(serde::Deserialize, Serialize)]
struct Page {
    name: String,
    frames: u32,
    median_ms: f64,
    p99_ms: f64,
    longest_ms: f64,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    servers: u16,
    dashboards: u16,
    /// Shares of a core.
    control_plane_alone: f64,
    control_plane_watched: f64,
    fewest_told_a_second: f64,
    bytes_a_tick: f64,
    pages: Vec<Page>,
}

impl Report {
    fn print(&self) {
        println!(
            "\n{} servers: the control plane takes {:.2} % of a core, and {:.2} % with {} dashboards \
             open, each told {:.2} times a second at least, {} bytes each time",
            self.servers,
            self.control_plane_alone * 100.0,
            self.control_plane_watched * 100.0,
            self.dashboards,
            self.fewest_told_a_second,
            grouped(self.bytes_a_tick),
        );
        for page in &self.pages {
            println!(
                "{:<12} script a frame: {:.1} ms (median of {} frames with any), {:.1} ms (p99), \
                 {:.1} ms at most",
                page.name, page.median_ms, page.frames, page.p99_ms, page.longest_ms
            );
        }
        for (what, is_met) in self.goals() {
            println!("{}: {what}", if is_met { "met" } else { "MISSED" });
        }
    }

    /// What is aimed at, and whether it was reached; of pages if there were any.
    fn goals(&self) -> Vec<(String, bool)> {
        let most = MOST_OF_A_CORE * 100.0;
        let mut goals = vec![(
            format!("at most {most} % of a core for a watched control plane"),
            self.control_plane_watched <= MOST_OF_A_CORE,
        )];
        if !self.pages.is_empty() {
            let is_short = |page: &Page| page.longest_ms <= MOST_OF_A_FRAME;
            goals.push((
                format!("at most {MOST_OF_A_FRAME} ms of script in every frame of every page"),
                self.pages.iter().all(is_short),
            ));
        }
        goals
    }
}

#[cfg(test)]
mod tests {
    use super::{BACKEND, Page, Report, after, configuration};

    fn report(control_plane_watched: f64, longest: &[f64]) -> Report {
        let page = |longest_ms: &f64| Page {
            name: "Traffic".to_owned(),
            frames: 9,
            median_ms: 0.5,
            p99_ms: 1.0,
            longest_ms: *longest_ms,
        };
        Report {
            servers: 1000,
            dashboards: 50,
            control_plane_alone: 0.01,
            control_plane_watched,
            fewest_told_a_second: 1.0,
            bytes_a_tick: 1.0,
            pages: longest.iter().map(page).collect(),
        }
    }

    #[test]
    fn a_goal_is_met_by_all_or_missed() {
        let met = |report: Report| -> Vec<bool> {
            report.goals().into_iter().map(|(_, met)| met).collect()
        };
        assert_eq!(met(report(0.04, &[4.0, 7.9])), [true, true]);
        assert_eq!(met(report(0.06, &[4.0, 8.1])), [false, false]);
        assert_eq!(met(report(0.04, &[])), [true]);
    }

    #[test]
    fn a_port_is_read_once_its_line_is_whole() {
        let said = "x listens on http://0.0.0.0:42707 (Ctrl-C ends it)\n";
        assert_eq!(after(said, BACKEND).unwrap(), "42707");
        assert_eq!(after("x listens on http://0.0.0.0:427", BACKEND), None);
    }

    #[test]
    fn every_server_has_an_address_of_its_own() {
        let text = configuration(1000, "3000");
        let mut servers: Vec<_> = text
            .split('"')
            .filter(|part| part.ends_with(":3000"))
            .collect();
        servers.sort_unstable();
        servers.dedup();
        assert_eq!(servers.len(), 1000);
    }
}
