//! `gatewright record`: a while of a balancer's decisions, into a file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use gatewright_model::config::Period;
use http::Method;
use serde_json::{Value, json};

use super::api::{ApiOptions, Call, escaped};
use crate::ending::usage;
use crate::runtime;

/// How often it is asked whether the recording is over.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// When nobody has asked for so many seconds, this program was killed, and the
/// recording goes without it.
const UNATTENDED: u64 = 60;

/// What a program ends with that Ctrl-C ended, as shells say it.
const INTERRUPTED: i32 = 130;

/// What `gatewright record` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The file has all that the contract handed to the pool's balancer, and what it
answered: `gatewright plugin replay` plays it to another one. What the plugin asked
of requests is in it, such as headers and paths; Authorization, Cookie and the like
are there as digests under a key that nobody has. It takes the role deploy. A new
file is one that only you may read. Keep it as secret as access logs: what the pool
hashes by, such as an address, can be guessed from the keys of its decisions.

Each worker's instance is replaced by a fresh one first, with what the old one
learned if the plugin hands that over.

Environment:
  GATEWRIGHT_TOKEN   the access token, once the gateway has any

Examples:
  gatewright record --pool web --for 30s -o web.jsonl
  gatewright plugin replay ./near.wasm web.jsonl")]
pub(super) struct RecordOptions {
    #[command(flatten)]
    api: ApiOptions,
    /// The pool.
    #[arg(long)]
    pool: String,
    /// For how long: 1s to 10min.
    #[arg(long = "for", default_value = "30s", value_name = "DURATION")]
    length: Period,
    /// The share of decisions, in percent.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    sample: u8,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn run(options: &RecordOptions) -> anyhow::Result<()> {
    let api = &options.api;
    let seconds = options.length.0.as_secs();
    ensure_seconds(seconds)?;
    let wanted = json!({
        "pool": options.pool,
        "seconds": seconds,
        "sample": options.sample,
        "unattendedSeconds": UNATTENDED,
    });
    let interrupted = listen()?;
    let call = Call::new(Method::POST, "/api/recordings").with(wanted);
    let id = text(&api.ask(call)?, "id")?;
    let path = format!("/api/recordings/{}", escaped(&id));
    let written = wait(api, &id, &interrupted).and_then(|shown| {
        let bytes = api.download(&path)?;
        let file = &options.output;
        write(file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(shown)
    });
    // Also after a failure or Ctrl-C: nobody else knows of it.
    let deleted = api.ask(Call::new(Method::DELETE, path));
    let shown = written?;
    deleted?;
    let file = options.output.display();
    api.print(&shown, |shown| {
        let (decisions, bytes) = (&shown["decisions"], &shown["bytes"]);
        let full = match shown["state"] == "full" {
            true => "; it was full before its time was over",
            false => "",
        };
        format!("{decisions} decisions in {bytes} bytes are in {file}{full}\n")
    })
}

fn ensure_seconds(seconds: u64) -> anyhow::Result<()> {
    match seconds {
        1..=600 => Ok(()),
        _ => Err(usage(anyhow!("--for is 1s to 10min"))),
    }
}

/// Listen for Ctrl-C from now on. A second one ends the program at once.
fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&interrupted);
    let builder = thread::Builder::new().name("gatewright-interrupt".to_owned());
    let started = builder.spawn(move || runtime::block_on(tell(told)));
    started.context("no thread can be started")?;
    Ok(interrupted)
}

async fn tell(interrupted: Arc<AtomicBool>) -> anyhow::Result<()> {
    tokio::signal::ctrl_c().await?;
    interrupted.store(true, Ordering::Relaxed);
    tokio::signal::ctrl_c().await?;
    process::exit(INTERRUPTED)
}

/// Write a file that nobody else may read, if it is a new one: what was asked of
/// requests is in it.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(file)?.write_all(bytes)
}

/// Wait until a recording is over.
fn wait(api: &ApiOptions, id: &str, interrupted: &AtomicBool) -> anyhow::Result<Value> {
    loop {
        let is_interrupted = interrupted.load(Ordering::Relaxed);
        ensure!(!is_interrupted, "interrupted; no file is written");
        let list = api.ask(Call::new(Method::GET, "/api/recordings"))?;
        let mut recordings = list.as_array().into_iter().flatten();
        let shown = recordings.find(|shown| shown["id"] == id);
        let shown = shown.context("somebody deleted the recording")?;
        if shown["state"] != "recording" {
            return match shown["decisions"] == 0 {
                true => Err(undecided(api, &text(shown, "pool")?)),
                false => Ok(shown.clone()),
            };
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Nothing was decided, with what to do about it.
fn undecided(api: &ApiOptions, pool: &str) -> anyhow::Error {
    let call = Call::new(Method::GET, format!("/api/pools/{}", escaped(pool)));
    let is_sticky = api.ask(call);
    let is_sticky = is_sticky.is_ok_and(|pool| pool["sessionPersistence"] == true);
    let whose = match is_sticky {
        true => {
            " from clients that its affinity does not know: for others the balancer is not asked"
        }
        false => "",
    };
    anyhow!("nothing was decided meanwhile; send requests to the pool while it is recorded{whose}")
}

fn text(data: &Value, key: &str) -> anyhow::Result<String> {
    let text = data[key].as_str();
    text.map(str::to_owned)
        .with_context(|| format!("the gateway's answer has no {key}"))
}
