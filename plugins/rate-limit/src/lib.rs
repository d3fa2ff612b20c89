//! Rate limit: how often a client may ask, whichever worker it asks.
//!
//! A token bucket for each client, which is the generic cell rate algorithm
//! (GCRA; ITU-T I.371) in its other form: it holds `burst` requests and is
//! refilled at `rate`. It is the host's `store.take`, one for all workers, so a
//! burst is exact to the request. A client beyond it is answered 429 (RFC 6585)
//! with `Retry-After`; the headers `RateLimit-Policy` and `RateLimit` tell every
//! client where it stands (draft-ietf-httpapi-ratelimit-headers-10).
//!
//! It does not queue, and does not count what a request costs its server. Gateways
//! of a cluster count together. The store has room for some 64,000 clients; of
//! more, those that have not asked for longest begin anew.

mod config;
mod told;

use std::num::NonZeroU32;

use gatewright_matching::{Globs, Key, Networks, Spellings, address_key, client_address};
use gatewright_plugin_sdk::{
    ConfigError, RequestPolicy, Taken, Verdict, advice, export, refuse, response, store,
};

pub use config::{Config, Exempt, Rate};
use told::Told;

/// The status of a client that asks too often.
const TOO_MANY_REQUESTS: u16 = 429;

/// What it is told.
const BODY: &[u8] = br#"{"error":"too many requests"}"#;

/// The policy for one binding.
#[derive(Debug)]
pub struct RateLimit {
    key: Key,
    ipv6_prefix: u8,
    per_second: f64,
    burst: u32,
    networks: Networks,
    paths: Globs,
    /// None to tell clients nothing.
    told: Option<Told>,
}

impl RequestPolicy for RateLimit {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        let burst = config.burst.map_or(config.rate.requests, NonZeroU32::get);
        if !(1..=128).contains(&config.ipv6_prefix) {
            return Err(refuse("ipv6_prefix", "a prefix has 1 to 128 bits"));
        }
        let per_second = config.rate.per_second();
        let told = match config.headers {
            true => Some(Told::of(&config.name, per_second, burst)?),
            false => None,
        };
        let exempt = &config.exempt;
        Ok(Self {
            key: Key::parse(&config.key, "key")?,
            ipv6_prefix: config.ipv6_prefix,
            per_second,
            burst,
            networks: Networks::parse(&exempt.networks, "exempt.networks")?,
            paths: Globs::parse(&exempt.paths, "exempt.paths")?,
            told,
        })
    }

    fn check(&mut self, _method: &str, _authority: &str, path: &str) -> Verdict {
        if self.is_exempt(path) {
            return Verdict::Proceed;
        }
        // Who leaves the header or the cookie out is known by its address.
        let key = self.key.of_request(path, self.ipv6_prefix);
        let key = key.unwrap_or_else(|| address_key(self.ipv6_prefix));
        let Taken { wait_ms, left } = store::take(&key, 1, self.per_second, self.burst);
        let is_told = self.told.is_some() || wait_ms > 0;
        let seconds = if is_told {
            self.reset(left, wait_ms)
        } else {
            0
        };
        if let Some(told) = &mut self.told {
            told.tell(left, seconds);
        }
        if wait_ms == 0 {
            return Verdict::Proceed;
        }
        advice::reason("beyond its rate");
        response::set_header("retry-after", &seconds.to_string());
        response::body("application/json", BODY);
        Verdict::Answer(TOO_MANY_REQUESTS)
    }
}

impl RateLimit {
    fn is_exempt(&self, path: &str) -> bool {
        (!self.paths.is_empty() && self.paths.admit(&Spellings::of(path)))
            || (!self.networks.is_empty()
                && client_address().is_some_and(|address| self.networks.contain(address)))
    }

    /// After how many seconds a client that has `left` requests has the whole
    /// burst again; for one that was refused, after how many it has one request.
    fn reset(&self, left: u32, wait_ms: u32) -> u32 {
        match wait_ms {
            0 => (f64::from(self.burst - left.min(self.burst)) / self.per_second).ceil() as u32,
            wait_ms => wait_ms.div_ceil(1000),
        }
    }
}

export!(RateLimit: request-policy);

#[cfg(test)]
mod tests;
