//! Traces, which are sent to a collector of OpenTelemetry.

use std::fmt;
use std::sync::Arc;

/// Traces of requests.
#[derive(Clone, PartialEq)]
pub struct Tracing {
    /// Where they are sent, path and all.
    pub otlp: Arc<str>,
    /// The share of requests that begin one: 0 to 1.
    pub sample: f64,
    /// Whether a request's own `traceparent` is followed.
    pub trust_parent: bool,
    /// What the gateway is called in them.
    pub service_name: Arc<str>,
    /// Headers that the collector is sent.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
}

impl fmt::Debug for Tracing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The headers' values are secrets.
        f.debug_struct("Tracing")
            .field("otlp", &self.otlp)
            .field("sample", &self.sample)
            .field("trust_parent", &self.trust_parent)
            .field("service_name", &self.service_name)
            .finish_non_exhaustive()
    }
}
