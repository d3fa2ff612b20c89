//! `cargo xtask bench telemetry`: what it costs to tell of requests. One gateway
//! tells nothing, one writes an access log, one traces a request in a hundred; each is
//! loaded in turn, and the CPU time of its whole process counts, whoever of its
//! threads writes and sends.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use serde::Serialize;

use super::certificate;
use super::common::Common;
use super::cores::{self, Cores};
use super::figures::{Run, grouped, median};
use super::metrics::Metrics;
use super::peer::{Peer, Setting, Started};
use super::peers::{self, Proxy};
use super::programs::Programs;

/// The access log, in the gateway's folder.
const LOG: &str = "access.log";

/// What `cargo xtask bench telemetry` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// Three rounds of two seconds instead of seven of five
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    common: Common,
}

/// What a gateway tells of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    Nothing,
    Log,
    Traces,
}

impl Telling {
    /// All, the one first that the others are compared with.
    const ALL: [Self; 3] = [Self::Nothing, Self::Log, Self::Traces];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Log => "access log in JSON",
            Self::Traces => "traces of 1 %",
        }
    }

    /// The tables of its configuration.
    fn tables(self, collector: u16) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Log => format!("[access_log]\nfile = \"{LOG}\""),
            Self::Traces => {
                format!("[tracing]\notlp = \"http://127.0.0.1:{collector}\"\nsample = 0.01")
            }
        }
    }

    /// The figures of what it has told, and of what was dropped.
    fn figures(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Nothing => None,
            Self::Log => Some([
                "gatewright_access_log_lines_total",
                "gatewright_access_log_dropped_total",
            ]),
            Self::Traces => Some([
                "gatewright_trace_spans_exported_total",
                "gatewright_trace_spans_dropped_total",
            ]),
        }
    }
}

/// A gateway under measurement.
struct Gateway {
    telling: Telling,
    proxy: Proxy,
    runs: Vec<Run>,
    _folder: tempfile::TempDir,
    log: PathBuf,
}

/// What came out for one of them.
#[derive(Serialize)]
struct Row {
    name: &'static str,
    requests_per_second: f64,
    cpu_us_per_request: f64,
    /// More than that of the gateway which tells nothing, round by round, then the
    /// median.
    more_us_per_request: f64,
}

/// Measure, print a table and, if asked, the JSON.
///
/// # Errors
///
/// When a program is missing, a gateway does not start or tells nothing, or a request
/// failed.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let programs = Programs::find(&[Peer::Gatewright], &arguments.common, &[])?;
    let gateways = measure(arguments, &programs)?;
    let rows = rows(&gateways);
    println!(
        "\n{:20} {:>11} {:>16} {:>9}",
        "told of requests", "requests/s", "CPU µs/request", "more µs"
    );
    for row in &rows {
        println!(
            "{:20} {:>11} {:>16.2} {:>+9.2}",
            row.name,
            grouped(row.requests_per_second),
            row.cpu_us_per_request,
            row.more_us_per_request,
        );
    }
    arguments.common.tell(&rows)?;
    let runs = gateways.iter().flat_map(|gateway| &gateway.runs);
    let failed: u64 = runs.map(|run| run.failed).sum();
    if failed > 0 {
        bail!("{failed} requests failed: the figures above are not to be used");
    }
    gateways.iter().try_for_each(Gateway::has_told)
}

fn measure(arguments: &Arguments, programs: &Programs) -> Result<Vec<Gateway>> {
    let mut words = vec!["peers", "--clients", "sessionless"];
    if arguments.quick {
        words.push("--quick");
    }
    let load = peers::Arguments::parse_from(words);
    let cores = Cores::choose()?;
    let traffic = load.scenario.traffic();
    let backends = peers::backends(traffic, cores)?;
    let collector = collector(cores.load)?;
    let mut gateways = Vec::new();
    for telling in Telling::ALL {
        let folder = tempfile::tempdir()?;
        certificate::make(folder.path())?;
        let tables = telling.tables(collector);
        let setting = Setting {
            telemetry: &tables,
            ..Setting::new(programs, folder.path(), cores, &backends.ports, traffic)
        };
        let started = Started::start(Peer::Gatewright, &setting)?;
        let proxy = Proxy::new(started, &setting, &load)?;
        // Pools fill and caches warm before anything counts.
        proxy.load(Duration::from_secs(1), None)?;
        gateways.push(Gateway {
            telling,
            proxy,
            runs: Vec::new(),
            log: folder.path().join(LOG),
            _folder: folder,
        });
    }
    let count = gateways.len();
    for round in 0..load.rounds() {
        for turn in 0..count {
            // Another one goes first in each round.
            let gateway = &mut gateways[(round + turn) % count];
            let run = gateway.proxy.measure(load.duration(), None)?;
            println!(
                "round {}/{}: {:20} {:>9} requests/s, {:.2} µs CPU per request",
                round + 1,
                load.rounds(),
                gateway.telling.name(),
                grouped(run.requests_per_second),
                run.cpu_us_per_request,
            );
            gateway.runs.push(run);
            gateway.empty_log()?;
        }
    }
    Ok(gateways)
}

impl Gateway {
    /// A log of every round would fill a small disk.
    fn empty_log(&self) -> Result<()> {
        match self.telling {
            Telling::Log => Ok(fs::write(&self.log, "")?),
            Telling::Nothing | Telling::Traces => Ok(()),
        }
    }

    /// A gateway that has told nothing has cost nothing.
    fn has_told(&self) -> Result<()> {
        let Some([told, dropped]) = self.telling.figures() else {
            return Ok(());
        };
        let metrics = Metrics::of(self.proxy.started.admin_port)?;
        let sum = |family| metrics.all(family).map(|sample| sample.value).sum::<f64>();
        let (told, dropped) = (sum(told), sum(dropped));
        if told == 0.0 {
            bail!("nothing was told by {}", self.telling.name());
        }
        if dropped > 0.0 {
            println!(
                "note: {} had {dropped} of {} dropped, which cost less",
                self.telling.name(),
                told + dropped
            );
        }
        Ok(())
    }
}

fn rows(gateways: &[Gateway]) -> Vec<Row> {
    let [nothing, ..] = gateways else {
        return Vec::new();
    };
    let row = |gateway: &Gateway| {
        let of = |figure: fn(&Run) -> f64| median(gateway.runs.iter().map(figure));
        let rounds = gateway.runs.iter().zip(&nothing.runs);
        let more = rounds.map(|(run, nothing)| run.cpu_us_per_request - nothing.cpu_us_per_request);
        Row {
            name: gateway.telling.name(),
            requests_per_second: of(|run| run.requests_per_second),
            cpu_us_per_request: of(|run| run.cpu_us_per_request),
            more_us_per_request: median(more),
        }
    };
    gateways.iter().map(row).collect()
}

/// Start a collector that takes everything and keeps nothing, for as long as this
/// process runs; its port.
fn collector(core: Option<usize>) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let pinned = core.map_or(Ok(()), cores::pin_this_thread);
                let taken = pinned.and_then(|()| take(stream));
                if let Err(error) = taken {
                    println!("the collector ended: {error}");
                }
            });
        }
    });
    Ok(port)
}

/// Take requests with bodies of a known length, to the connection's end.
fn take(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 0 {
        let field = line.trim_end().to_ascii_lowercase();
        line.clear();
        if let Some(value) = field.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        if field.is_empty() {
            io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::collector;
    use crate::bench::cores::Cores;

    #[test]
    fn the_collector_answers_each_request_on_a_connection() {
        let core = Cores::choose().ok().and_then(|cores| cores.load);
        let port = collector(core).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        for _ in 0..2 {
            let request = b"POST /v1/traces HTTP/1.1\r\nContent-Length: 5\r\n\r\nspans";
            stream.write_all(request).unwrap();
            let mut answer = [0; 38];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    }
}
