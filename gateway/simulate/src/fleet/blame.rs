//! What is wrong with the configuration that was made of a scenario, as its author
//! can look it up: with the scenario's file, line and key.

use gatewright_host::{PrepareError, Refusal};
use gatewright_model::config::ConfigError;

use super::Fleet;
use crate::error::SimulationError;

impl Fleet<'_> {
    /// What a gateway says of the configuration, told of what it was made of.
    pub(super) fn retold(&self, error: ConfigError) -> ConfigError {
        let ConfigError { key, message, .. } = error;
        // The names of pools are made up, and the only plugin is the policy's.
        match key.split_once('.') {
            Some(("pools", rest)) => {
                let (_, rest) = rest.split_once('.').unwrap_or_default();
                match rest.strip_prefix("balancer") {
                    Some(rest) => self.of_policy((rest, ""), message),
                    None if rest.starts_with("servers") => self.of_scenario("servers", message),
                    None => self.of_scenario(&format!("pool.{rest}"), message),
                }
            }
            Some(("plugins", rest)) => match rest.rsplit_once('.') {
                Some((_, key @ ("file" | "memory"))) => self.of_policy((key, ""), message),
                _ => self.of_policy(("plugin", ""), message),
            },
            _ => self.of_scenario(&key, message),
        }
    }

    /// Why its plugin cannot be seated.
    pub(crate) fn refused(&self, error: PrepareError) -> SimulationError {
        let usual = match self.policy.file {
            Some(_) => "file",
            None => "plugin",
        };
        let error = match error.refusal {
            Refusal::Config { key, reason } => self.of_policy(("config", key.as_str()), reason),
            Refusal::NotGranted { grant, .. } => {
                let grant = grant.name();
                let message = format!(
                    "it imports {grant:?} without the grant for it; if it may have that, add \
                     {grant:?}, or leave `grants` out for all that it asks for"
                );
                self.of_policy(("grants", ""), message)
            }
            refusal => self.of_policy((usual, ""), refusal.to_string()),
        };
        SimulationError::Config(error.into())
    }

    /// About a key of the policy, and what is inside it.
    fn of_policy(&self, (key, inner): (&str, &str), message: String) -> ConfigError {
        let place = self.policy.place.zip(self.scenario.places.as_ref());
        if let Some((place, places)) = place {
            return places.error(&format!("policies[{place}].{key}"), inner, message);
        }
        let parts = [key, inner].into_iter().filter(|part| !part.is_empty());
        let within = parts.collect::<Vec<_>>().join(".");
        let plugin = &self.policy.plugin;
        ConfigError {
            place: None,
            key: String::new(),
            message: match key {
                "config" => format!(
                    "plugin \"{plugin}\": {within}: {message} (a plugin is configured by `config` \
                     of its [[policies]] in the scenario, for `certify` by --config)"
                ),
                "memory" => format!("plugin \"{plugin}\": {within}: {message}"),
                _ => format!("plugin \"{plugin}\": {message}"),
            },
        }
    }

    /// About a key of the scenario.
    fn of_scenario(&self, key: &str, message: String) -> ConfigError {
        match &self.scenario.places {
            Some(places) => places.error(key, "", message),
            None => ConfigError {
                place: None,
                key: key.to_owned(),
                message,
            },
        }
    }
}
