//! Which web pages may use a pool from browsers (CORS, the Fetch standard §3.2):
//! preflights are answered here, and all responses say who may read them.

use std::time::Duration;

use gatewright_model::config::{Cors, Origins};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::body::Content;
use crate::facts::Facts;

/// What a request asks of the rules.
pub(crate) struct Asked<'a> {
    rules: &'a Cors,
    /// The page's origin, if it is one that may; none as well where no page asks.
    origin: Option<HeaderValue>,
}

impl<'a> Asked<'a> {
    /// What a request asks, be it from a page of another origin or from anybody:
    /// a cache in front may hand one's response to the other.
    pub(crate) fn of(facts: &Facts, rules: &'a Cors) -> Self {
        let may = |origin: &&HeaderValue| match &rules.origins {
            Origins::Any => true,
            Origins::These(origins) => origins.iter().any(|known| known.as_bytes() == *origin),
        };
        let origin = facts.headers.get(header::ORIGIN).filter(may);
        Self {
            rules,
            origin: origin.cloned(),
        }
    }

    /// The answer to a preflight, if that is what the request is; it is to be
    /// marked as any response is. A page that may not is told nothing, and its
    /// browser takes that for a no.
    pub(crate) fn preflight(&self, facts: &Facts) -> Option<Response<Content>> {
        let wanted = &facts.headers;
        let is_preflight = facts.method == Method::OPTIONS
            && wanted.contains_key(header::ORIGIN)
            && wanted.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight {
            return None;
        }
        let mut response = Response::new(Content::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        if self.origin.is_some() {
            let Cors {
                methods, max_age, ..
            } = self.rules;
            put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            put(
                headers,
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                &self.rules.headers,
            );
            if *max_age > Duration::ZERO {
                headers.insert(header::ACCESS_CONTROL_MAX_AGE, max_age.as_secs().into());
            }
        }
        Some(response)
    }

    /// Let a response say who may read it, whatever the server has said. The
    /// gateway's own errors say it too: else a page could not see what they are.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        for name in [
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            headers.remove(name);
        }
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = &self.origin else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.rules.credentials {
            let may = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, may);
        }
        put(
            headers,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            &self.rules.expose,
        );
    }
}

/// A list as a header, unless it is empty.
fn put(headers: &mut HeaderMap, name: header::HeaderName, list: &str) {
    if let Some(value) = HeaderValue::try_from(list)
        .ok()
        .filter(|_| !list.is_empty())
    {
        headers.insert(name, value);
    }
}
