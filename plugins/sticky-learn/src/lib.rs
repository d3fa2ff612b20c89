//! Sticky learn: sessions that the application names itself, by a cookie
//! (`sessionId` unless it is said) or by a header, stay with the server that
//! has them.
//!
//! A session is learned from a response that sets the cookie, and from a request
//! that brings one nobody knows yet: whoever answers it has it from then on. When
//! the application gives a session another name, as after a login, the new name
//! is learned too; when it deletes the cookie, the session is forgotten. They
//! are kept in the host's session table, which all workers share and operators
//! see, until they have been idle for an hour, their server is gone, or the table
//! is full and they are the oldest of a few. A server that drains keeps its
//! sessions until it is gone.
//!
//! It does not read bodies or URLs, and a restart forgets: for sessions that are
//! to outlive it, there is `sticky-cookie`.

mod cookie;

use gatewright_matching::tokens::is_token;
use gatewright_plugin_sdk::{
    Affinity, ConfigError, Slot, advice, export, hash, mix, refuse, request, response, sessions,
};
use serde::Deserialize;

use cookie::Given;

/// The cookie that is followed unless it is said.
const USUAL_COOKIE: &str = "sessionId";

/// Seconds without a request after which a session is forgotten, unless it is
/// said: an hour.
const USUAL_IDLE_S: u32 = 3600;

/// Bytes of a session's name that the table takes as they are; of a longer one
/// it gets a hash.
const NAME_BYTES: usize = 128;

/// The whole configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The application's cookie; `sessionId` by default.
    pub cookie: Option<String>,
    /// Instead of a cookie: the header that names the session, in requests and
    /// in responses.
    pub header: Option<String>,
    /// Seconds without a request after which a session is forgotten; 3600 by
    /// default.
    pub idle_s: Option<u32>,
}

/// The policy for one pool.
#[derive(Debug)]
pub struct StickyLearn {
    place: Place,
    idle_s: u32,
}

/// Where the application names a session.
#[derive(Debug)]
enum Place {
    Cookie(String),
    Header(String),
}

impl Affinity for StickyLearn {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        let idle_s = config.idle_s.unwrap_or(USUAL_IDLE_S);
        if idle_s == 0 {
            return Err(refuse("idle_s", "a session lives for 1 second at least"));
        }
        let place = Place::parse(&config)?;
        Ok(Self { place, idle_s })
    }

    fn lookup(&mut self) -> Option<Slot> {
        let name = self.place.in_request()?;
        let slot = sessions::get(&key(&name))?;
        // The response may give the session another name.
        advice::call_bind();
        Some(slot)
    }

    fn bind(&mut self, answered: Slot) {
        match self.place.in_response() {
            Given::Named(name) => sessions::set(&key(&name), answered, self.idle_s),
            Given::Deleted => {
                if let Some(name) = self.place.in_request() {
                    sessions::remove(&key(&name));
                }
            }
            Given::Nothing => {
                if let Some(name) = self.place.in_request() {
                    sessions::set(&key(&name), answered, self.idle_s);
                }
            }
        }
    }
}

impl Place {
    fn parse(config: &Config) -> Result<Self, ConfigError> {
        let (key, name) = match (&config.cookie, &config.header) {
            (Some(_), Some(_)) => {
                return Err(refuse("header", "follow either `cookie` or `header`"));
            }
            (Some(name), None) => ("cookie", name.as_str()),
            (None, Some(name)) => ("header", name.as_str()),
            (None, None) => ("cookie", USUAL_COOKIE),
        };
        if !is_token(name) {
            return Err(refuse(
                key,
                "a name is letters, digits and any of !#$%&'*+-.^_`|~",
            ));
        }
        Ok(match key {
            "header" => Self::Header(name.into()),
            _ => Self::Cookie(name.into()),
        })
    }

    fn in_request(&self) -> Option<String> {
        let name = match self {
            Self::Cookie(cookie) => request::cookie(cookie),
            Self::Header(header) => request::header(header),
        };
        name.filter(|name| !name.is_empty())
    }

    fn in_response(&self) -> Given {
        match self {
            Self::Cookie(cookie) => cookie::given(cookie),
            Self::Header(header) => match response::header(header) {
                Some(name) if !name.is_empty() => Given::Named(name),
                _ => Given::Nothing,
            },
        }
    }
}

/// What the table knows a session by.
fn key(name: &str) -> String {
    if name.len() <= NAME_BYTES {
        return name.into();
    }
    let (first, second) = name.as_bytes().split_at(NAME_BYTES);
    let (first, second) = (hash(first), hash(second));
    format!(
        "{:016x}{:016x}",
        mix(first ^ second),
        mix(first.wrapping_add(mix(second)))
    )
}

export!(StickyLearn: affinity);

#[cfg(test)]
mod tests;
