//! Who may do what: roles, tokens, and the slowing down of guesses.
//!
//! A token is 256 random bits, kept as its SHA-256 only. On a loopback address
//! nobody needs one until the first is made; from then on everybody does. On
//! any other address there has to be one before the gateway starts.

mod attempts;
mod notices;
mod role;
mod token;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use self::attempts::Attempts;
pub(crate) use self::notices::Notices;
pub use self::role::Role;
pub use self::token::{KeepError, NewToken, TokenError, create_token, keep_token, revoke_token};
use crate::store::{Record, Store, StoreError, TokenRecord};
use crate::timestamp::Timestamp;

/// Who needs no token.
const ANONYMOUS: &str = "anonymous";

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// The token's id; `anonymous` without one.
    pub(crate) id: String,
    /// The token's name; `anonymous` without one.
    pub(crate) name: String,
    pub(crate) from: IpAddr,
    pub(crate) role: Role,
}

/// Why somebody is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No token was shown, and one is needed.
    Missing,
    /// The token is none of ours, or has expired.
    Wrong,
    /// Too many wrong ones came from there; come back after this.
    TooMany(Duration),
}

/// The tokens that count, and who has been guessing.
#[derive(Debug)]
pub(crate) struct Access {
    tokens: ArcSwap<Vec<TokenRecord>>,
    /// Whether nobody needs a token while there is none.
    is_local: bool,
    attempts: Attempts,
    /// Which of the refusals are logged.
    pub(crate) notices: Notices,
}

impl Access {
    /// For a listener at this address.
    pub(crate) fn new(store: &Store, listen: SocketAddr) -> Result<Self, StoreError> {
        Ok(Self {
            tokens: ArcSwap::from_pointee(store.tokens()?),
            is_local: listen.ip().is_loopback(),
            attempts: Attempts::default(),
            notices: Notices::default(),
        })
    }

    /// Whether there is a token that counts now.
    pub(crate) fn has_token(&self) -> bool {
        let now = Timestamp::now();
        let tokens = self.tokens.load();
        tokens.iter().any(|token| token.is_valid(now))
    }

    /// Whether a text is a token that counts, whatever it may do. Never waits.
    pub(crate) fn is_token(&self, shown: &str) -> bool {
        token::find(&self.tokens.load(), shown, Timestamp::now()).is_some()
    }

    /// Whether who showed this, or nothing, and was let in may stay. It is no
    /// guess, so it counts as none.
    pub(crate) fn may_stay(&self, shown: Option<&str>) -> bool {
        match shown {
            Some(shown) => self.is_token(shown) || self.is_open(),
            None => self.is_open(),
        }
    }

    /// Whether nobody needs a token. Expired tokens still lock the door: a
    /// gateway that was closed does not open by the passing of time.
    fn is_open(&self) -> bool {
        self.is_local && self.tokens.load().is_empty()
    }

    /// Every token, expired ones included.
    pub(crate) fn tokens(&self) -> Vec<TokenRecord> {
        let tokens = self.tokens.load();
        tokens.to_vec()
    }

    /// These are the tokens from now on.
    pub(crate) fn put(&self, tokens: Vec<TokenRecord>) {
        self.tokens.store(Arc::new(tokens));
    }

    /// Take over what was kept of tokens.
    pub(crate) fn apply(&self, records: &[Record]) {
        let mut tokens = self.tokens();
        for record in records {
            let Record::Token(id, token) = record else {
                continue;
            };
            tokens.retain(|known| known.id != *id);
            tokens.extend(token.as_deref().cloned());
        }
        tokens.sort_by(|a, b| a.id.cmp(&b.id));
        self.put(tokens);
    }

    /// Who asks, by the token that was shown. A good one is let in whatever else
    /// came from its address: only wrong ones have to wait.
    pub(crate) fn identify(&self, shown: Option<&str>, from: IpAddr) -> Result<Who, Denied> {
        if self.is_open() {
            return Ok(Who {
                id: ANONYMOUS.to_owned(),
                name: ANONYMOUS.to_owned(),
                from,
                role: Role::Deploy,
            });
        }
        let shown = shown.ok_or(Denied::Missing)?;
        let tokens = self.tokens.load();
        match token::find(&tokens, shown, Timestamp::now()) {
            Some(known) => Ok(Who {
                id: known.id.clone(),
                name: known.name.clone(),
                from,
                role: known.role,
            }),
            None => Err(self.refuse_guess(from, Instant::now())),
        }
    }

    fn refuse_guess(&self, from: IpAddr, now: Instant) -> Denied {
        if let Some(pause) = self.attempts.pause(from, now) {
            return Denied::TooMany(pause);
        }
        self.attempts.failed(from, now);
        Denied::Wrong
    }
}

#[cfg(test)]
mod tests;
