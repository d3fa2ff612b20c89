//! What each example must do in a gateway, and what it costs there.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::client::Client;
use super::gateway::{Gateway, NAMES, Servers};
use crate::bench::metrics::Metrics;

/// Decisions that the figures are taken over. The gateway times one in 64.
const REQUESTS: usize = 20_000;

/// Requests whose answers are looked at one by one: every server's turn comes.
const TURNS: usize = 12;

/// How long the request takes that keeps a server busy, in milliseconds.
const BUSY_MS: u32 = 2000;

/// Sizes of memory that are tried, in KiB: the range of the setting.
const LEAST_MEMORY_KIB: u32 = 64;
const MOST_MEMORY_KIB: u32 = 256 * 1024;

/// What was found out about a balancer.
pub(super) struct Found {
    /// How long the gateway compiled it.
    pub(super) compiling: Duration,
    /// The least power of two of memory that it decides with.
    pub(super) memory_kib: u32,
    /// Of processor time, on average over three endpoints.
    pub(super) ns_per_decision: f64,
    /// Of all kinds, fallbacks included.
    pub(super) faults: f64,
}

/// Put a balancer to work: it must stay in its zone, avoid the busier server,
/// and take any server where there is no such zone.
///
/// # Errors
///
/// When it does not, or faults.
pub(super) fn balancer(servers: &Servers, component: &Path) -> Result<Found> {
    refuses_no_zone(servers, component)?;
    let compiling = compiling(servers, component)?;
    let (gateway, memory_kib) = with_least_memory(servers, component)?;
    let mut client = Client::connect(gateway.port)?;
    let near = answering(&mut client, "/")?;
    ensure!(
        near == BTreeSet::from(["a1", "a2"].map(String::from)),
        "zone a: {near:?} answered"
    );
    let all = answering(&mut client, "/elsewhere/")?;
    ensure!(
        all == BTreeSet::from(NAMES.map(String::from)),
        "no such zone: {all:?} answered"
    );
    avoids_the_busier(&gateway, &mut client)?;
    for _ in 0..REQUESTS {
        let name = client.get("/api/test", None)?;
        ensure!(name.starts_with('a'), "{name} answered for zone a");
    }
    let metrics = Metrics::of(gateway.admin_port)?;
    let found = Found {
        compiling,
        memory_kib,
        ns_per_decision: nanoseconds(&metrics)?,
        faults: faults(&metrics),
    };
    ensure!(found.faults == 0.0, "{} faults or fallbacks", found.faults);
    Ok(found)
}

/// Put a router to work: requests with the cookie go to one pool, the others to
/// another.
///
/// # Errors
///
/// When they do not, or it faults.
pub(super) fn router(servers: &Servers, component: &Path) -> Result<()> {
    let config = routing(servers, component, "with");
    let Err(error) = servers.check(&routing(servers, component, "nowhere")) else {
        bail!("a pool that is not there was accepted");
    };
    ensure!(
        error.to_string().contains("with"),
        "the error names no key: {error}"
    );
    let gateway = servers.run(&config)?;
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
    let faults = faults(&Metrics::of(gateway.admin_port)?);
    ensure!(faults == 0.0, "the router has {faults} faults or fallbacks");
    Ok(())
}

/// A configuration without a zone must be refused, naming the key.
fn refuses_no_zone(servers: &Servers, component: &Path) -> Result<()> {
    let config = balancing(servers, component, MOST_MEMORY_KIB, false);
    let Err(error) = servers.check(&config) else {
        bail!("a configuration without a zone was accepted");
    };
    ensure!(
        error.to_string().contains("zone"),
        "the error names no key: {error}"
    );
    Ok(())
}

/// How much longer a gateway takes to be ready the first time that it has a
/// component.
fn compiling(servers: &Servers, component: &Path) -> Result<Duration> {
    // The default plugins are compiled first, so that they do not count.
    let fast = "health = { interval = \"50ms\" }";
    servers.run(&format!("[pools.near]\n{fast}\n{}\n", servers.listed(&[0])))?;
    let config = balancing(servers, component, MOST_MEMORY_KIB, true);
    let cold = servers.run(&config)?.ready_after;
    Ok(cold.saturating_sub(servers.run(&config)?.ready_after))
}

/// A gateway that has the least power of two of memory for the balancer that it
/// starts with, and how much that is.
fn with_least_memory(servers: &Servers, component: &Path) -> Result<(Gateway, u32)> {
    let mut memory_kib = LEAST_MEMORY_KIB;
    loop {
        match servers.run(&balancing(servers, component, memory_kib, true)) {
            Ok(gateway) => return Ok((gateway, memory_kib)),
            Err(error) if memory_kib == MOST_MEMORY_KIB => return Err(error),
            // An interpreter that lacks memory may end in any trap.
            Err(_) => memory_kib *= 2,
        }
    }
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
fn nanoseconds(metrics: &Metrics) -> Result<f64> {
    let of = |family| {
        let is_near =
            |sample: &crate::bench::metrics::Sample<'_>| sample.label("pool") == Some("near");
        let found = metrics.all(family).find(is_near).map(|sample| sample.value);
        found.with_context(|| format!("{family} is not told"))
    };
    let seconds = of("gatewright_plugin_decision_seconds_sum")?;
    Ok(seconds * 1e9 / of("gatewright_plugin_decision_seconds_count")?)
}

/// Faults, and decisions that somebody else had to make.
fn faults(metrics: &Metrics) -> f64 {
    [
        "gatewright_plugin_faults_total",
        "gatewright_plugin_fallbacks_total",
    ]
    .iter()
    .flat_map(|family| metrics.all(family))
    .map(|sample| sample.value)
    .sum()
}

/// Two pools of the same servers: one balanced within zone `a`, one within a
/// zone that no server is in.
fn balancing(servers: &Servers, component: &Path, memory_kib: u32, with_zone: bool) -> String {
    let mut config = format!(
        "[plugins.example]\nfile = \"{}\"\nmemory = \"{memory_kib}KiB\"\n\
         [router]\nplugin = \"path-router\"\n\
         config = {{ routes = [{{ path = \"/elsewhere/*\", pool = \"elsewhere\", rewrite = \"/\" }}, {{ path = \"/*\", pool = \"near\" }}] }}\n",
        component.display()
    );
    for (pool, zone) in [("near", "a"), ("elsewhere", "none")] {
        let zone = if with_zone {
            format!("zone = \"{zone}\"")
        } else {
            String::new()
        };
        config += &format!(
            "[pools.{pool}]\nbalancer = {{ plugin = \"example\", config = {{ {zone} }} }}\n\
             health = {{ interval = \"50ms\" }}\n{}\n",
            servers.listed(&[0, 1, 2])
        );
    }
    config
}

/// A pool of zone `a`, and one of zone `b` for those with the cookie.
fn routing(servers: &Servers, component: &Path, pool: &str) -> String {
    let fast = "health = { interval = \"50ms\" }";
    format!(
        "[plugins.example]\nfile = \"{}\"\nmemory = \"{MOST_MEMORY_KIB}KiB\"\n\
         [router]\nplugin = \"example\"\n\
         config = {{ cookie = \"beta\", with = \"{pool}\", without = \"without\" }}\n\
         [pools.with]\n{fast}\n{}\n[pools.without]\n{fast}\n{}\n",
        component.display(),
        servers.listed(&[2]),
        servers.listed(&[0, 1])
    )
}
