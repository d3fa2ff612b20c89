//! Validate: requests that are not in order are refused before a server sees
//! them: methods, required headers, media types, and the size that a body is
//! said to have.
//!
//! Every rule whose path matches, in whatever spelling, must hold, and for all
//! values of a header. The answers are those of RFC 9110:
//! 405 with `Allow`, 400 for a header, 411 and 413 for the length, 415 for the
//! media type. Bodies are not seen: what is in them, and how long one in chunks
//! is, is not for this to say.

mod config;
mod media;

use gatewright_matching::{Globs, Headers, Spellings, declared_length, header_values, tokens};
use gatewright_plugin_sdk::{
    ConfigError, RequestPolicy, Verdict, advice, export, request, response,
};

pub use config::{Config, Rule};
use media::MediaTypes;

/// The policy for one binding.
#[derive(Debug)]
pub struct Validate {
    rules: Vec<Compiled>,
}

/// A rule with everything understood. What is empty asks for nothing.
#[derive(Debug)]
struct Compiled {
    paths: Globs,
    methods: Vec<String>,
    /// The methods as `Allow` lists them.
    allow: String,
    headers: Vec<(String, Headers)>,
    media_types: MediaTypes,
    body_max: Option<u64>,
    length_required: bool,
}

/// What is wrong with a request: the status, and why.
type Fault = (u16, String);

impl RequestPolicy for Validate {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        let rules = config.rules.iter().enumerate();
        let rules = rules.map(|(number, rule)| Compiled::parse(rule, &format!("rules[{number}]")));
        Ok(Self {
            rules: rules.collect::<Result<_, _>>()?,
        })
    }

    fn check(&mut self, method: &str, _authority: &str, path: &str) -> Verdict {
        let path = Spellings::of(path);
        let mut rules = self.rules.iter().filter(|rule| rule.is_about(&path));
        let Some((status, reason)) = rules.find_map(|rule| rule.fault(method)) else {
            return Verdict::Proceed;
        };
        advice::reason(&reason);
        // Reasons are made of what was configured, never of what was sent.
        let body = format!("{{\"error\":\"{reason}\"}}");
        response::body("application/json", body.as_bytes());
        Verdict::Answer(status)
    }
}

impl Compiled {
    fn parse(rule: &Rule, key: &str) -> Result<Self, ConfigError> {
        let methods = tokens::methods(rule.methods.as_slice(), &format!("{key}.methods"))?;
        let headers = rule.headers.iter().map(|(name, value)| {
            let one = [(name.clone(), value.clone())].into();
            let conditions = Headers::parse(&one, &format!("{key}.headers"))?;
            Ok((name.to_ascii_lowercase(), conditions))
        });
        let media_types = rule.content_types.as_slice();
        Ok(Self {
            paths: Globs::parse(rule.path.as_slice(), &format!("{key}.path"))?,
            allow: methods.join(", "),
            methods,
            headers: headers.collect::<Result<_, ConfigError>>()?,
            media_types: MediaTypes::parse(media_types, &format!("{key}.content_types"))?,
            body_max: rule.body_max.map(|size| size.0),
            length_required: rule.length_required,
        })
    }

    fn is_about(&self, path: &Spellings<'_>) -> bool {
        self.paths.is_empty() || self.paths.cover(path)
    }

    fn fault(&self, method: &str) -> Option<Fault> {
        self.fault_of_method(method)
            .or_else(|| self.fault_of_headers())
            .or_else(|| self.fault_of_body())
    }

    fn fault_of_method(&self, method: &str) -> Option<Fault> {
        if self.methods.is_empty() || self.methods.iter().any(|known| known == method) {
            return None;
        }
        response::set_header("allow", &self.allow);
        Some((405, format!("this path takes {}", self.allow)))
    }

    fn fault_of_headers(&self) -> Option<Fault> {
        let wrong = self.headers.iter().find(|(_, value)| !value.hold());
        wrong.map(|(name, _)| (400, format!("the header {name} is missing or wrong")))
    }

    fn fault_of_body(&self) -> Option<Fault> {
        let asks = self.length_required || self.body_max.is_some() || !self.media_types.is_empty();
        if !asks {
            return None;
        }
        let (has_body, length) = (request::has_body(), declared_length());
        if self.length_required && has_body && length.is_none() {
            return Some((411, "the header content-length is missing".into()));
        }
        if let Some(most) = self.body_max
            && length.is_some_and(|length| length > most)
        {
            return Some((413, format!("a body has at most {most} bytes here")));
        }
        if has_body && !self.media_types.is_empty() {
            // A server might go by another value than the first.
            let given = header_values("content-type").filter(|given| !given.is_empty());
            if !given.is_some_and(|given| given.iter().all(|one| self.media_types.accept(one))) {
                return Some((415, format!("this path takes {}", self.media_types)));
            }
        }
        None
    }
}

export!(Validate: request-policy);

#[cfg(test)]
mod tests;
