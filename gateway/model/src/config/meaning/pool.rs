//! Pools and their servers.

mod answers;
mod cors;
mod diversion;
mod dns;
mod health;
mod overload;
mod reach;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use self::diversion::Others;
use self::health::Checks;
use super::address::{server_address, server_id};
use super::plugin::{PluginNames, Seat, binding};
use super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{self, HashKey, PoolConfig, Retries, ServerConfig};
use crate::config::written::{self, Protocol, TextOr};
use crate::id::{EndpointId, PoolName};
use crate::pool::MAX_SLOTS;
use crate::role::Role;
use crate::token::is_token;

/// All pools in the order of their names.
pub(super) fn pools(
    written: &written::Config,
    names: &PluginNames<'_>,
    report: &mut Report<'_>,
) -> Vec<PoolConfig> {
    let path = KeyPath::default().key("pools");
    if written.pools.is_empty() {
        let message = "there is no pool; write one, such as [pools.web] with servers = \
                       [\"127.0.0.1:3000\"]";
        report.fail(&path, message);
    }
    let mut pools = Vec::with_capacity(written.pools.len());
    for (name, pool) in &written.pools {
        let path = path.key(name);
        report.name(&path, name);
        let known = &written.pools;
        let others = Others { own: name, known };
        let mirror = pool.mirror.as_ref();
        let mirror = mirror.map(|mirror| diversion::mirror(mirror, &others, &path, report));
        let auth = pool.forward_auth.as_ref();
        let auth = auth.map(|auth| diversion::forward_auth(auth, &others, &path, report));
        let cache = pool.cache.clone().into_table();
        let cache = cache
            .map(|cache| answers::cache(&cache, written.cache.memory, &path.key("cache"), report));
        let pool = self::pool(name, pool, &path, names, report);
        pools.extend(pool.map(|pool| PoolConfig {
            cache,
            mirror,
            forward_auth: auth,
            ..pool
        }));
    }
    pools
}

fn pool(
    name: &str,
    written: &written::Pool,
    path: &KeyPath,
    names: &PluginNames<'_>,
    report: &mut Report<'_>,
) -> Option<PoolConfig> {
    let seat = |key: &str, role| Seat {
        path: path.key(key),
        role,
    };
    let balancer = seat("balancer", Role::Balancer);
    let balancer = binding(&balancer, &written.balancer, names, report);
    let affinity = written
        .affinity
        .as_ref()
        .map(|affinity| binding(&seat("affinity", Role::Affinity), affinity, names, report));
    let hash_key = report.value(&path.key("hash_key"), hash_key(&written.hash_key));
    let health = written.health.clone().into_table();
    let connect_timeout = report.within(
        &path.key("connect_timeout"),
        written.connect_timeout,
        &defaults::CONNECT_TIMEOUT,
    );
    let idle_connections = report.within(
        &path.key("idle_connections"),
        written.idle_connections,
        &defaults::IDLE_CONNECTIONS,
    );
    let request_timeout = report.limit(
        &path.key("request_timeout"),
        written.request_timeout,
        &defaults::REQUEST_TIMEOUT,
    );
    let protocol = written.protocol;
    let checks = Checks { protocol };
    let health = health.map(|health| checks.of_pool(&health, &path.key("health"), report));
    let probe = written.probe.as_ref();
    let probe = probe.map(|probe| health::probe(probe, &path.key("probe"), report));
    let breaker = written.breaker.clone().into_table();
    let slow_start = report.within(
        &path.key("slow_start"),
        written.slow_start,
        &defaults::SLOW_START,
    );
    let panic_threshold = report.within(
        &path.key("panic_threshold"),
        written.panic_threshold,
        &defaults::PANIC_THRESHOLD,
    );
    let tls = written.tls.clone().into_table();
    let tls = tls.map(|tls| reach::server_tls(&tls, &path.key("tls"), report));
    if protocol == Protocol::Auto && tls.is_none() {
        let message = "without TLS nobody says which protocol a server prefers; write \
                       \"http1\" or \"http2\", or tls = true";
        report.fail(&path.key("protocol"), message);
    }
    if protocol != Protocol::Http1 && written.proxy_protocol.is_some() {
        let message = "connections of HTTP/2 carry the requests of many clients, and this names \
                       one; write protocol = \"http1\", or leave it out";
        report.fail(&path.key("proxy_protocol"), message);
    }
    let faults = written.faults.as_ref();
    let compression = written.compression.clone().into_table();
    let cors = written.cors.as_ref();
    let overload = overload::overload(written, path, report);
    let usual = Usual {
        health: health.as_ref().map(|health| (checks, health)),
        max_active: overload.max_active_per_server,
    };
    let servers = servers(written, usual, &path.key("servers"), report);
    let dns = written.dns.as_ref().map(|dns| {
        dns::check_tls(tls.as_ref(), &path.key("tls"), report);
        dns::dns(dns, &path.key("dns"), report)
    });
    reach::check_sockets(&servers, tls.as_ref(), &path.key("tls"), report);
    Some(PoolConfig {
        name: PoolName::from(name),
        affinity,
        health,
        probe,
        breaker: breaker.map(|breaker| health::breaker(&breaker, &path.key("breaker"), report)),
        panic_threshold,
        slow_start: slow_start.0,
        retries: retries(&written.retries, &path.key("retries"), report),
        overload,
        connect_timeout: connect_timeout.0,
        request_timeout,
        upgrades: reach::upgrades(&written.upgrades, &path.key("upgrades"), report),
        idle_connections: idle_connections as usize,
        protocol: match protocol {
            Protocol::Http1 => meant::Protocol::Http1,
            Protocol::Http2 => meant::Protocol::Http2,
            Protocol::Auto => meant::Protocol::Auto,
        },
        tls,
        proxy_protocol: written.proxy_protocol,
        mirror: None,
        maintenance: written.maintenance,
        cors: cors.map(|cors| cors::cors(cors, &path.key("cors"), report)),
        forward_auth: None,
        faults: faults.map(|faults| diversion::faults(faults, &path.key("faults"), report)),
        cache: None,
        compression: compression
            .map(|written| answers::compression(&written, &path.key("compression"), report)),
        servers,
        dns,
        balancer,
        hash_key: hash_key?,
    })
}

fn hash_key(text: &str) -> Result<HashKey, String> {
    match (text, text.split_once(':')) {
        ("client-address", _) => Ok(HashKey::ClientAddress),
        ("path", _) => Ok(HashKey::Path),
        (_, Some(("header", name))) if is_token(name) => {
            Ok(HashKey::Header(name.to_ascii_lowercase()))
        }
        (_, Some(("cookie", name))) if is_token(name) => Ok(HashKey::Cookie(name.to_owned())),
        _ => Err(format!(
            "{text:?} is nothing to hash by; write client-address, path, header:NAME or cookie:NAME"
        )),
    }
}

fn retries(written: &written::Retries, path: &KeyPath, report: &mut Report<'_>) -> Retries {
    let per_try_timeout = report.within(
        &path.key("per_try_timeout"),
        written.per_try_timeout,
        &defaults::PER_TRY_TIMEOUT,
    );
    Retries {
        attempts: report.within(&path.key("attempts"), written.attempts, &defaults::ATTEMPTS),
        budget: report.within(&path.key("budget"), written.budget, &defaults::BUDGET),
        per_try_timeout: per_try_timeout.0,
        statuses: overload::statuses(&written.statuses, &path.key("statuses"), report),
    }
}

/// What holds for servers that say nothing else.
#[derive(Clone, Copy)]
struct Usual<'a> {
    health: Option<(Checks, &'a meant::HealthCheck)>,
    max_active: Option<NonZeroU32>,
}

fn servers(
    pool: &written::Pool,
    usual: Usual<'_>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Vec<ServerConfig> {
    let written = &pool.servers;
    if written.is_empty() && pool.servers_file.is_none() && pool.dns.is_none() {
        report.fail(
            path,
            "the pool has no server; write some, such as [\"127.0.0.1:3000\"]",
        );
    }
    if written.len() > MAX_SLOTS {
        report.fail(
            path,
            format!("more than {MAX_SLOTS} servers; split the pool"),
        );
    }
    let mut known = HashMap::new();
    let mut servers = Vec::with_capacity(written.len());
    for (index, written) in written.iter().enumerate() {
        let path = path.index(index);
        let Some(server) = server(written, usual, &path, report) else {
            continue;
        };
        if let Some(first) = known.insert(server.id.clone(), index) {
            let id = &server.id;
            report.fail(
                &path,
                format!("{id} is servers[{first}] already; keep one of the two"),
            );
        }
        servers.push(server);
    }
    servers
}

fn server(
    written: &TextOr<written::Server>,
    usual: Usual<'_>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<ServerConfig> {
    let (host, port, more) = match written {
        TextOr::Text(text) => {
            let (host, port) = report.value(path, server_address(text))?;
            (host, port, None)
        }
        TextOr::Table(table) => {
            let (host, port) = reach::place(table, path, report)?;
            (host, port, Some(table))
        }
    };
    Some(ServerConfig {
        id: EndpointId::from(server_id(&host, port)),
        host: Arc::from(host),
        port,
        weight: more.map_or_else(defaults::weight, |table| table.weight),
        labels: more.map(|table| table.labels.clone()).unwrap_or_default(),
        drain: more.is_some_and(|table| table.drain),
        max_active: match more.and_then(|table| table.max_active) {
            None => usual.max_active,
            own => overload::max_active(own, &path.key("max_active"), report),
        },
        health: match (usual.health, more) {
            (Some((checks, pool)), Some(table)) => {
                let key = path.key("health");
                Some(checks.of_server(pool, &table.health, &key, report))
            }
            (pool, _) => pool.map(|(_, pool)| pool.clone()),
        },
    })
}
