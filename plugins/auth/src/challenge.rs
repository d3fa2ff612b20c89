//! What a client is asked for: `WWW-Authenticate` (RFC 9110, 11.6.1).

use gatewright_plugin_sdk::{ConfigError, refuse, response};

use crate::Fault;
use crate::config::Config;

/// The header's values for each fault, made ahead.
#[derive(Debug)]
pub(crate) struct Challenges {
    basic: Option<String>,
    /// `Bearer` without an error, with a wrong token, and with too few scopes.
    bearer: Option<[String; 3]>,
}

impl Challenges {
    /// The challenges of a configuration.
    ///
    /// # Errors
    ///
    /// When `realm` or a scope cannot be told.
    pub(crate) fn of(config: &Config) -> Result<Self, ConfigError> {
        let realm = config.realm.as_deref().unwrap_or("gatewright");
        if !realm.bytes().all(is_quotable) {
            return Err(refuse(
                "realm",
                "a realm is plain text without quotation marks",
            ));
        }
        let scopes = match &config.jwt {
            Some(jwt) => scopes(jwt.scopes.as_slice())?,
            None => String::new(),
        };
        let bearer = format!("Bearer realm=\"{realm}\"");
        let takes_tokens = config.bearer.is_some() || config.jwt.is_some();
        Ok(Self {
            basic: config
                .basic
                .as_ref()
                .map(|_| format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")),
            bearer: takes_tokens.then(|| {
                [
                    bearer.clone(),
                    format!("{bearer}, error=\"invalid_token\""),
                    format!("{bearer}, error=\"insufficient_scope\", scope=\"{scopes}\""),
                ]
            }),
        })
    }

    /// Tell the client what it should have brought. Only who brought a token hears
    /// that it is wrong (RFC 6750, 3).
    pub(crate) fn tell(&self, fault: &Fault) {
        let bearer = self.bearer.iter().map(|[plain, wrong, scope]| match fault {
            Fault::Missing | Fault::Wrong(_) => plain,
            Fault::WrongToken(_) => wrong,
            Fault::Scope => scope,
        });
        let basic = self.basic.iter().filter(|_| *fault != Fault::Scope);
        for challenge in basic.chain(bearer) {
            response::append_header("www-authenticate", challenge);
        }
    }
}

fn scopes(written: &[String]) -> Result<String, ConfigError> {
    let is_scope = |text: &String| {
        !text.is_empty() && text.bytes().all(|byte| byte > b' ' && is_quotable(byte))
    };
    match written.iter().all(is_scope) {
        true => Ok(written.join(" ")),
        false => Err(refuse(
            "jwt.scopes",
            "a scope is one word, such as orders:read",
        )),
    }
}

/// Whether a byte can stand in quotation marks as it is.
fn is_quotable(byte: u8) -> bool {
    (b' '..0x7F).contains(&byte) && byte != b'"' && byte != b'\\'
}
