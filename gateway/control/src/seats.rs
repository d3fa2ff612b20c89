//! The seats of the chain as the API names them: the policies, the router, each
//! pool's affinity and balancer; and what is bound there.

use std::fmt;

use gatewright_host::Place;
use gatewright_model::config::{Binding, Config, Key, OnFault, Period, Policy};
use gatewright_model::id::{PolicyName, PoolName};
use gatewright_model::role::Role;
use serde_json::{Value, json};

use crate::change::Refusal;

/// What stands for the pool of a seat that is no pool's.
const NO_POOL: &str = "-";

/// What a policy's name stands behind.
const POLICY: &str = "policy.";

/// A seat: `web/balancer`, `web/affinity`, `-/router`, `-/policy.NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SeatName {
    /// The policy of a name.
    Policy(String),
    Router,
    /// A pool's.
    Affinity(String),
    /// A pool's.
    Balancer(String),
}

impl SeatName {
    /// The seat that a path names.
    pub(crate) fn of_path(pool: &str, role: &str) -> Result<Self, Refusal> {
        match (pool, role, role.strip_prefix(POLICY)) {
            (NO_POOL, "router", _) => Ok(Self::Router),
            (NO_POOL, _, Some(policy)) if !policy.is_empty() => Ok(Self::Policy(policy.to_owned())),
            (NO_POOL, ..) => Err(no_such(pool, role)),
            (pool, "balancer", _) => Ok(Self::Balancer(pool.to_owned())),
            (pool, "affinity", _) => Ok(Self::Affinity(pool.to_owned())),
            _ => Err(no_such(pool, role)),
        }
    }

    /// The seat of a role: a policy's by its name, a pool's by the pool's.
    pub(crate) fn new(role: Role, pool: Option<&PoolName>, policy: Option<&PolicyName>) -> Self {
        let pool = || pool.map(ToString::to_string).unwrap_or_default();
        match role {
            Role::RequestPolicy | Role::ResponsePolicy => {
                Self::Policy(policy.map(ToString::to_string).unwrap_or_default())
            }
            Role::Router => Self::Router,
            Role::Affinity => Self::Affinity(pool()),
            Role::Balancer => Self::Balancer(pool()),
        }
    }

    /// The seat of a plugin's place.
    pub(crate) fn of_place(place: &Place) -> Self {
        Self::new(place.role, place.pool.as_ref(), place.policy.as_ref())
    }

    /// The seats of a configuration, filled or not, in the order of a request's
    /// way: policies, the router, then pool by pool.
    pub(crate) fn all(config: &Config) -> Vec<Self> {
        let policies = config.policies.iter();
        let policies = policies.map(|policy| Self::Policy(policy.name.to_string()));
        let pools = config.pools.iter().flat_map(|pool| {
            let name = || pool.name.to_string();
            [Self::Affinity(name()), Self::Balancer(name())]
        });
        policies.chain([Self::Router]).chain(pools).collect()
    }

    /// Its key in the configuration.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Policy(policy) => Key::policy(policy),
            Self::Router => Key::top("router"),
            Self::Affinity(pool) => Key::pool(pool).then("affinity"),
            Self::Balancer(pool) => Key::pool(pool).then("balancer"),
        }
    }

    /// Its pool; none for what is no pool's.
    pub(crate) fn pool(&self) -> Option<&str> {
        match self {
            Self::Policy(_) | Self::Router => None,
            Self::Affinity(pool) | Self::Balancer(pool) => Some(pool),
        }
    }

    /// What is bound there; none when nothing is.
    pub(crate) fn binding<'c>(&self, config: &'c Config) -> Option<&'c Binding> {
        let pool = |name: &str| config.pools.iter().find(|pool| pool.name.as_str() == name);
        match self {
            Self::Policy(name) => policy(config, name).map(|policy| &policy.binding),
            Self::Router => Some(&config.router),
            Self::Affinity(name) => pool(name)?.affinity.as_ref(),
            Self::Balancer(name) => pool(name).map(|pool| &pool.balancer),
        }
    }

    /// [`Self::binding`] of a seat that must be there, be it empty. A policy's
    /// is there as soon as somebody names it.
    pub(crate) fn found<'c>(&self, config: &'c Config) -> Result<Option<&'c Binding>, Refusal> {
        let is_there = |name: &str| config.pools.iter().any(|pool| pool.name.as_str() == name);
        match self.pool() {
            Some(pool) if !is_there(pool) => {
                Err(Refusal::NotFound(format!("there is no pool {pool}")))
            }
            _ => Ok(self.binding(config)),
        }
    }

    /// [`Self::found`] of a seat that must be filled, where a policy's may not
    /// be there.
    pub(crate) fn shown(&self, config: &Config) -> Result<(), Refusal> {
        match (self, self.found(config)?) {
            (Self::Policy(name), None) => {
                Err(Refusal::NotFound(format!("there is no policy {name}")))
            }
            _ => Ok(()),
        }
    }

    /// What is bound there as a file would say it.
    pub(crate) fn written(&self, config: &Config) -> Option<Value> {
        let binding = self.binding(config)?;
        Some(self.written_as(binding, config))
    }

    /// [`Self::written`], were this the binding.
    pub(crate) fn written_as(&self, binding: &Binding, config: &Config) -> Value {
        let mut written = written(binding);
        let Self::Policy(name) = self else {
            return written;
        };
        written["name"] = json!(name);
        written["role"] = json!(binding.role);
        let on_fault = policy(config, name).map_or(OnFault::Deny, |policy| policy.on_fault);
        written["on_fault"] = json!(on_fault.to_string());
        written
    }
}

fn no_such(pool: &str, role: &str) -> Refusal {
    let message = format!(
        "there is no seat {pool}/{role}; there is POOL/balancer, POOL/affinity, \
         {NO_POOL}/router and {NO_POOL}/{POLICY}NAME"
    );
    Refusal::NotFound(message)
}

/// The policy of a name.
pub(crate) fn policy<'c>(config: &'c Config, name: &str) -> Option<&'c Policy> {
    let mut policies = config.policies.iter();
    policies.find(|policy| policy.name.as_str() == name)
}

impl fmt::Display for SeatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(policy) => write!(f, "{NO_POOL}/{POLICY}{policy}"),
            Self::Router => write!(f, "{NO_POOL}/router"),
            Self::Affinity(pool) => write!(f, "{pool}/affinity"),
            Self::Balancer(pool) => write!(f, "{pool}/balancer"),
        }
    }
}

/// What a file says of any binding.
fn written(binding: &Binding) -> Value {
    let mut written = json!({
        "plugin": binding.plugin.as_str(),
        "deadline": Period(binding.deadline).to_string(),
    });
    let config: Value = serde_json::from_str(&binding.config).unwrap_or_default();
    if config.as_object().is_some_and(|config| !config.is_empty()) {
        written["config"] = config;
    }
    if let Some(share) = binding.cpu_share {
        written["cpu_share"] = json!(share);
    }
    written["cpu_alarm"] = json!(binding.cpu_alarm);
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
            cpu_share,
            version,
            ..
        } = binding.clone();
        (plugin, config, deadline, cpu_share, version)
    };
    one.map(what) == other.map(what)
}
