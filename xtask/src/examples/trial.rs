//! What each example must do in a gateway that serves others all the while, and
//! what it costs there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::client::Client;
use super::gateway::{Gateway, NAMES};
use super::load::Load;
use crate::bench::metrics::{Metrics, Sample};

/// Decisions that the figures are taken over. The gateway times one in 64.
const REQUESTS: usize = 20_000;

/// Requests whose answers are looked at one by one: every server's turn comes.
const TURNS: usize = 12;

/// How long the request takes that keeps a server busy, in milliseconds.
const BUSY_MS: u32 = 2000;

/// Sizes of memory that are tried, in KiB: the range of the setting.
const LEAST_MEMORY_KIB: u32 = 64;
const MOST_MEMORY_KIB: u32 = 256 * 1024;

/// Servers of a large pool.
const MANY: u64 = 1000;

/// Where balancers sit: one is to stay in a zone, one in a zone that no server
/// is in.
const NEAR: &str = "near/balancer";
const ELSEWHERE: &str = "elsewhere/balancer";

/// Where routers sit, and who routes before and after them.
const ROUTER: &str = "-/router";

/// What was found out about a balancer.
pub(super) struct Found {
    /// How long the gateway compiled and tried it.
    pub(super) compiling: Duration,
    /// The least power of two of memory that it decides with.
    pub(super) memory_kib: u32,
    /// Of processor time, on average over three endpoints.
    pub(super) ns_per_decision: f64,
    /// The median of a decision among [`MANY`] servers.
    pub(super) ns_among_many: f64,
    /// Of all kinds, fallbacks included.
    pub(super) faults: f64,
}

/// Bring a balancer into the gateway and put it to work: it must stay in its
/// zone, avoid the busier server, and take any server where there is no such
/// zone.
///
/// # Errors
///
/// When it does not, or faults.
pub(super) fn balancer(
    (gateway, load): (&Gateway, &Load),
    name: &str,
    component: &Path,
) -> Result<Found> {
    let bytes = fs::read(component)?;
    let before = load.answered();
    let compiling = compiling(gateway, name, &bytes)?;
    refuses_no_zone(gateway, name)?;
    let memory_kib = bind_with_least_memory(gateway, name, &bytes)?;
    ensure!(load.answered() > before, "nobody asked meanwhile");
    let mut client = Client::connect(gateway.port)?;
    looks_right(gateway, load, &mut client)?;
    for _ in 0..REQUESTS {
        let server = client.get("/api/test", None)?;
        ensure!(server.starts_with('a'), "{server} answered for zone a");
    }
    let metrics = Metrics::of(gateway.admin_port)?;
    let found = Found {
        compiling,
        memory_kib,
        ns_per_decision: nanoseconds(&metrics, name)?,
        ns_among_many: gateway.bench(component, &zone("a"), MANY)?,
        faults: faults(&metrics, name),
    };
    ensure!(found.faults == 0.0, "{} faults or fallbacks", found.faults);
    Ok(found)
}

/// Bring a router into the gateway and put it to work: requests with the cookie
/// go to one pool, the others to another.
///
/// # Errors
///
/// When they do not, or it faults.
pub(super) fn router(gateway: &Gateway, name: &str, component: &Path) -> Result<()> {
    let before = json!({ "routes": [
        { "path": "/elsewhere/*", "pool": "elsewhere", "rewrite": "/" },
        { "path": "/*", "pool": "near" },
    ] });
    let config = |with: &str| json!({ "cookie": "beta", "with": with, "without": "without" });
    taken(gateway.upload(name, MOST_MEMORY_KIB, &fs::read(component)?)?)?;
    let Err(refusal) = gateway.bind(ROUTER, name, &config("nowhere"))? else {
        bail!("a pool that is not there was accepted");
    };
    ensure!(
        refusal.contains("with"),
        "the refusal names no key: {refusal}"
    );
    taken(gateway.bind(ROUTER, name, &config("with"))?)?;
    let mut client = Client::connect(gateway.port)?;
    for _ in 0..TURNS {
        let plain = client.get("/", None)?;
        let tester = client.get("/", Some("beta=1"))?;
        ensure!(
            plain.starts_with('a'),
            "{plain} answered without the cookie"
        );
        ensure!(tester == "b1", "{tester} answered with the cookie");
    }
    let faults = faults(&Metrics::of(gateway.admin_port)?, name);
    ensure!(faults == 0.0, "the router has {faults} faults or fallbacks");
    taken(gateway.bind(ROUTER, "path-router", &before)?).map(drop)
}

/// The data of an answer that must not be a refusal.
fn taken(answer: Result<Value, String>) -> Result<Value> {
    answer.map_err(|refusal| anyhow!("it was refused: {refusal}"))
}

fn zone(name: &str) -> Value {
    json!({ "zone": name })
}

/// How long the gateway compiles and tries a component that it has not seen.
fn compiling(gateway: &Gateway, name: &str, component: &[u8]) -> Result<Duration> {
    let uploaded = taken(gateway.upload(name, MOST_MEMORY_KIB, component)?)?;
    let millis = uploaded["compileMs"].as_f64();
    let millis = millis.context("the answer does not tell how long it compiled")?;
    Ok(Duration::from_secs_f64(millis / 1e3))
}

/// A configuration without a zone must be refused, naming the key.
fn refuses_no_zone(gateway: &Gateway, name: &str) -> Result<()> {
    let Err(refusal) = gateway.bind(NEAR, name, &json!({}))? else {
        bail!("a configuration without a zone was accepted");
    };
    ensure!(
        refusal.contains("zone"),
        "the refusal names no key: {refusal}"
    );
    Ok(())
}

/// Bind a balancer in both seats with the least power of two of memory that it
/// is taken with, and how much that is.
fn bind_with_least_memory(gateway: &Gateway, name: &str, component: &[u8]) -> Result<u32> {
    let mut memory_kib = LEAST_MEMORY_KIB;
    loop {
        let bound = bind_with(gateway, name, (memory_kib, component))?;
        match bound {
            Ok(_) => return Ok(memory_kib),
            Err(refusal) if memory_kib == MOST_MEMORY_KIB => bail!("it was refused: {refusal}"),
            // An interpreter that lacks memory may end in any trap.
            Err(_) => memory_kib *= 2,
        }
    }
}

fn bind_with(
    gateway: &Gateway,
    name: &str,
    (memory_kib, component): (u32, &[u8]),
) -> Result<Result<Value, String>> {
    let mut answer = gateway.upload(name, memory_kib, component)?;
    for (seat, place) in [(NEAR, "a"), (ELSEWHERE, "none")] {
        if answer.is_ok() {
            answer = gateway.bind(seat, name, &zone(place))?;
        }
    }
    Ok(answer)
}

/// Where requests go one by one, which others would blur.
fn looks_right(gateway: &Gateway, load: &Load, client: &mut Client) -> Result<()> {
    let _paused = load.pause();
    let near = answering(client, "/")?;
    ensure!(
        near == BTreeSet::from(["a1", "a2"].map(String::from)),
        "zone a: {near:?} answered"
    );
    let all = answering(client, "/elsewhere/")?;
    ensure!(
        all == BTreeSet::from(NAMES.map(String::from)),
        "no such zone: {all:?} answered"
    );
    avoids_the_busier(gateway, client)
}

/// The names of those that answer some requests.
fn answering(client: &mut Client, path: &str) -> Result<BTreeSet<String>> {
    (0..TURNS).map(|_| client.get(path, None)).collect()
}

/// While a server of the zone is busy, the other one must answer.
fn avoids_the_busier(gateway: &Gateway, client: &mut Client) -> Result<()> {
    let mut other = Client::connect(gateway.port)?;
    std::thread::scope(|scope| {
        let path = format!("/slow?ms={BUSY_MS}");
        let slow = scope.spawn(move || other.get(&path, None));
        let start = Instant::now();
        while active(&Metrics::of(gateway.admin_port)?) == 0.0 {
            ensure!(
                start.elapsed().as_millis() < u128::from(BUSY_MS),
                "no server became busy"
            );
        }
        let idle = answering(client, "/")?;
        let Ok(busy) = slow.join() else {
            bail!("the slow request's thread ended early");
        };
        ensure!(
            idle.len() == 1 && !idle.contains(&busy?),
            "{idle:?} answered beside a busy server"
        );
        Ok(())
    })
}

fn active(metrics: &Metrics) -> f64 {
    let servers = metrics.all("gatewright_server_active_requests");
    servers.map(|server| server.value).sum()
}

/// The mean over decisions of the pool that was asked most.
fn nanoseconds(metrics: &Metrics, plugin: &str) -> Result<f64> {
    let of = |family| {
        let is_near = |sample: &Sample<'_>| {
            sample.label("pool") == Some("near") && sample.label("plugin") == Some(plugin)
        };
        let found = metrics.all(family).find(is_near).map(|sample| sample.value);
        found.with_context(|| format!("{family} is not told"))
    };
    let seconds = of("gatewright_plugin_decision_seconds_sum")?;
    Ok(seconds * 1e9 / of("gatewright_plugin_decision_seconds_count")?)
}

/// Faults, and decisions that somebody else had to make.
fn faults(metrics: &Metrics, plugin: &str) -> f64 {
    [
        "gatewright_plugin_faults_total",
        "gatewright_plugin_fallbacks_total",
    ]
    .iter()
    .flat_map(|family| metrics.all(family))
    .filter(|sample| sample.label("plugin") == Some(plugin))
    .map(|sample| sample.value)
    .sum()
}
