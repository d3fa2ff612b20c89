//! The keys of `[access_log]` and `[tracing]`: what is told of each request.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A line for each request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessLog {
    /// Where lines go: `"stdout"`, `"stderr"`, or a file, relative to this one, in
    /// a folder that is there.
    pub file: String,
    /// `"json"`, `"combined"`, or a template such as
    /// `'{client} "{method} {path}" {status} {duration_ms}'`.
    pub format: String,
    /// The fields of a line in JSON, in their order. Default: all but `query` and
    /// headers.
    pub fields: Option<Vec<String>>,
    /// The share of requests that get a line: 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample: f64,
    /// Whether requests that are answered with 500 or above always get one.
    pub always_errors: bool,
}

/// Traces, which are sent to a collector of OpenTelemetry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tracing {
    /// The collector's base address, to which `/v1/traces` is added: OTLP over
    /// HTTP, in protobuf. Default: what the environment variable
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` says, or else `http://127.0.0.1:4318`.
    pub otlp: Option<String>,
    /// The share of requests that begin a trace: 0 to 1. Whether a request that
    /// comes with one is a part of it, its `traceparent` says.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample: f64,
    /// Whether a request's own `traceparent` is followed. Without that each
    /// begins a trace of its own.
    pub trust_parent: bool,
    /// What the gateway is called in traces.
    pub service_name: String,
    /// Headers that the collector is sent, such as `authorization`.
    pub headers: BTreeMap<String, String>,
}
