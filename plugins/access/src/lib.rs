//! Access: which requests come in, by address, method, path, user agent,
//! headers and the size that a body is said to have.
//!
//! Rules are looked at in their order, and the first that a request meets
//! decides; `default` decides where none does. Networks are CIDR (RFC 4632).
//! What it does not do: bodies and their chunks are not seen (`body_over` goes
//! by `Content-Length`; `limits.request_body` holds for all), queries are not
//! searched for attacks, and who a client is, is the plugin `auth`'s to ask.
//!
//! Where a request can be understood in two ways, the strict one counts: a rule
//! that denies holds for every spelling of its path and for any value of a
//! header, a rule that allows for the path as it is written alone and for all
//! values.

mod config;

use gatewright_matching::{
    Globs, Headers, Networks, Spellings, Value, client_address, declared_length, header_values,
    tokens,
};
use gatewright_plugin_sdk::{
    ConfigError, RequestPolicy, Verdict, advice, export, refuse, response,
};

pub use config::{Action, Config, Rule};

/// The status of a request that may not come in.
const FORBIDDEN: u16 = 403;

/// The status where the size of the body is why.
const CONTENT_TOO_LARGE: u16 = 413;

/// What a client that is refused is told.
const BODY: &[u8] = br#"{"error":"this request is not allowed"}"#;

/// The policy for one binding.
#[derive(Debug)]
pub struct Access {
    rules: Vec<Compiled>,
    /// What becomes of a request that meets no rule: a status, or it goes on.
    otherwise: Option<u16>,
}

/// A rule with everything understood. What is empty holds for every request.
#[derive(Debug)]
struct Compiled {
    /// The status of a denial; none to let the request in.
    denies: Option<u16>,
    methods: Vec<String>,
    paths: Globs,
    networks: Networks,
    outside: Networks,
    agents: Vec<Value>,
    headers: Headers,
    body_over: Option<u64>,
    /// Where it is written, for explanations.
    place: String,
}

impl RequestPolicy for Access {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        let rules = config.rules.iter().enumerate();
        let rules = rules.map(|(number, rule)| Compiled::parse(rule, format!("rules[{number}]")));
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
            otherwise: match config.default {
                Action::Allow => None,
                Action::Deny => Some(FORBIDDEN),
            },
        })
    }

    fn check(&mut self, method: &str, _authority: &str, path: &str) -> Verdict {
        let path = Spellings::of(path);
        let decides = self.rules.iter().find(|rule| rule.holds(method, &path));
        let denies = decides.map_or(self.otherwise, |rule| rule.denies);
        let Some(status) = denies else {
            return Verdict::Proceed;
        };
        advice::reason(decides.map_or("default", |rule| &rule.place));
        response::body("application/json", BODY);
        Verdict::Answer(status)
    }
}

impl Compiled {
    fn parse(rule: &Rule, key: String) -> Result<Self, ConfigError> {
        let within = |name: &str| format!("{key}.{name}");
        let agents = rule
            .user_agent
            .as_slice()
            .iter()
            .map(|text| Value::parse(text));
        let agents = agents.collect::<Result<_, _>>();
        Ok(Self {
            denies: denial(rule, &key)?,
            methods: tokens::methods(rule.method.as_slice(), &within("method"))?,
            paths: Globs::parse(rule.path.as_slice(), &within("path"))?,
            networks: Networks::parse(rule.network.as_slice(), &within("network"))?,
            outside: Networks::parse(rule.not_network.as_slice(), &within("not_network"))?,
            agents: agents.map_err(|reason| refuse(within("user_agent"), reason))?,
            headers: Headers::parse(&rule.headers, &within("headers"))?,
            body_over: rule.body_over.map(|size| size.0),
            place: key,
        })
    }

    /// Whether a request meets it. The gateway is asked last, and only for what
    /// a condition needs.
    fn holds(&self, method: &str, path: &Spellings<'_>) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|wanted| wanted == method))
            && (self.paths.is_empty() || self.fits_path(path))
            && self.fits_address()
            && self.fits_agent()
            && self.fits_headers()
            && self
                .body_over
                .is_none_or(|most| declared_length().is_some_and(|size| size > most))
    }

    fn fits_path(&self, path: &Spellings<'_>) -> bool {
        match self.denies {
            Some(_) => self.paths.cover(path),
            None => self.paths.admit(path),
        }
    }

    fn fits_address(&self) -> bool {
        if self.networks.is_empty() && self.outside.is_empty() {
            return true;
        }
        client_address().is_some_and(|address| {
            (self.networks.is_empty() || self.networks.contain(address))
                && !self.outside.contain(address)
        })
    }

    fn fits_headers(&self) -> bool {
        match self.denies {
            Some(_) => self.headers.trip(),
            None => self.headers.hold(),
        }
    }

    /// A client that names no agent has an empty one.
    fn fits_agent(&self) -> bool {
        if self.agents.is_empty() {
            return true;
        }
        let Some(mut given) = header_values("user-agent") else {
            return self.denies.is_some();
        };
        if given.is_empty() {
            given.push(String::new());
        }
        let agents = self.agents.iter();
        match self.denies {
            Some(_) => agents.clone().any(|value| value.may_accept_any(&given)),
            None => {
                let judges = agents.filter(|value| !value.is_too_much(&given));
                let is_known = |one| judges.clone().any(|value| value.accepts(one));
                given.iter().all(|one| is_known(one))
            }
        }
    }
}

fn denial(rule: &Rule, key: &str) -> Result<Option<u16>, ConfigError> {
    let usual = match rule.body_over {
        Some(_) => CONTENT_TOO_LARGE,
        None => FORBIDDEN,
    };
    match (rule.action, rule.status) {
        (Action::Allow, None) => Ok(None),
        (Action::Deny, None) => Ok(Some(usual)),
        (Action::Deny, Some(status)) if (400..=599).contains(&status) => Ok(Some(status)),
        (Action::Deny, Some(_)) => Err(refuse(
            format!("{key}.status"),
            "a denial's status is 400 to 599",
        )),
        (Action::Allow, Some(_)) => Err(refuse(
            format!("{key}.status"),
            "only a rule that denies has a status",
        )),
    }
}

export!(Access: request-policy);

#[cfg(test)]
mod tests;
