//! Path router: from a request's host, path, method, headers and query to a
//! pool, a redirect or an answer.
//!
//! The most specific route wins, wherever it is written:
//!
//! 1. its host: `shop.example.com`, then `*.example.com` (the longest first),
//!    then routes without a host;
//! 2. its path: `/exact`; then prefixes and wildcards, the longest text before
//!    the first `*` first (`/api/v1/*` before `/api/*`), then the most text in
//!    all (`/api/*/orders` before `/api/*`); then regular expressions; last `/*`;
//! 3. the number of conditions: method, headers, query;
//! 4. between equals, the one written first.
//!
//! A split goes by the client's address, so that a client stays with its pool
//! and no request to the host's randomness is needed.

mod action;
mod conditions;
mod config;
mod host;
mod pattern;
mod table;
mod template;

use std::cmp::Reverse;

use gatewright_plugin_sdk::{ConfigError, Decision, PoolIndex, Router, export, refuse};

use action::{Action, pool_index};
use conditions::Conditions;
pub use config::{Answer, Config, Https, Redirect, Route, Share};
pub use gatewright_matching::Listed;
use host::Host;
use pattern::Pattern;
use table::Table;

/// The path that a route without one has.
const EVERY_PATH: &str = "/*";

/// The routes, ready to be asked.
#[derive(Debug)]
pub struct PathRouter {
    /// In the order of their rank, but for their hosts.
    routes: Vec<Compiled>,
    table: Table,
    default: Option<PoolIndex>,
}

/// A route with everything understood.
#[derive(Debug)]
struct Compiled {
    hosts: Vec<Host>,
    pattern: Pattern,
    conditions: Conditions,
    action: Action,
    /// Whether it takes every path that the table finds it for.
    is_plain: bool,
}

impl Router for PathRouter {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        let routes = config.routes.iter().enumerate();
        let mut routes = routes
            .map(|(number, route)| Compiled::parse(route, &format!("routes[{number}]")))
            .collect::<Result<Vec<_>, _>>()?;
        // A stable sort: what was written first stays first among equals.
        routes.sort_by_key(|route| {
            (
                route.pattern.specificity(),
                Reverse(route.conditions.count()),
            )
        });
        let mut table = Table::default();
        for (number, route) in routes.iter().enumerate() {
            for host in &route.hosts {
                table.insert(host, &route.pattern, number);
            }
        }
        let default = config
            .default
            .map(|name| pool_index(&name, "default"))
            .transpose()?;
        Ok(Self {
            routes,
            table,
            default,
        })
    }

    fn route(&mut self, method: &str, authority: &str, path: &str) -> Decision {
        let found = self.table.find(authority, path, |number| {
            let route = &self.routes[number];
            route.accepts(method, path).then_some(route)
        });
        match (found, self.default) {
            (Some(route), _) => route.action.perform(&route.pattern, authority, path),
            (None, Some(pool)) => Decision::Forward(pool),
            (None, None) => Decision::Unmatched,
        }
    }
}

impl Compiled {
    fn parse(route: &Route, key: &str) -> Result<Self, ConfigError> {
        let path = route.path.as_deref().unwrap_or(EVERY_PATH);
        let pattern =
            Pattern::parse(path).map_err(|reason| refuse(format!("{key}.path"), reason))?;
        let hosts = parse_hosts(route, &format!("{key}.host"))?;
        let conditions = Conditions::parse(route, key)?;
        Ok(Self {
            hosts,
            action: Action::parse(route, &pattern, key)?,
            is_plain: pattern.is_plain() && conditions.count() == 0,
            conditions,
            pattern,
        })
    }

    /// Whether it takes a request for a path that the table finds it for.
    #[inline]
    fn accepts(&self, method: &str, path: &str) -> bool {
        (self.is_plain && path.starts_with('/')) || self.judges(method, path)
    }

    /// Apart, so that nothing of it is in the way of a route that is plain.
    #[inline(never)]
    fn judges(&self, method: &str, path: &str) -> bool {
        self.pattern.matches(path) && self.conditions.hold(method)
    }
}

fn parse_hosts(route: &Route, key: &str) -> Result<Vec<Host>, ConfigError> {
    let written = route.host.as_slice();
    if written.is_empty() {
        return Ok(vec![Host::Any]);
    }
    let hosts = written.iter().map(|text| Host::parse(text));
    hosts
        .collect::<Result<_, _>>()
        .map_err(|reason| refuse(key, reason))
}

export!(PathRouter: router);

#[cfg(test)]
mod tests;
