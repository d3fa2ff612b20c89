//! Auth: who a client is, by a user's password (Basic, RFC 7617), by a token
//! (Bearer, RFC 6750), or by a JWT (RFC 7519) that a key of the configuration
//! has signed. Who cannot say is answered 401 with `WWW-Authenticate`; whose
//! token lacks a scope is answered 403.
//!
//! Passwords are kept as PBKDF2 (RFC 8018), tokens as SHA-256. A decision has 2
//! ms unless its binding says otherwise, so PBKDF2 can have about a thousand
//! iterations here, far fewer than for a stolen list of weak passwords: give
//! users long random ones, or raise `deadline`. What has been proved once is
//! remembered by a keyed hash, so only the first request of a client on a worker
//! pays for it, and every wrong password; put `rate-limit` before this policy
//! where strangers may guess. Whether a name is a user's cannot be told from how
//! long the answer takes.
//!
//! JWT: HS256, RS256, ES256 (RFC 7518) and EdDSA with Ed25519 (RFC 8037). A key
//! has one algorithm, whatever a token claims, and there is no `none`. A token is
//! verified with one key, which its `kid` names where keys have ids. Keys come
//! from the configuration alone: nothing is fetched, no token can be revoked
//! before its end, and encrypted ones (JWE) are not read. Sessions, log-ins and
//! OAuth's dances are an identity provider's work.

mod algorithm;
mod basic;
mod bearer;
mod challenge;
mod config;
mod jwk;
mod jwt;
mod memory;

use gatewright_matching::{Globs, Spellings, tokens};
use gatewright_plugin_sdk::{
    ConfigError, RequestPolicy, Verdict, advice, clock, export, refuse, request, response, rewrite,
};

use basic::Users;
use bearer::Tokens;
use challenge::Challenges;
pub use config::{Basic, Bearer, Config, Jwt};
use jwt::Judge;
use memory::{Known, Memory};

/// What a client without good credentials is told.
const UNAUTHORIZED: (u16, &[u8]) = (401, br#"{"error":"credentials are needed"}"#);

/// What a client without the scopes is told.
const FORBIDDEN: (u16, &[u8]) = (403, br#"{"error":"the token lacks a scope"}"#);

/// Bytes of credentials that are looked at; longer ones are wrong.
const CREDENTIALS_BYTES: usize = 8192;

/// The policy for one binding.
#[derive(Debug)]
pub struct Auth {
    paths: Globs,
    except: Globs,
    lets_preflights: bool,
    users: Option<Users>,
    tokens: Option<Tokens>,
    judge: Option<Judge>,
    challenges: Challenges,
    /// The header that tells servers who it is.
    user_header: Option<String>,
    hides_credentials: bool,
    memory: Memory,
}

/// Why a request does not go on.
#[derive(Debug, PartialEq)]
enum Fault {
    /// It brought nothing that this policy takes.
    Missing,
    /// What it brought is wrong, in these words for the operator.
    Wrong(&'static str),
    /// The token that it brought is wrong, in the same way.
    WrongToken(&'static str),
    /// Its token is good and has not the scopes.
    Scope,
}

impl RequestPolicy for Auth {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        if config.basic.is_none() && config.bearer.is_none() && config.jwt.is_none() {
            return Err(refuse("", "write at least one of `basic`, `bearer`, `jwt`"));
        }
        let challenges = Challenges::of(&config)?;
        let header = config.user_header.as_deref();
        let header = header.map(|name| tokens::written_header(name, "user_header"));
        Ok(Self {
            paths: Globs::parse(config.path.as_slice(), "path")?,
            except: Globs::parse(config.except.as_slice(), "except")?,
            lets_preflights: config.allow_preflight,
            users: config.basic.map(Users::parse).transpose()?,
            tokens: config.bearer.map(Tokens::parse).transpose()?,
            judge: config.jwt.map(Judge::parse).transpose()?,
            challenges,
            user_header: header.transpose()?,
            hides_credentials: config.hide_credentials,
            memory: Memory::from_host(),
        })
    }

    fn check(&mut self, method: &str, _authority: &str, path: &str) -> Verdict {
        if !self.is_asked(method, path) {
            self.tell(None);
            return Verdict::Proceed;
        }
        match self.identify() {
            Ok(name) => {
                self.tell(Some(&name));
                if self.hides_credentials {
                    rewrite::remove_header("authorization");
                }
                Verdict::Proceed
            }
            Err(fault) => self.deny(&fault),
        }
    }
}

impl Auth {
    fn is_asked(&self, method: &str, path: &str) -> bool {
        let is_preflight = || {
            self.lets_preflights
                && method == "OPTIONS"
                && request::header("origin").is_some()
                && request::header("access-control-request-method").is_some()
        };
        self.is_about(path) && !is_preflight()
    }

    /// A path is read in all spellings only where paths are named.
    fn is_about(&self, path: &str) -> bool {
        if self.paths.is_empty() && self.except.is_empty() {
            return true;
        }
        let path = Spellings::of(path);
        (self.paths.is_empty() || self.paths.cover(&path)) && !self.except.admit(&path)
    }

    /// The name of whoever asks.
    fn identify(&mut self) -> Result<String, Fault> {
        let header = request::header("authorization").ok_or(Fault::Missing)?;
        // A server might look at another one than was proved here.
        if request::header_bytes("authorization", 1).is_some() {
            return Err(Fault::Wrong("there is more than one Authorization"));
        }
        if header.len() > CREDENTIALS_BYTES {
            return Err(Fault::Wrong("the credentials are too long"));
        }
        if let Some(name) = self.memory.recall(&header, now_s) {
            return Ok(name.into());
        }
        let known = self.prove(&header)?;
        let name = known.name.clone();
        self.memory.remember(&header, known);
        Ok(name)
    }

    fn prove(&self, header: &str) -> Result<Known, Fault> {
        let (scheme, credentials) = header.split_once(' ').ok_or(Fault::Missing)?;
        let credentials = credentials.trim();
        if let Some(users) = &self.users
            && scheme.eq_ignore_ascii_case("basic")
        {
            let name = users.identify(credentials);
            let name = name.ok_or(Fault::Wrong("the user or the password is wrong"))?;
            return Ok(Known::forever(name));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Fault::Missing);
        }
        let tokens = self.tokens.as_ref();
        if let Some(name) = tokens.and_then(|tokens| tokens.identify(credentials)) {
            return Ok(Known::forever(name));
        }
        match (&self.judge, tokens) {
            (Some(judge), _) => judge.identify(credentials, now_s()),
            (None, Some(_)) => Err(Fault::WrongToken("nobody has this token")),
            (None, None) => Err(Fault::Missing),
        }
    }

    /// Tell the server who it is; what the client itself says by that header is
    /// never passed on.
    fn tell(&self, name: Option<&str>) {
        let Some(header) = &self.user_header else {
            return;
        };
        match name.filter(|name| !name.is_empty() && tokens::is_value(name)) {
            Some(name) => rewrite::set_header(header, name),
            None => rewrite::remove_header(header),
        }
    }

    fn deny(&self, fault: &Fault) -> Verdict {
        advice::reason(match fault {
            Fault::Missing => "no credentials",
            Fault::Wrong(why) | Fault::WrongToken(why) => why,
            Fault::Scope => "a scope is missing",
        });
        self.challenges.tell(fault);
        let (status, body) = match fault {
            Fault::Missing | Fault::Wrong(_) | Fault::WrongToken(_) => UNAUTHORIZED,
            Fault::Scope => FORBIDDEN,
        };
        response::body("application/json", body);
        Verdict::Answer(status)
    }
}

/// Seconds since 1970.
fn now_s() -> u64 {
    clock::unix_ms() / 1000
}

export!(Auth: request-policy);

#[cfg(test)]
mod tests;
