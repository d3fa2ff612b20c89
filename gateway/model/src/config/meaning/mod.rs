//! From what is written to what is meant. Each function turns one table into
//! its meant counterpart and notes what is wrong on the way, so that one run
//! reports everything; a configuration with any error is refused whole.

mod access_log;
mod acme;
mod address;
mod admin;
mod cluster;
mod listener;
mod origin;
mod pages;
mod passthrough;
mod plugin;
mod pool;
mod report;
mod router;
mod tracing;

use std::num::NonZeroUsize;
use std::sync::Arc;

use self::plugin::PluginNames;
use self::report::Report;
use super::defaults;
use super::error::ConfigErrors;
use super::key_path::KeyPath;
use super::meant::{Config, Limits, Peers, Timeouts};
use super::places::Places;
use super::quantity::{Period, Size};
use super::written;
use crate::id::PoolIndex;

pub(super) use address::server_address;
pub use address::{
    host_or_socket, is_socket, listen_address, listener_address, server_host, server_id,
};
pub(super) use tracing::endpoint;

/// What a configuration means.
pub(super) fn mean(written: &written::Config, places: &Places) -> Result<Config, ConfigErrors> {
    let mut report = Report::new(places);
    let top = KeyPath::default();
    let names = PluginNames::of(written);
    let cache_memory = report.within(
        &top.key("cache").key("memory"),
        written.cache.memory,
        &defaults::CACHE_MEMORY,
    );
    let pools = pool::pools(written, &names, &mut report);
    let default_pool = default_pool(written, &mut report);
    let router = router::router(written, default_pool, &names, &mut report);
    let policies = plugin::policies(&written.policies, &names, &mut report);
    let declared = plugin::declared(&written.plugins, &mut report);
    let admin = admin::admin(&written.admin, &mut report);
    let cluster = cluster::cluster(written, &mut report);
    let acme = acme::acme(written, admin.as_ref(), &mut report);
    let around = (&*pools, acme.as_ref());
    let listeners = listener::listeners(&written.listeners, around, &mut report);
    listener::refuse_sharing(&listeners, admin.as_ref(), &mut report);
    let workers = workers(written.workers.count, &mut report);
    let limits = limits(&written.limits, &top.key("limits"), &mut report);
    let timeouts = timeouts(&written.timeouts, &top.key("timeouts"), &mut report);
    let error_pages = pages::pages(&written.error_pages, &top.key("error_pages"), &mut report);
    let access_log = access_log::access_log(written.access_log.as_ref(), &mut report);
    let tracing = tracing::tracing(written.tracing.as_ref(), &mut report);
    let trusted_proxies = trusted_proxies(&written.trusted_proxies, &mut report);

    let errors = report.into_errors();
    let (Some(admin), Some(router), true) = (admin, router, errors.is_empty()) else {
        return Err(ConfigErrors::of(errors));
    };
    let plugins = plugin::bound(declared, &router, &policies, &pools);
    Ok(Config {
        admin,
        cluster,
        workers,
        listeners,
        acme,
        policies,
        router,
        default_pool,
        pools: pools.into_iter().map(Arc::new).collect(),
        plugins,
        cache_memory: cache_memory.0,
        limits,
        timeouts,
        trusted_proxies,
        error_pages,
        access_log: access_log.map(Arc::new),
        tracing: tracing.map(Arc::new),
        files: Vec::new(),
    })
}

fn default_pool(written: &written::Config, report: &mut Report<'_>) -> Option<PoolIndex> {
    let Some(name) = &written.default_pool else {
        return (written.pools.len() == 1).then_some(PoolIndex(0));
    };
    let index = written.pools.keys().position(|pool| pool == name);
    if index.is_none() {
        let path = KeyPath::default().key("default_pool");
        let known = written.pools.keys().map(String::as_str);
        report.unknown(&path, "pool", name, known);
    }
    index.map(|index| PoolIndex(index as u32))
}

fn workers(count: written::WorkerCount, report: &mut Report<'_>) -> usize {
    match count {
        written::WorkerCount::Auto => {
            std::thread::available_parallelism().map_or(defaults::WORKERS, NonZeroUsize::get)
        }
        written::WorkerCount::Exactly(count) => {
            let path = KeyPath::default().key("workers").key("count");
            report.within(&path, count, &defaults::WORKER_COUNT) as usize
        }
    }
}

fn limits(written: &written::Limits, path: &KeyPath, report: &mut Report<'_>) -> Limits {
    let mut size = |key, size: Size, range| report.within(&path.key(key), size, range).0;
    let request_head = size(
        "request_head",
        written.request_head,
        &defaults::REQUEST_HEAD,
    );
    let response_head = size(
        "response_head",
        written.response_head,
        &defaults::RESPONSE_HEAD,
    );
    let replay_body = size("replay_body", written.replay_body, &defaults::REPLAY_BODY);
    let request_body = written
        .request_body
        .map(|body| size("request_body", body, &defaults::REQUEST_BODY));
    let mut count = |key, count, range| report.within(&path.key(key), count, range) as usize;
    Limits {
        request_head: request_head as usize,
        request_headers: count(
            "request_headers",
            written.request_headers,
            &defaults::REQUEST_HEADERS,
        ),
        request_body,
        response_head: response_head as usize,
        replay_body: replay_body as usize,
        connections: count("connections", written.connections, &defaults::CONNECTIONS),
        requests: written
            .requests
            .map(|requests| count("requests", requests, &defaults::REQUESTS)),
    }
}

fn timeouts(written: &written::Timeouts, path: &KeyPath, report: &mut Report<'_>) -> Timeouts {
    let mut period = |key, period: Period, range| report.within(&path.key(key), period, range).0;
    Timeouts {
        request_head: period(
            "request_head",
            written.request_head,
            &defaults::REQUEST_HEAD_TIMEOUT,
        ),
        idle: period("idle", written.idle, &defaults::IDLE_TIMEOUT),
        body_idle: period("body_idle", written.body_idle, &defaults::IDLE_TIMEOUT),
        drain: period("drain", written.drain, &defaults::DRAIN_TIMEOUT),
        tunnel_idle: report.limit(
            &path.key("tunnel_idle"),
            written.tunnel_idle,
            &defaults::IDLE_TIMEOUT,
        ),
    }
}

fn trusted_proxies(written: &[String], report: &mut Report<'_>) -> Peers {
    peers(written, &KeyPath::default().key("trusted_proxies"), report)
}

/// Networks, addresses as the networks of themselves alone, and `unix`.
fn peers(written: &[String], path: &KeyPath, report: &mut Report<'_>) -> Peers {
    let mut peers = Peers::default();
    for (index, text) in written.iter().enumerate() {
        if text == "unix" {
            peers.unix = true;
            continue;
        }
        let network = report.value(&path.index(index), address::network(text));
        peers.networks.extend(network);
    }
    peers
}
