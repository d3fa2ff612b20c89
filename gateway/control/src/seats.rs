//! The seats of the chain that the API names: each pool's balancer and affinity
//! and the router; and what is bound there.

use std::fmt;

use gatewright_host::HostEvent;
use gatewright_model::config::{Binding, Config, Key, Period};
use gatewright_model::role::Role;
use serde_json::{Value, json};

use crate::change::Refusal;

/// What stands for the pool of a seat that is no pool's.
const NO_POOL: &str = "-";

/// A seat: `web/balancer`, `web/affinity`, `-/router`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeatName {
    pub(crate) role: Role,
    /// Its pool; none for the router's.
    pub(crate) pool: Option<String>,
}

impl SeatName {
    /// The seat that a path names.
    pub(crate) fn of_path(pool: &str, role: &str) -> Result<Self, Refusal> {
        let named = match (pool, role) {
            (NO_POOL, "router") => Some((Role::Router, None)),
            (NO_POOL, _) => None,
            (pool, "balancer") => Some((Role::Balancer, Some(pool.to_owned()))),
            (pool, "affinity") => Some((Role::Affinity, Some(pool.to_owned()))),
            _ => None,
        };
        let (role, pool) = named.ok_or_else(|| {
            let message = format!(
                "there is no seat {pool}/{role}; there is POOL/balancer, POOL/affinity and \
                 {NO_POOL}/router, and policies are the configuration file's"
            );
            Refusal::NotFound(message)
        })?;
        Ok(Self { role, pool })
    }

    /// The seat that an event is about; none for a policy's.
    pub(crate) fn of_event(event: &HostEvent) -> Option<Self> {
        let is_policy = matches!(event.role, Role::RequestPolicy | Role::ResponsePolicy);
        (!is_policy).then(|| Self {
            role: event.role,
            pool: event.pool.as_ref().map(ToString::to_string),
        })
    }

    /// The seats of a configuration, filled or not: the router's, then pool by
    /// pool.
    pub(crate) fn all(config: &Config) -> Vec<Self> {
        let router = Self {
            role: Role::Router,
            pool: None,
        };
        let pools = config.pools.iter().flat_map(|pool| {
            [Role::Affinity, Role::Balancer].map(|role| Self {
                role,
                pool: Some(pool.name.to_string()),
            })
        });
        std::iter::once(router).chain(pools).collect()
    }

    /// Its key in the configuration.
    pub(crate) fn key(&self) -> Key {
        match &self.pool {
            Some(pool) => Key::pool(pool).then(&self.role.to_string()),
            None => Key::top(&self.role.to_string()),
        }
    }

    /// What is bound there; none when nothing is.
    pub(crate) fn binding<'c>(&self, config: &'c Config) -> Option<&'c Binding> {
        let Some(name) = &self.pool else {
            return Some(&config.router);
        };
        let mut pools = config.pools.iter();
        let pool = pools.find(|pool| pool.name.as_str() == name)?;
        match self.role {
            Role::Affinity => pool.affinity.as_ref(),
            _ => Some(&pool.balancer),
        }
    }

    /// [`Self::binding`] of a seat that must be there.
    pub(crate) fn found<'c>(&self, config: &'c Config) -> Result<Option<&'c Binding>, Refusal> {
        let is_there = |name: &String| config.pools.iter().any(|pool| pool.name.as_str() == name);
        match &self.pool {
            Some(pool) if !is_there(pool) => {
                Err(Refusal::NotFound(format!("there is no pool {pool}")))
            }
            _ => Ok(self.binding(config)),
        }
    }
}

impl fmt::Display for SeatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = self.pool.as_deref().unwrap_or(NO_POOL);
        write!(f, "{pool}/{}", self.role)
    }
}

/// A binding as a file would say it.
pub(crate) fn written(binding: &Binding) -> Value {
    let mut written = json!({
        "plugin": binding.plugin.as_str(),
        "deadline": Period(binding.deadline).to_string(),
    });
    let config: Value = serde_json::from_str(&binding.config).unwrap_or_default();
    if config.as_object().is_some_and(|config| !config.is_empty()) {
        written["config"] = config;
    }
    if let Some(version) = binding.version {
        written["version"] = json!(version);
    }
    if let Some(canary) = binding.canary {
        written["canary"] = json!({ "version": canary.version, "percent": canary.percent });
    }
    if let Some(shadow) = binding.shadow {
        written["shadow"] = json!({ "version": shadow.version, "sample": shadow.sample });
    }
    written
}

/// Whether the same version decides in the same way, whatever stands beside it.
pub(crate) fn decide_alike(one: Option<&Binding>, other: Option<&Binding>) -> bool {
    let what = |binding: &Binding| {
        let Binding {
            plugin,
            config,
            deadline,
            version,
            ..
        } = binding.clone();
        (plugin, config, deadline, version)
    };
    one.map(what) == other.map(what)
}
