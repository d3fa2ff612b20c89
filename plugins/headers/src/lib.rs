//! Headers: set, add and remove headers, of requests where it is bound as a
//! request policy and of responses where it is bound as a response policy.
//!
//! Values may hold what the request says, such as `{client_address}`. Names and
//! values are as in RFC 9110; headers that frame a message or live for one hop
//! are the gateway's, and are refused here. Bodies are not seen, and nothing is
//! conditional but `default`: for more, bind it behind a router's pools or write
//! a plugin.

mod config;
mod template;

use gatewright_plugin_sdk::{
    ConfigError, RequestPolicy, ResponsePolicy, Verdict, export, refuse, request, response, rewrite,
};

pub use config::{Config, RequestEdits, ResponseEdits};
use config::{named, removed};
use template::{Known, Side, Template};

/// Headers with what they are to be.
type Values = Vec<(String, Template)>;

/// The policy for one binding.
#[derive(Debug, Default)]
pub struct Headers {
    remove: Vec<String>,
    set: Values,
    /// Of responses alone: set where there is none.
    default: Values,
    add: Values,
}

impl RequestPolicy for Headers {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        if config.response.is_some() {
            return Err(refuse(
                "response",
                "responses are edited where the policy is bound with role = \"response-policy\"",
            ));
        }
        let edits = config.request.unwrap_or_default();
        Ok(Self {
            remove: removed(&edits.remove, "request.remove")?,
            set: named(&edits.set, "request.set", Side::Request)?,
            default: Values::new(),
            add: named(&edits.add, "request.add", Side::Request)?,
        })
    }

    fn check(&mut self, method: &str, authority: &str, path: &str) -> Verdict {
        let known = Known {
            head: Some([method, authority, path]),
            status: 0,
        };
        // All values are as the client sent them, whatever is edited first.
        let set = filled(&self.set, &known);
        let add = filled(&self.add, &known);
        for name in &self.remove {
            rewrite::remove_header(name);
        }
        for (name, value) in set {
            rewrite::set_header(name, &value);
        }
        for (name, value) in add {
            rewrite::set_header(name, &joined(name, &value));
        }
        Verdict::Proceed
    }
}

impl ResponsePolicy for Headers {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        if config.request.is_some() {
            return Err(refuse(
                "request",
                "requests are edited where the policy is bound with role = \"request-policy\"",
            ));
        }
        let edits = config.response.unwrap_or_default();
        Ok(Self {
            remove: removed(&edits.remove, "response.remove")?,
            set: named(&edits.set, "response.set", Side::Response)?,
            default: named(&edits.default, "response.default", Side::Response)?,
            add: named(&edits.add, "response.add", Side::Response)?,
        })
    }

    fn finish(&mut self, status: u16) {
        let known = Known { head: None, status };
        for name in &self.remove {
            response::remove_header(name);
        }
        for (name, value) in filled(&self.set, &known) {
            response::set_header(name, &value);
        }
        for (name, value) in filled(&self.default, &known) {
            if response::header_bytes(name, 0).is_none() {
                response::set_header(name, &value);
            }
        }
        for (name, value) in filled(&self.add, &known) {
            response::append_header(name, &value);
        }
    }
}

fn filled<'v>(values: &'v Values, known: &Known<'_>) -> Vec<(&'v str, String)> {
    let filled = values.iter();
    filled
        .map(|(name, template)| (name.as_str(), template.fill(known)))
        .collect()
}

/// The values that a request's header has, and one more: a list with commas,
/// which is what several lines of one name mean (RFC 9110, 5.3).
fn joined(name: &str, value: &str) -> String {
    let mut all = String::new();
    for index in 0.. {
        let Some(bytes) = request::header_bytes(name, index) else {
            break;
        };
        all += &String::from_utf8_lossy(&bytes);
        all += ", ";
    }
    all + value
}

export!(Headers: request-policy + response-policy);

#[cfg(test)]
mod tests;
