//! A collector of OpenTelemetry that is not ours: rotel, as PyPI has it. `cargo xtask
//! test` installs it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use super::collector::Collector;
use super::eventually::eventually;
use super::run::{Log, collect};

/// The environment of Python's that it is installed into.
const ENVIRONMENT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../rotel/lib");

/// A collector that hands on what it is sent. It is killed when it is dropped.
pub(crate) struct Rotel {
    process: Child,
    address: SocketAddr,
    log: Log,
}

impl Rotel {
    /// One that hands it on to another collector.
    pub(crate) async fn before(collector: &Collector) -> Self {
        // Given back just before the server takes it.
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("its address");
        let program = program();
        drop(taken);
        let mut process = Command::new(program)
            .args(["start", "--otlp-grpc-endpoint", "127.0.0.1:0"])
            .args(["--otlp-http-endpoint", &address.to_string()])
            .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
            .args(["--otlp-exporter-endpoint", &collector.base()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rotel runs");
        let log = Log::default();
        collect(process.stdout.take().expect("it is piped"), &log);
        collect(process.stderr.take().expect("it is piped"), &log);
        let rotel = Self {
            process,
            address,
            log,
        };
        eventually("rotel listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        rotel
    }

    /// Its base address.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("rotel's log:\n{}", self.log.lock().expect("no panic"));
        }
    }
}

/// The program, below the folder of whichever version of Python there is.
fn program() -> PathBuf {
    let is_there = |version: fs::DirEntry| {
        let program = version.path().join("site-packages/rotel/rotel-agent");
        program.is_file().then_some(program)
    };
    let versions = fs::read_dir(Path::new(ENVIRONMENT)).into_iter().flatten();
    let mut programs = versions.filter_map(|version| is_there(version.ok()?));
    programs
        .next()
        .expect("rotel is not installed: `cargo xtask test` does it")
}
