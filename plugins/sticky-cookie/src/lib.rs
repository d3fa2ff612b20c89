//! Sticky cookie: a client's requests go to the server that answered its first.
//!
//! The cookie names the server by a hash of its id, so it says nothing of the
//! network behind the gateway; with `secret` it is signed as well. Nothing is
//! kept on the gateway: a restart, another worker or another gateway reads the
//! same cookie. A server that drains keeps its sessions until it is gone.

mod config;
mod values;

use gatewright_plugin_sdk::{Affinity, ConfigError, Endpoint, Slot, export, request, response};

pub use config::{Automatic, Config, SameSite, Secure};
use values::Values;

/// The policy for one pool.
#[derive(Debug)]
pub struct StickyCookie {
    config: Config,
    attributes: String,
    values: Values,
}

impl Affinity for StickyCookie {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            attributes: config.attributes(),
            config,
            values: Values::default(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.values = Values::of(&endpoints, &self.config, &self.attributes);
    }

    fn lookup(&mut self) -> Option<Slot> {
        self.values.slot(&request::cookie(&self.config.name)?)
    }

    fn bind(&mut self, answered: Slot) {
        let Some(entry) = self.values.entry(answered) else {
            return;
        };
        let secure = self.config.is_secure(|| request::scheme() == "https");
        response::set_cookie(entry.cookie(secure));
    }
}

export!(StickyCookie: affinity);

#[cfg(test)]
mod tests;
