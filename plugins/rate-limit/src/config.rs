//! The limit as it is written.

use std::num::NonZeroU32;

use gatewright_plugin_sdk::{ConfigError, refuse};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// The whole configuration. Only `rate` must be written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What tells clients apart: `client-address` (the default), `path`,
    /// `header:NAME` or `cookie:NAME`. A request without that header or cookie
    /// counts for the client's address.
    #[serde(default = "client_address")]
    pub key: String,
    /// Bits of an IPv6 address that make one client; 64 by default, which is
    /// the smallest network that a customer is usually given.
    #[serde(default = "prefix")]
    pub ipv6_prefix: u8,
    /// How often: `"100/s"`, `"100/m"` or `"100/h"`.
    pub rate: Rate,
    /// How many requests may come at once; by default as many as `rate` has in
    /// its second, minute or hour.
    pub burst: Option<NonZeroU32>,
    /// What is not limited.
    #[serde(default)]
    pub exempt: Exempt,
    /// Whether clients are told where they stand; true by default.
    #[serde(default = "yes")]
    pub headers: bool,
    /// What the limit is called there; `default` if it is not said.
    #[serde(default = "unnamed")]
    pub name: String,
}

/// Who and what is not limited.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exempt {
    /// Networks of clients, such as `10.0.0.0/8`.
    pub networks: Vec<String>,
    /// Paths, such as `/assets/*`.
    pub paths: Vec<String>,
}

/// A number of requests for each span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests, 1 at least.
    pub requests: u32,
    /// The span's seconds.
    pub seconds: u32,
}

impl Rate {
    /// Understand a rate as it is written.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let parsed = text.split_once('/').and_then(|(requests, span)| {
            let seconds = match span {
                "s" | "second" => 1,
                "m" | "min" | "minute" => 60,
                "h" | "hour" => 3600,
                _ => return None,
            };
            let requests = requests.trim().parse().ok().filter(|count| *count > 0)?;
            Some(Self { requests, seconds })
        });
        parsed.ok_or_else(|| {
            let reason = format!("`{text}` is no rate such as 100/s, 100/m or 100/h");
            refuse("rate", reason)
        })
    }

    /// Requests a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.requests) / f64::from(self.seconds)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|error| D::Error::custom(error.reason))
    }
}

fn client_address() -> String {
    "client-address".into()
}

fn prefix() -> u8 {
    64
}

fn yes() -> bool {
    true
}

fn unnamed() -> String {
    "default".into()
}
