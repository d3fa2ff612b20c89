//! What is told of requests, unless it is said.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::config::written::{AccessLog, Tracing};

/// Where collectors of OpenTelemetry listen for OTLP over HTTP.
pub(in crate::config) const OTLP: &str = "http://127.0.0.1:4318";

/// A share of requests.
pub(in crate::config) const SAMPLE: RangeInclusive<f64> = 0.0..=1.0;

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            file: "stdout".to_owned(),
            format: "json".to_owned(),
            fields: None,
            sample: 1.0,
            always_errors: true,
        }
    }
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            otlp: None,
            sample: 0.01,
            trust_parent: true,
            service_name: "gatewright".to_owned(),
            headers: BTreeMap::new(),
        }
    }
}
