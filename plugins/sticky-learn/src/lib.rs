//! Sticky learn: sessions that the application names itself, by a cookie
//! (`sessionId` unless it is said) or by a header, stay with the server that
//! has them.
//!
//! A session is learned from a response that sets the cookie. When the application
//! gives a session another name, as after a login, the new name is learned too;
//! when it deletes the cookie, the session is forgotten. They are kept in the
//! host's session table, which all workers share and operators see, until they
//! have been idle for an hour, their server is gone, or the table is full and they
//! are the first of a few to be forgotten. A server that drains keeps its sessions
//! until it is gone.
//!
//! A name that only a request says, as after a restart of a gateway that has no
//! data folder, may be anybody's invention. It belongs to whoever answers it without
//! an error, for a minute; used again in that time, and answered without an error
//! again, it is a session like any other. So who invents names has them forgotten
//! soon; in a full table they make room before those that applications have named.
//!
//! It does not read bodies or URLs. Sessions outlive a restart where there is a data
//! folder; for sessions that are to be good on every gateway, there is `sticky-cookie`.

mod cookie;

use std::borrow::Cow;

use gatewright_matching::shortened;
use gatewright_matching::tokens::is_token;
use gatewright_plugin_sdk::{
    Affinity, ConfigError, Slot, advice, export, refuse, request, response, sessions,
};
use serde::Deserialize;

use cookie::Given;

/// The cookie that is followed unless it is said.
const USUAL_COOKIE: &str = "sessionId";

/// Seconds without a request after which a session is forgotten, unless it is
/// said: an hour.
const USUAL_IDLE_S: u32 = 3600;

/// Seconds that a name lives which only a request says, unless it is said.
const USUAL_CLAIMED_IDLE_S: u32 = 60;

/// Bytes of a session's name that the table takes as they are; of a longer one
/// it gets a digest.
const NAME_BYTES: usize = 128;

/// The first status that says that a server did not do what was asked.
const FIRST_ERROR: u16 = 400;

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
    /// The same for a name that only a request says, until it is used again; 60
    /// by default, or `idle_s` if that is less.
    pub claimed_idle_s: Option<u32>,
}

/// The policy for one pool.
#[derive(Debug)]
pub struct StickyLearn {
    place: Place,
    idle_s: u32,
    claimed_idle_s: u32,
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
        let usual = USUAL_CLAIMED_IDLE_S.min(idle_s);
        let claimed_idle_s = config.claimed_idle_s.unwrap_or(usual);
        if !(1..=idle_s).contains(&claimed_idle_s) {
            return Err(refuse(
                "claimed_idle_s",
                "a name that only a request says lives for 1 second at least, and no longer than \
                 `idle_s`",
            ));
        }
        Ok(Self {
            place: Place::parse(&config)?,
            idle_s,
            claimed_idle_s,
        })
    }

    fn lookup(&mut self) -> Option<Slot> {
        let name = self.place.in_request()?;
        let slot = sessions::get(&key(&name))?;
        // The response may give the session another name.
        advice::call_bind();
        Some(slot)
    }

    fn bind(&mut self, answered: Slot) {
        let is_over = match self.place.in_response() {
            Given::Named(name) => return sessions::set(&key(&name), answered, self.idle_s),
            Given::Deleted => true,
            Given::Nothing => false,
        };
        match self.place.in_request() {
            Some(name) if is_over => sessions::remove(&key(&name)),
            Some(name) => self.follow(&key(&name), answered),
            None => {}
        }
    }
}

impl StickyLearn {
    /// Follow a name of which the server said nothing: an error is no word for it.
    fn follow(&self, key: &str, answered: Slot) {
        if response::status() >= FIRST_ERROR {
            return;
        }
        let idle_s = match sessions::get(key) {
            Some(_) => self.idle_s,
            None => self.claimed_idle_s,
        };
        sessions::set(key, answered, idle_s);
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
fn key(name: &str) -> Cow<'_, str> {
    shortened(name, NAME_BYTES)
}

export!(StickyLearn: affinity);

#[cfg(test)]
mod tests;
