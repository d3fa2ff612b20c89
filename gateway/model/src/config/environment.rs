//! What the process environment says: values for `${NAME}`, and the overrides
//! that hosting platforms set.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use super::defaults;
use super::dotenv::Lookup;
use super::error::{ConfigError, ConfigErrors};
use super::meaning::{endpoint, is_socket, listen_address};
use super::quantity::Period;
use super::written::{Config, SwitchOr, WorkerCount};

/// Where variables are looked up: the process's, or a table of a test's.
pub struct Environment(Box<Named>);

type Named = dyn Fn(&str) -> Option<String> + Send + Sync;

type Override = fn(&mut Config, &str) -> Result<(), String>;

impl Environment {
    /// The process's own.
    pub fn process() -> Self {
        // What is no Unicode stays visible, so that its use is refused by name.
        Self(Box::new(|name| {
            std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
        }))
    }

    /// One without variables.
    pub fn empty() -> Self {
        Self(Box::new(|_| None))
    }

    /// One with these variables.
    pub fn of<const N: usize>(variables: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let variables: BTreeMap<_, _> = variables.map(owned).into();
        Self(Box::new(move |name| variables.get(name).cloned()))
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }
}

/// Replaces what the variables `PORT`, `WORKER_COUNT`, `HEALTH_CHECK_INTERVAL` and
/// `REDIS_URL` override, and sets what `OTEL_EXPORTER_OTLP_ENDPOINT` says where nothing
/// is written; an empty variable does nothing.
///
/// # Errors
/// A value that does not fit; the error's key is the variable.
pub(super) fn apply(variables: Lookup<'_>, config: &mut Config) -> Result<(), ConfigErrors> {
    let mut errors = Vec::new();
    let overrides: [(&str, Override); 5] = [
        ("PORT", port),
        ("WORKER_COUNT", worker_count),
        ("HEALTH_CHECK_INTERVAL", health_check_interval),
        ("REDIS_URL", redis_url),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", otlp_endpoint),
    ];
    for (name, apply) in overrides {
        let value = variables.get(name).filter(|value| !value.is_empty());
        if let Some(Err(message)) = value.map(|value| apply(config, value.trim())) {
            errors.push(ConfigError {
                place: None,
                key: format!("environment variable {name}"),
                message,
            });
        }
    }
    ConfigErrors::unless_empty(errors)
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Variables may hold secrets.
        f.write_str("Environment")
    }
}

fn port(config: &mut Config, text: &str) -> Result<(), String> {
    let port: u16 = text
        .parse()
        .map_err(|_| format!("{text:?} is no port; write a number from 0 to 65535"))?;
    let mut listeners = config.listeners.iter_mut();
    if let Some(first) = listeners.find(|listener| !is_socket(&listener.listen))
        // An address that cannot be read is reported where it stands.
        && let Ok(address) = listen_address(&first.listen)
    {
        first.listen = SocketAddr::new(address.ip(), port).to_string();
    }
    Ok(())
}

fn worker_count(config: &mut Config, text: &str) -> Result<(), String> {
    config.workers.count = match (text, text.parse()) {
        ("auto", _) => WorkerCount::Auto,
        (_, Ok(count)) if defaults::WORKER_COUNT.contains(&count) => WorkerCount::Exactly(count),
        _ => {
            return Err(format!(
                "{text:?} is no number of workers; write auto or a number from {} to {}",
                defaults::WORKER_COUNT.start(),
                defaults::WORKER_COUNT.end(),
            ));
        }
    };
    Ok(())
}

/// Where `[cluster]` is written: a variable that is there for some other program
/// makes no cluster.
fn redis_url(config: &mut Config, text: &str) -> Result<(), String> {
    if let Some(cluster) = &mut config.cluster {
        text.clone_into(&mut cluster.url);
    }
    Ok(())
}

fn health_check_interval(config: &mut Config, text: &str) -> Result<(), String> {
    let interval = match text.parse().map(Period::ms) {
        Ok(milliseconds) => milliseconds,
        Err(_) => text.parse::<Period>().map_err(|error| error.to_string())?,
    };
    let range = defaults::HEALTH_INTERVAL;
    if !range.contains(&interval) {
        return Err(format!(
            "{text:?} is out of range; write milliseconds, or a duration from {} to {}",
            range.start(),
            range.end(),
        ));
    }
    for pool in config.pools.values_mut() {
        if let Some(mut health) = pool.health.clone().into_table() {
            health.interval = interval;
            pool.health = SwitchOr::Table(health);
        }
    }
    Ok(())
}

/// Traces are made where `[tracing]` asks for them, whatever the environment of
/// all programs on a machine says; and an address that is written is meant.
fn otlp_endpoint(config: &mut Config, text: &str) -> Result<(), String> {
    if let Some(tracing) = &mut config.tracing
        && tracing.otlp.is_none()
    {
        endpoint(text)?;
        tracing.otlp = Some(text.to_owned());
    }
    Ok(())
}
