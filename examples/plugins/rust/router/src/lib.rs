//! A router by cookie: requests that carry the cookie go to one pool, all
//! others to another, as one tries a new release with those who asked for it.

use gatewright_plugin_sdk::{
    ConfigError, Decision, PoolIndex, Router, export, pools, refuse, request,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cookie's name.
    cookie: String,
    /// The pool of requests that carry it.
    with: String,
    /// The pool of all others.
    without: String,
}

pub struct ByCookie {
    cookie: String,
    with: PoolIndex,
    without: PoolIndex,
}

impl Router for ByCookie {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            with: pool("with", &config.with)?,
            without: pool("without", &config.without)?,
            cookie: config.cookie,
        })
    }

    fn route(&mut self, _method: &str, _authority: &str, _path: &str) -> Decision {
        let pool = match request::cookie(&self.cookie) {
            Some(_) => self.with,
            None => self.without,
        };
        Decision::Forward(pool)
    }
}

fn pool(key: &str, name: &str) -> Result<PoolIndex, ConfigError> {
    pools::index(name).ok_or_else(|| refuse(key, "it must be the name of a pool"))
}

export!(ByCookie: router);
