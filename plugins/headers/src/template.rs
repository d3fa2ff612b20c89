//! Values with places for what is known of the exchange.

use std::borrow::Cow;

use gatewright_matching::tokens::{is_token, is_value};
use gatewright_plugin_sdk::request;

/// What is edited, which decides what is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    /// A request.
    Request,
    /// A response, whose status is known.
    Response,
}

/// A value, understood: text and places, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    ClientAddress,
    Scheme,
    Method,
    Host,
    Path,
    Query,
    Header(String),
    Cookie(String),
    Status,
}

/// What the gateway says without being asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'k> {
    /// Method, authority and path where a request is edited. Where a response is, they
    /// are asked for.
    pub(crate) head: Option<[&'k str; 3]>,
    /// 0 while there is no response.
    pub(crate) status: u16,
}

impl<'k> Known<'k> {
    fn of_head(&self, place: usize, asked: fn() -> String) -> Cow<'k, str> {
        match self.head {
            Some(head) => Cow::Borrowed(head[place]),
            None => Cow::Owned(asked()),
        }
    }
}

/// Every place that there is, for who wrote another.
const PLACES: &str = "{client_address}, {scheme}, {method}, {host}, {path}, {query}, \
    {header:NAME}, {cookie:NAME}, and {status} in responses; {{ and }} are braces";

impl Template {
    /// Understand a value as it is written.
    ///
    /// # Errors
    ///
    /// What is wrong with it and what would be right.
    pub(crate) fn parse(text: &str, side: Side) -> Result<Self, String> {
        if !is_value(text) {
            return Err("a header's value holds no control characters".into());
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            plain += before;
            if let Some(after) = brace.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else {
                let place = brace
                    .strip_prefix('{')
                    .and_then(|place| place.split_once('}'));
                let (name, after) = place.ok_or("a brace is not closed or not opened")?;
                let part = Part::named(name, side);
                let part =
                    part.ok_or_else(|| format!("there is no {{{name}}} here; there are {PLACES}"))?;
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(part);
                rest = after;
            }
        }
        parts.push(Part::Text(plain + rest));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self(parts))
    }

    /// The value for the exchange that is being decided.
    pub(crate) fn fill(&self, known: &Known<'_>) -> String {
        let mut value = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => value += text,
                Part::ClientAddress => value += &request::client_address(),
                Part::Scheme => value += &request::scheme(),
                Part::Method => value += &known.of_head(0, request::method),
                Part::Host => value += &known.of_head(1, request::authority),
                Part::Path => value += &known.of_head(2, request::path),
                Part::Query => value += &request::query().unwrap_or_default(),
                Part::Header(name) => value += &request::header(name).unwrap_or_default(),
                Part::Cookie(name) => value += &request::cookie(name).unwrap_or_default(),
                Part::Status => value += &known.status.to_string(),
            }
        }
        value
    }
}

impl Part {
    fn named(name: &str, side: Side) -> Option<Self> {
        Some(match name.split_once(':') {
            Some(("header", name)) if is_token(name) => Self::Header(name.into()),
            Some(("cookie", name)) if is_token(name) => Self::Cookie(name.into()),
            Some(_) => return None,
            None => match name {
                "client_address" => Self::ClientAddress,
                "scheme" => Self::Scheme,
                "method" => Self::Method,
                "host" => Self::Host,
                "path" => Self::Path,
                "query" => Self::Query,
                "status" if side == Side::Response => Self::Status,
                _ => return None,
            },
        })
    }
}
