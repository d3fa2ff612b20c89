//! First: fill one endpoint, then the next. Requests go to the first endpoint
//! that has fewer than `limit` in flight; when all have as many, to the least
//! busy one.
//!
//! After HAProxy's `balance first`. Endpoints stand in the order of their
//! slots, which is that of the configuration, or of a label with a number
//! (`priority` by default, the lowest first), those without it behind the
//! others. Weights do not matter.
//!
//! Choose it where as few servers as possible should be at work: the last ones
//! can be switched off when nothing comes to them, and a small pool stays warm.
//! It is the wrong one where latency counts: a server at its limit is slower
//! than several with little to do, and there is no first one that is not busy.

use gatewright_plugin_sdk::{
    ConfigError, Endpoint, ScanningBalancer, Slot, UNUSABLE, endpoints, export, log, within,
};
use serde::Deserialize;

/// The settings, every one of which may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Requests in flight on an endpoint at which the next one is used: 1 to
    /// 1,000,000; 100 by default, which suits servers that answer 100 at a time
    /// as quickly as one.
    pub limit: u32,
    /// The label with an endpoint's place in the order; `priority` by default.
    pub label: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limit: 100,
            label: "priority".into(),
        }
    }
}

/// The policy for one pool.
#[derive(Debug)]
pub struct First {
    config: Config,
    /// The slots of the pool's endpoints, the first to be used first.
    order: Vec<Slot>,
}

impl First {
    /// Where an endpoint stands: by its label, and those without one last.
    fn rank(&self, endpoint: &Endpoint) -> (i64, Slot) {
        let label = endpoints::label(endpoint.slot, &self.config.label);
        let number = label.as_deref().map(|label| label.trim().parse());
        if let Some(Err(_)) = number {
            log::warn(&format!(
                "the label {} of {} is no whole number: it is used last",
                self.config.label, endpoint.id
            ));
        }
        let last = i64::MAX;
        (
            number.map_or(last, |number| number.unwrap_or(last)),
            endpoint.slot,
        )
    }
}

impl ScanningBalancer for First {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        within("limit", config.limit, 1..=1_000_000)?;
        Ok(Self {
            config,
            order: Vec::new(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        let ranked = endpoints.iter().map(|endpoint| self.rank(endpoint));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        self.order = ranked.into_iter().map(|(_, slot)| slot).collect();
    }

    fn pick(&mut self, _key: u64, load: &[u32]) -> Option<Slot> {
        let mut least_busy = None;
        let mut least = UNUSABLE;
        for slot in &self.order {
            let active = load.get(*slot as usize).copied().unwrap_or(UNUSABLE);
            // No endpoint's limit is as high as what marks one as unusable.
            if active < self.config.limit {
                return Some(*slot);
            }
            if active < least {
                least = active;
                least_busy = Some(*slot);
            }
        }
        least_busy
    }
}

export!(First: scanning-balancer);

#[cfg(test)]
mod tests;
