//! `cargo xtask bench cluster`: three gateways that share a Redis server. What do they
//! send it while nothing happens, and how much of its memory do sessions and servers
//! take?

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde::Serialize;
use serde_json::Value;

use super::common::Common;
use super::figures::grouped;
use super::http;
use crate::cargo::output;
use crate::process::Process;

/// What the programs' output names their ports after.
const ADMIN: &str = "admin listening address=127.0.0.1:";
const CLIENTS: &str = "serving: listening address=127.0.0.1:";
const BACKEND: &str = "listens on http://127.0.0.1:";

/// How many gateways there are.
const GATEWAYS: u16 = 3;

/// What asks for the version of their state.
const STATE: [&str; 3] = ["HGET", "gatewright:state", "version"];

/// How long they are left alone before they are measured.
const SETTLE: Duration = Duration::from_secs(2);

/// How long what was done may take to be told.
const PATIENCE: Duration = Duration::from_secs(20);

/// What `cargo xtask bench cluster` takes.
#[derive(Parser)]
pub(super) struct Arguments {
    /// How long to measure three idle gateways, in seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=60))]
    seconds: u64,
    /// How many sessions to make, a third on each gateway
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(300..=200_000))]
    sessions: u32,
    /// How many servers to add
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=2000))]
    servers: u16,
    #[command(flatten)]
    common: Common,
}

/// Measure and print.
///
/// # Errors
///
/// When something does not start, or does not come to be shared.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let gatewright = arguments.common.program()?;
    let folder = tempfile::tempdir()?;
    let redis = Redis::start(folder.path())?;
    let alone = redis.memory()?;
    let (gateways, _backend) = start(&gatewright, folder.path(), &redis)?;
    std::thread::sleep(SETTLE);
    let idle = redis.traffic(Duration::from_secs(arguments.seconds))?;
    let with_gateways = redis.memory()?;
    let server_bytes = gateways[0].add_servers(&redis, arguments.servers)?;
    let report = Report {
        redis: redis.info("server", "redis_version")?,
        gateways: GATEWAYS,
        idle,
        memory_alone: alone,
        memory_with_gateways: with_gateways,
        server_bytes,
        session_bytes: sessions(&redis, &gateways, arguments.sessions)?,
        sessions: arguments.sessions,
        servers: arguments.servers,
    };
    report.print();
    arguments.common.tell(&report)
}

/// A server of its own, behind a Unix socket.
struct Redis {
    socket: PathBuf,
    _process: Process,
}

/// What the server has been sent and has answered by some moment.
#[derive(Clone, Copy)]
struct Counts {
    commands: f64,
    received: f64,
    sent: f64,
}

impl Redis {
    fn start(folder: &Path) -> Result<Self> {
        let socket = folder.join("redis.sock");
        let mut command = Command::new("redis-server");
        command.current_dir(folder).arg("--unixsocket").arg(&socket);
        command.args(["--port", "0", "--save", "", "--appendonly", "no"]);
        let mut process = Process::start("redis-server", &mut command, folder)?;
        process.until(|| ask(&socket, &["PING"]).is_ok_and(|said| said == "PONG"))?;
        Ok(Self {
            socket,
            _process: process,
        })
    }

    /// What it says of itself.
    fn info(&self, section: &str, name: &str) -> Result<String> {
        let said = ask(&self.socket, &["INFO", section])?;
        let value = value(&said, name);
        Ok(value
            .with_context(|| format!("it has no {name}"))?
            .to_owned())
    }

    /// Bytes that it uses.
    fn memory(&self) -> Result<f64> {
        Ok(self.info("memory", "used_memory")?.parse()?)
    }

    fn counts(&self) -> Result<Counts> {
        let said = ask(&self.socket, &["INFO", "stats"])?;
        let number = |name: &str| -> Result<f64> {
            let value = value(&said, name).with_context(|| format!("it has no {name}"))?;
            Ok(value.parse()?)
        };
        Ok(Counts {
            commands: number("total_commands_processed")?,
            received: number("total_net_input_bytes")?,
            sent: number("total_net_output_bytes")?,
        })
    }

    /// What goes on in a second, over some time. What asking takes is left out.
    fn traffic(&self, period: Duration) -> Result<Traffic> {
        let (first, began) = (self.counts()?, Instant::now());
        let before = self.counts()?;
        let asking = began.elapsed().as_secs_f64();
        let began = Instant::now();
        std::thread::sleep(period);
        let after = self.counts()?;
        let taken = began.elapsed().as_secs_f64();
        // In the time of asking once, the gateways have gone on.
        let rate = |of: fn(&Counts) -> f64| {
            let (once, all) = (of(&before) - of(&first), of(&after) - of(&before));
            (all - once) / (taken - asking)
        };
        Ok(Traffic {
            commands: rate(|counts| counts.commands),
            received: rate(|counts| counts.received),
            sent: rate(|counts| counts.sent),
        })
    }

    /// Wait until it has so many things that plugins keep.
    fn has(&self, items: u32) -> Result<()> {
        let began = Instant::now();
        loop {
            let there = ask(&self.socket, &["HLEN", "gatewright:shared:items"])?;
            if there == items.to_string() {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                bail!("{items} sessions were made, and the server has {there}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn ask(socket: &Path, command: &[&str]) -> Result<String> {
    let mut asking = Command::new("redis-cli");
    asking.arg("-s").arg(socket).args(command);
    Ok(output(&mut asking)?.trim().to_owned())
}

/// A value of `INFO`, by its name.
fn value<'a>(said: &'a str, name: &str) -> Option<&'a str> {
    said.lines().find_map(|line| {
        let (key, value) = line.trim_end().split_once(':')?;
        (key == name).then_some(value)
    })
}

/// A gateway, and where it is reached.
struct Gateway {
    admin: u16,
    clients: u16,
    _process: Process,
}

/// The gateways, once all of them know of each other, and the server behind them.
fn start(program: &Path, folder: &Path, redis: &Redis) -> Result<(Vec<Gateway>, Process)> {
    let mut backend = Command::new(program);
    backend.args(["backend", "--host", "127.0.0.1", "--port", "0"]);
    backend.current_dir(folder);
    let mut backend = Process::start("backend", backend.env("NO_COLOR", "1"), folder)?;
    let server = port(&mut backend, BACKEND)?;
    let cache = folder.join("cache");
    fs::create_dir(&cache)?;
    let mut gateways = Vec::new();
    for number in 0..GATEWAYS {
        let own = folder.join(number.to_string());
        // What one has compiled the others need not.
        fs::create_dir_all(own.join("data"))?;
        std::os::unix::fs::symlink(&cache, own.join("data/cache"))?;
        let text = configuration(number, server, &redis.socket);
        fs::write(own.join("gatewright.toml"), text)?;
        let mut command = Command::new(program);
        command.arg("run").current_dir(&own).env("NO_COLOR", "1");
        let mut process = Process::start("gatewright", &mut command, &own)?;
        let admin = port(&mut process, ADMIN)?;
        let clients = port(&mut process, CLIENTS)?;
        process.until(|| http::get(admin, "/readyz").is_ok_and(|answer| answer.status == 200))?;
        gateways.push(Gateway {
            admin,
            clients,
            _process: process,
        });
    }
    let began = Instant::now();
    while gateways[0].members()? < GATEWAYS.into() || ask(&redis.socket, &STATE)? != "1" {
        ensure!(
            began.elapsed() < PATIENCE,
            "the gateways do not find each other, or begin no cluster"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok((gateways, backend))
}

/// The port behind a mark, once its line is whole.
fn port(process: &mut Process, mark: &str) -> Result<u16> {
    let printed = process.printed(|said| {
        let (_, rest) = said.split_once(mark)?;
        let (line, _) = rest.split_once('\n')?;
        line.split_whitespace().next().map(str::to_owned)
    })?;
    printed.parse().context("a port that is none")
}

/// A pool that sessions are made in, and one whose servers nobody asks or checks.
fn configuration(number: u16, server: u16, redis: &Path) -> String {
    format!(
        "default_pool = \"web\"\n\n[admin]\nlisten = \"127.0.0.1:0\"\n\n[workers]\ncount = 1\n\n\
         [[listener]]\nlisten = \"127.0.0.1:0\"\n\n\
         [cluster]\nurl = \"redis+unix://{}\"\nname = \"gw-{number}\"\n\n\
         [pools.web]\nhealth = false\nservers = [\"127.0.0.1:{server}\"]\n\
         affinity = {{ plugin = \"sticky-learn\", config = {{ claimed_idle_s = 3600 }} }}\n\n\
         [pools.others]\nhealth = false\nservers = [\"127.0.0.1:{server}\"]\n",
        redis.display()
    )
}

impl Gateway {
    /// How many gateways it knows of.
    fn members(&self) -> Result<usize> {
        let answer: Value = serde_json::from_str(&http::get(self.admin, "/api/cluster")?.body)?;
        Ok(answer["data"]["gateways"].as_array().map_or(0, Vec::len))
    }

    /// Add so many servers, and say what each takes of the state's memory.
    fn add_servers(&self, redis: &Redis, count: u16) -> Result<f64> {
        for number in 0..count {
            let (third, fourth) = (number / 250, 1 + number % 250);
            let body = format!(
                "{{\"pool\": \"others\", \"host\": \"127.1.{third}.{fourth}\", \"port\": 3000}}"
            );
            let answer = http::ask(self.admin, "POST", "/api/servers", &body)?;
            ensure!(
                answer.status == 201,
                "a server was not added: {}",
                answer.body
            );
        }
        let usage = ["MEMORY", "USAGE", "gatewright:state", "SAMPLES", "0"];
        let bytes: f64 = ask(&redis.socket, &usage)?.parse()?;
        Ok(bytes / f64::from(count))
    }

    /// Ask for so many pages, each with a session of its own, on one connection.
    fn visit(&self, count: u32) -> Result<()> {
        let stream = TcpStream::connect(("127.0.0.1", self.clients))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        for number in 0..count {
            // As long as applications draw them.
            let session = format!("{:08x}{number:024x}", self.clients);
            // At once: what comes in pieces waits for the other side to acknowledge them.
            let request = format!(
                "GET /api/test HTTP/1.1\r\nHost: localhost\r\nCookie: sessionId={session}\r\n\r\n"
            );
            stream.write_all(request.as_bytes())?;
            skip_response(&mut reader)?;
        }
        Ok(())
    }
}

/// Read a response that says its length.
fn skip_response(reader: &mut impl BufRead) -> Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    ensure!(line.contains(" 200 "), "it answers {:?}", line.trim_end());
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            Some(_) => {}
        }
    }
    let skipped = std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    ensure!(skipped == length, "the answer ends early");
    Ok(())
}

/// What a session takes of the server's memory, with all of it.
fn sessions(redis: &Redis, gateways: &[Gateway], count: u32) -> Result<f64> {
    let each = count / u32::from(GATEWAYS);
    let before = redis.memory()?;
    std::thread::scope(|scope| {
        let visits = gateways
            .iter()
            .map(|gateway| scope.spawn(move || gateway.visit(each)));
        let visits: Vec<_> = visits.collect();
        visits.into_iter().try_for_each(|visit| match visit.join() {
            Ok(outcome) => outcome,
            Err(_) => bail!("a client has panicked"),
        })
    })?;
    let made = each * u32::from(GATEWAYS);
    redis.has(made)?;
    Ok((redis.memory()? - before) / f64::from(made))
}

/// In a second.
#[derive(Serialize)]
struct Traffic {
    commands: f64,
    received: f64,
    sent: f64,
}

/// What was found.
#[derive(Serialize)]
struct Report {
    redis: String,
    gateways: u16,
    idle: Traffic,
    memory_alone: f64,
    memory_with_gateways: f64,
    servers: u16,
    server_bytes: f64,
    sessions: u32,
    session_bytes: f64,
}

impl Report {
    fn print(&self) {
        let Traffic {
            commands,
            received,
            sent,
        } = &self.idle;
        println!(
            "\nRedis {}: {} idle gateways are {} commands a second, those within scripts \
             counted, at {} bytes a second towards it and {} from it",
            self.redis,
            self.gateways,
            grouped(*commands),
            grouped(*received),
            grouped(*sent),
        );
        println!(
            "it uses {} bytes with them, {} without",
            grouped(self.memory_with_gateways),
            grouped(self.memory_alone),
        );
        println!(
            "a session takes {} bytes ({} were made), a server {} ({} were added)",
            grouped(self.session_bytes),
            self.sessions,
            grouped(self.server_bytes),
            self.servers,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{skip_response, value};

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let said = "# Memory\r\nused_memory_rss:2\r\nused_memory:1\r\n";
        assert_eq!(value(said, "used_memory"), Some("1"));
        assert_eq!(value(said, "memory"), None);
    }

    #[test]
    fn a_response_is_skipped_to_its_end() {
        let one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab";
        let mut two = &[&one[..], b"HTTP/1.1 503 Busy\r\n"].concat()[..];
        skip_response(&mut two).unwrap();
        let refused = skip_response(&mut two).unwrap_err().to_string();
        assert!(refused.contains("503 Busy"), "{refused}");
    }
}
