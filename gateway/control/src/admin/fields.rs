//! A pool's settings by the names that the API has for them, and the keys of
//! the configuration that they are.

mod failure;
mod overload;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use gatewright_model::config::{
    Config, DEFAULT_BALANCERS, DEFAULT_PLUGINS, Key, Period, PoolConfig, did_you_mean,
};
use gatewright_model::id::PluginName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::change::{Edit, Refusal};
use crate::desired::Desired;

use self::failure::switched_on;
pub(super) use self::failure::unchecked;

/// Who remembers sessions when it is only said that somebody should.
const AFFINITY: &str = "sticky-cookie";

/// Names of the API by the ends of the keys that they stand for.
const NAMES: [(&str, &str); 33] = [
    ("default_pool", "defaultPool"),
    ("host", "host"),
    ("port", "port"),
    ("weight", "weight"),
    ("labels", "labels"),
    ("servers", "servers"),
    ("balancer", "algorithm"),
    ("affinity", "sessionPersistence"),
    ("hash_key", "hashKey"),
    ("health.path", "healthCheckPath"),
    ("health.interval", "healthCheckInterval"),
    ("health.timeout", "healthCheckTimeout"),
    ("retries.attempts", "maxRetries"),
    ("connect_timeout", "connectTimeout"),
    ("request_timeout", "requestTimeout"),
    ("max_active_per_server", "maxActivePerServer"),
    ("max_active", "maxActive"),
    ("queue.size", "queueSize"),
    ("queue.timeout", "queueTimeout"),
    ("breaker", "circuitBreaker"),
    ("breaker.fail_threshold", "failThreshold"),
    ("breaker.open_time", "openTime"),
    ("panic_threshold", "panicThreshold"),
    ("slow_start", "slowStart"),
    ("plugin", "plugin"),
    ("version", "version"),
    ("deadline", "deadline"),
    ("cpu_share", "cpuShare"),
    ("cpu_alarm", "cpuAlarm"),
    ("canary.percent", "canary.percent"),
    ("shadow.sample", "shadow.sample"),
    ("grants", "grants"),
    ("memory", "memory"),
];

/// The name that the API has for a key, if it has one.
pub(super) fn field_of(key: &str) -> Option<String> {
    // A plugin's own names are none of the API's, and may be spelt like them.
    if is_of_plugin(key) {
        return Some(key.to_owned());
    }
    let is_end = |end: &str| {
        let before = key.strip_suffix(end);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    };
    let named = NAMES.iter().find(|(end, _)| is_end(end));
    named.map(|(_, name)| (*name).to_owned())
}

/// Whether a key is a plugin's configuration, as `pools.web.balancer.config`, or is
/// within one.
fn is_of_plugin(key: &str) -> bool {
    let is_seat = |seat: &str| {
        let of_pool = seat.ends_with(".balancer") || seat.ends_with(".affinity");
        seat == "router" || seat.starts_with("policy.") || of_pool
    };
    key.match_indices(".config").any(|(at, end)| {
        let within = &key[at + end.len()..];
        is_seat(&key[..at]) && (within.is_empty() || within.starts_with(['.', '[']))
    })
}

/// Settings that a request changes; what it leaves out stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Settings {
    /// A balancer's name, with underscores or as the plugin is named.
    #[schema(example = "least_connections")]
    pub(super) algorithm: Option<String>,
    /// Whether clients stay with their server.
    pub(super) session_persistence: Option<bool>,
    /// What a client is told by: `client-address`, `path`, `header:NAME` or
    /// `cookie:NAME`.
    #[schema(example = "client-address")]
    pub(super) hash_key: Option<String>,
    pub(super) health_check_enabled: Option<bool>,
    #[schema(example = "/health")]
    pub(super) health_check_path: Option<String>,
    /// In seconds.
    #[schema(minimum = 0, example = 5.0)]
    pub(super) health_check_interval: Option<f64>,
    /// In seconds.
    #[schema(minimum = 0, example = 2.0)]
    pub(super) health_check_timeout: Option<f64>,
    /// Attempts beyond the first.
    #[schema(example = 2)]
    pub(super) max_retries: Option<u32>,
    /// In seconds.
    #[schema(minimum = 0, example = 3.0)]
    pub(super) connect_timeout: Option<f64>,
    /// In seconds.
    #[schema(minimum = 0, example = 60.0)]
    pub(super) request_timeout: Option<f64>,
    /// The most requests in flight on each server; 0 is no limit.
    #[schema(example = 100)]
    pub(super) max_active_per_server: Option<u32>,
    /// The most requests in flight on all servers; 0 is no limit.
    #[schema(example = 500)]
    pub(super) max_active: Option<u32>,
    /// How many requests may wait for a server that has room.
    #[schema(example = 1000)]
    pub(super) queue_size: Option<u32>,
    /// In seconds.
    #[schema(minimum = 0, example = 1.0)]
    pub(super) queue_timeout: Option<f64>,
    /// Whether servers whose requests fail get none for a while.
    pub(super) circuit_breaker: Option<bool>,
    /// Requests in a row without a usable answer after which they get none.
    #[schema(example = 3)]
    pub(super) fail_threshold: Option<u32>,
    /// For how long they get none the first time, in seconds.
    #[schema(minimum = 0, example = 5.0)]
    pub(super) open_time: Option<f64>,
    /// All servers get requests while less than this percentage is well; 0 is
    /// never.
    #[schema(maximum = 100, example = 0)]
    pub(super) panic_threshold: Option<u8>,
    /// In how many seconds a new server comes to its whole share.
    #[schema(minimum = 0, example = 0.0)]
    pub(super) slow_start: Option<f64>,
}

/// Settings as they are in force.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SettingsInForce)]
pub(super) struct Shown {
    #[schema(example = "least_connections")]
    algorithm: String,
    session_persistence: bool,
    hash_key: String,
    health_check_enabled: bool,
    health_check_path: Option<String>,
    /// In seconds.
    health_check_interval: Option<f64>,
    /// In seconds.
    health_check_timeout: Option<f64>,
    /// Attempts beyond the first.
    max_retries: u32,
    /// In seconds.
    connect_timeout: f64,
    /// In seconds.
    request_timeout: f64,
    /// The most requests in flight on each server; none: no limit.
    max_active_per_server: Option<u32>,
    /// The same on all servers together.
    max_active: Option<u32>,
    /// How many requests may wait for a server that has room.
    queue_size: usize,
    /// In seconds; none where nobody may wait.
    queue_timeout: Option<f64>,
    /// Whether servers whose requests fail get none for a while.
    circuit_breaker: bool,
    /// Requests in a row without a usable answer after which they get none.
    fail_threshold: Option<u32>,
    /// For how long they get none the first time, in seconds.
    open_time: Option<f64>,
    /// All servers get requests while less than this percentage is well.
    panic_threshold: u8,
    /// In how many seconds a new server comes to its whole share.
    slow_start: f64,
}

impl Shown {
    pub(super) fn of(pool: &PoolConfig) -> Self {
        let health = pool.health.as_ref();
        let overload = &pool.overload;
        let queue = overload.queue.as_ref();
        Self {
            algorithm: algorithm_name(pool.balancer.plugin.as_str()),
            session_persistence: pool.affinity.is_some(),
            hash_key: pool.hash_key.to_string(),
            health_check_enabled: health.is_some(),
            health_check_path: health.and_then(|check| check.asked_path().map(str::to_owned)),
            health_check_interval: health.map(|check| check.interval.as_secs_f64()),
            health_check_timeout: health.map(|check| check.timeout.as_secs_f64()),
            max_retries: pool.retries.attempts - 1,
            connect_timeout: pool.connect_timeout.as_secs_f64(),
            request_timeout: pool.request_timeout.as_secs_f64(),
            max_active_per_server: overload.max_active_per_server.map(NonZeroU32::get),
            max_active: overload.max_active.map(NonZeroU32::get),
            queue_size: queue.map_or(0, |queue| queue.size),
            queue_timeout: queue.map(|queue| queue.timeout.as_secs_f64()),
            circuit_breaker: pool.breaker.is_some(),
            fail_threshold: pool.breaker.map(|breaker| breaker.fail_threshold),
            open_time: pool.breaker.map(|breaker| breaker.open_time.as_secs_f64()),
            panic_threshold: pool.panic_threshold,
            slow_start: pool.slow_start.as_secs_f64(),
        }
    }
}

impl Settings {
    /// The edits that make a pool so. `pool` is as it is in force.
    pub(super) fn edits(
        &self,
        config: &Config,
        pool: &PoolConfig,
        desired: &Desired,
    ) -> Result<Vec<Edit>, Refusal> {
        let key = Key::pool(pool.name.as_str());
        let mut edits = Vec::new();
        let mut set = |key: Key, value: Value| edits.push(Edit::Set(key, value));
        if let Some(algorithm) = &self.algorithm {
            let plugin = plugin_named(config, algorithm)?;
            // It keeps its configuration, then.
            if plugin != pool.balancer.plugin.as_str() {
                set(key.clone().then("balancer"), json!(plugin));
            }
        }
        if let Some(hash_key) = &self.hash_key {
            set(key.clone().then("hash_key"), json!(hash_key));
        }
        if let Some(retries) = self.max_retries {
            let attempts = json!(u64::from(retries) + 1);
            set(key.clone().then("retries").then("attempts"), attempts);
        }
        for (name, seconds, step) in [
            ("connectTimeout", self.connect_timeout, "connect_timeout"),
            ("requestTimeout", self.request_timeout, "request_timeout"),
            ("slowStart", self.slow_start, "slow_start"),
        ] {
            if let Some(seconds) = seconds {
                set(key.clone().then(step), period(name, seconds)?);
            }
        }
        if let Some(percent) = self.panic_threshold {
            set(key.clone().then("panic_threshold"), json!(percent));
        }
        edits.extend(self.overload(&key, pool)?);
        edits.extend(self.breaker(&key, pool, desired)?);
        edits.extend(self.affinity(&key, pool, desired));
        edits.extend(self.health(&key, pool, desired)?);
        Ok(edits)
    }

    fn affinity(&self, key: &Key, pool: &PoolConfig, desired: &Desired) -> Option<Edit> {
        let key = key.clone().then("affinity");
        match (self.session_persistence?, &pool.affinity) {
            (true, None) => Some(switched_on(key, desired, json!(AFFINITY))),
            (false, Some(_)) => Some(Edit::Remove(key)),
            _ => None,
        }
    }
}

/// Seconds as the configuration writes a duration.
pub(super) fn period(field: &str, seconds: f64) -> Result<Value, Refusal> {
    let duration = Duration::try_from_secs_f64(seconds);
    let duration = duration
        .map_err(|_| Refusal::field(field, format!("{seconds} is no number of seconds")))?;
    Ok(json!(Period(duration).to_string()))
}

/// A plugin's name as the API writes algorithms: with underscores.
pub(super) fn algorithm_name(plugin: &str) -> String {
    plugin.replace('-', "_")
}

/// The plugin that an algorithm's name means, in either spelling.
pub(super) fn plugin_named(config: &Config, algorithm: &str) -> Result<String, Refusal> {
    let declared = || config.plugins.keys().map(PluginName::as_str);
    let mut known = declared().chain(DEFAULT_PLUGINS);
    let wanted = algorithm_name(algorithm);
    let named = known.find(|name| algorithm_name(name) == wanted);
    named.map(str::to_owned).ok_or_else(|| {
        // What is declared beside them shows its role when it is loaded.
        let others = declared().filter(|name| !DEFAULT_PLUGINS.contains(name));
        let fit: BTreeSet<_> = DEFAULT_BALANCERS.into_iter().chain(others).collect();
        let fit: Vec<_> = fit.into_iter().map(algorithm_name).collect();
        let hint = did_you_mean(&wanted, fit.iter().map(String::as_str));
        let message = format!("no plugin is named {algorithm:?}; {hint}");
        Refusal::field("algorithm", message)
    })
}

/// The name of the pool that a request goes to that nothing routes.
pub(super) fn default_pool(config: &Config) -> Option<&str> {
    let pool = config.pools.get(config.default_pool?.index())?;
    Some(pool.name.as_str())
}

/// A pool to be shown: by its name, or else the default one, or else the first.
pub(super) fn shown_pool<'a>(
    config: &'a Config,
    pool: Option<&str>,
) -> Result<&'a PoolConfig, Refusal> {
    match (pool, config.default_pool, config.pools.first()) {
        (None, None, Some(first)) => Ok(first),
        _ => pool_of(config, pool),
    }
}

/// A pool to be changed: by its name, or else the default one.
pub(super) fn pool_of<'a>(
    config: &'a Config,
    pool: Option<&str>,
) -> Result<&'a PoolConfig, Refusal> {
    let found = match pool {
        Some(name) => config.pools.iter().find(|pool| pool.name.as_str() == name),
        None => {
            let index = config.default_pool;
            index.and_then(|index| config.pools.get(index.index()))
        }
    };
    found.map(|pool| &**pool).ok_or_else(|| match pool {
        Some(name) => Refusal::NotFound(format!("there is no pool {name}")),
        None => Refusal::field(
            "pool",
            "there are several pools and no default one; name one",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_is_configured_with_is_named_by_its_key() {
        for key in [
            "pools.web.balancer.config",
            "pools.config.balancer.config.weight",
            "pools.web.affinity.config",
            "router.config.routes[2].path",
            "policy.guard.config",
        ] {
            assert_eq!(field_of(key).as_deref(), Some(key));
        }
        assert_eq!(
            field_of("pools.config.balancer").as_deref(),
            Some("algorithm")
        );
        assert_eq!(
            field_of("pools.config.hash_key").as_deref(),
            Some("hashKey")
        );
        assert_eq!(field_of("pools.web.colour"), None);
    }
}
