//! Sticky IP: a client's requests go to the server that answered its first, and
//! clients are told apart by their addresses.
//!
//! It remembers in the host's session table, which all workers share and
//! operators see. For clients that keep no cookies; where they do, `sticky-cookie`
//! is better, since many people may have one address. The balancer `ip-hash`
//! remembers nothing, but moves clients when servers come. A server that drains
//! keeps its clients until it is gone.

use gatewright_matching::address_key;
use gatewright_plugin_sdk::{Affinity, ConfigError, Slot, export, refuse, sessions};
use serde::Deserialize;

/// Seconds without a request after which a client is forgotten, unless it is
/// said: an hour.
const USUAL_IDLE_S: u32 = 3600;

/// Bits of an IPv6 address that make one client, unless it is said: the
/// smallest network that a customer is usually given.
const USUAL_PREFIX: u8 = 64;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Seconds without a request after which a client is forgotten; 3600 by
    /// default.
    pub idle_s: Option<u32>,
    /// Bits of an IPv6 address that make one client; 64 by default.
    pub ipv6_prefix: Option<u8>,
}

/// The policy for one pool.
#[derive(Debug)]
pub struct StickyIp {
    idle_s: u32,
    ipv6_prefix: u8,
}

impl Affinity for StickyIp {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        let idle_s = config.idle_s.unwrap_or(USUAL_IDLE_S);
        if idle_s == 0 {
            return Err(refuse("idle_s", "a session lives for 1 second at least"));
        }
        let ipv6_prefix = config.ipv6_prefix.unwrap_or(USUAL_PREFIX);
        if !(1..=128).contains(&ipv6_prefix) {
            return Err(refuse("ipv6_prefix", "a prefix has 1 to 128 bits"));
        }
        Ok(Self {
            idle_s,
            ipv6_prefix,
        })
    }

    fn lookup(&mut self) -> Option<Slot> {
        sessions::get(&address_key(self.ipv6_prefix))
    }

    fn bind(&mut self, answered: Slot) {
        sessions::set(&address_key(self.ipv6_prefix), answered, self.idle_s);
    }
}

export!(StickyIp: affinity);

#[cfg(test)]
mod tests;
