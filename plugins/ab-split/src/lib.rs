//! A/B split: shares clients out among variants by weight, and keeps each where
//! it is.
//!
//! By default a client draws once, and a cookie remembers the variant; with `by`
//! the variant follows from a hash of what tells clients apart, without a cookie
//! and without a draw. The variant is told in a header, which the router behind
//! this policy sees: a route with `headers = { x-variant = "b" }` gives a
//! variant its pool, and servers know which one they serve.
//!
//! When weights change, those who have a variant by cookie keep it, unless its
//! weight is 0; by hash the shares move at once. A client can change its cookie
//! and so choose: for what must not be chosen there is `by`.

use std::collections::BTreeMap;

use gatewright_matching::{Globs, Key, Listed, Shares, address_key, tokens};
use gatewright_plugin_sdk::{
    ConfigError, Generator, RequestPolicy, Verdict, export, hash, mix, refuse, request, response,
    rewrite,
};
use serde::Deserialize;

/// Seconds that a cookie is kept unless it is said: 30 days.
const USUAL_AGE_S: u32 = 30 * 24 * 3600;

/// Bits of an IPv6 address that make one client.
const IPV6_PREFIX: u8 = 64;

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The experiment's name, which tells its shares and its cookie from those
    /// of others.
    pub name: String,
    /// The weight of each variant.
    pub variants: BTreeMap<String, u32>,
    /// `cookie` (the default), or a key that the variant is a hash of:
    /// `client-address`, `path`, `header:NAME`, `cookie:NAME`.
    pub by: Option<String>,
    /// The header that tells the variant; `x-variant` by default.
    pub header: Option<String>,
    /// The paths that take part; all by default.
    #[serde(default)]
    pub path: Listed,
    /// How long browsers keep the cookie, in seconds; 30 days by default.
    pub max_age_s: Option<u32>,
}

/// The policy for one binding.
#[derive(Debug)]
pub struct AbSplit {
    names: Vec<String>,
    /// Of places in `names`.
    shares: Shares<usize>,
    weights: Vec<u32>,
    by: By,
    header: String,
    paths: Globs,
}

/// How a client keeps its variant.
#[derive(Debug)]
enum By {
    /// By a cookie of this name with these attributes.
    Cookie {
        name: String,
        attributes: String,
        draws: Option<Generator>,
    },
    /// By a hash of this, salted so that experiments do not go together.
    Hash { key: Key, salt: u64 },
}

impl RequestPolicy for AbSplit {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        if !tokens::is_token(&config.name) {
            return Err(refuse("name", "a name is letters, digits, - and _"));
        }
        for name in config.variants.keys() {
            if !tokens::is_token(name) {
                let reason = "a variant's name is letters, digits, - and _";
                return Err(refuse(format!("variants.{name}"), reason));
            }
        }
        let weights: Vec<u32> = config.variants.values().copied().collect();
        let header = config.header.as_deref().unwrap_or("x-variant");
        Ok(Self {
            by: By::parse(&config)?,
            shares: Shares::of(weights.iter().copied().zip(0..), "variants")?,
            weights,
            header: tokens::written_header(header, "header")?,
            paths: Globs::parse(config.path.as_slice(), "path")?,
            names: config.variants.into_keys().collect(),
        })
    }

    fn check(&mut self, _method: &str, _authority: &str, path: &str) -> Verdict {
        if !self.paths.is_empty() && !self.paths.match_path(path) {
            // Nobody is to claim a variant where there is none.
            rewrite::remove_header(&self.header);
            return Verdict::Proceed;
        }
        let variant = match &mut self.by {
            By::Hash { key, salt } => {
                let key = key.of_request(path, IPV6_PREFIX);
                let key = key.unwrap_or_else(|| address_key(IPV6_PREFIX));
                self.shares.winner(mix(hash(key.as_bytes()) ^ *salt))
            }
            By::Cookie {
                name,
                attributes,
                draws,
            } => match kept(&self.names, &self.weights, name) {
                Some(variant) => variant,
                None => {
                    let draws = draws.get_or_insert_with(Generator::from_host);
                    let variant = self.shares.winner(draws.bits());
                    set_cookie(name, &self.names[variant], attributes);
                    variant
                }
            },
        };
        rewrite::set_header(&self.header, &self.names[variant]);
        Verdict::Proceed
    }
}

impl By {
    fn parse(config: &Config) -> Result<Self, ConfigError> {
        let age = config.max_age_s;
        match config.by.as_deref() {
            None | Some("cookie") => Ok(Self::Cookie {
                name: format!("gw_split_{}", config.name),
                attributes: format!(
                    "; Path=/; Max-Age={}; SameSite=Lax; HttpOnly",
                    age.unwrap_or(USUAL_AGE_S)
                ),
                draws: None,
            }),
            Some(_) if age.is_some() => Err(refuse(
                "max_age_s",
                "only a cookie has an age: leave it out",
            )),
            Some(key) => Ok(Self::Hash {
                key: Key::parse(key, "by")?,
                salt: hash(config.name.as_bytes()),
            }),
        }
    }
}

/// The variant that the request's cookie names, if it is still one.
fn kept(names: &[String], weights: &[u32], cookie: &str) -> Option<usize> {
    let name = request::cookie(cookie)?;
    let variant = names.iter().position(|known| *known == name)?;
    (weights[variant] > 0).then_some(variant)
}

fn set_cookie(name: &str, value: &str, attributes: &str) {
    let secure = match request::scheme() == "https" {
        true => "; Secure",
        false => "",
    };
    response::set_cookie(&format!("{name}={value}{attributes}{secure}"));
}

export!(AbSplit: request-policy);

#[cfg(test)]
mod tests;
