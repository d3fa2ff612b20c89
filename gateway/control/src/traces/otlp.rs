//! What was recorded, as OTLP has it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use gatewright_proxy::{Recorded, Span, SpanKind, SpanValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind as Kind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Written, Status};
use prost::Message as _;

/// The flag of what a trace records (W3C Trace Context).
const SAMPLED: u32 = 1;

/// One request to a collector.
pub(super) fn request<'a>(batch: impl Iterator<Item = &'a Recorded>, service_name: &str) -> Bytes {
    let spans = batch.flat_map(|recorded| {
        let spans = recorded.spans.iter().enumerate();
        spans.map(|(index, span)| written(recorded, span, index == 0))
    });
    let scope = InstrumentationScope {
        name: "gatewright".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Default::default()
    };
    let version = SpanValue::from(env!("CARGO_PKG_VERSION"));
    let resource = Resource {
        attributes: vec![
            attribute("service.name", &SpanValue::from(service_name)),
            attribute("service.version", &version),
        ],
        ..Default::default()
    };
    let spans = ScopeSpans {
        scope: Some(scope),
        spans: spans.collect(),
        ..Default::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![spans],
            ..Default::default()
        }],
    };
    request.encode_to_vec().into()
}

fn written(recorded: &Recorded, span: &Span, is_first: bool) -> Written {
    let kind = match span.kind {
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Internal => Kind::Internal,
    };
    let link = recorded.link.filter(|_| is_first).map(|link| Link {
        trace_id: link.trace.0.to_vec(),
        span_id: link.span.0.to_vec(),
        flags: u32::from(link.is_sampled),
        ..Default::default()
    });
    let error = span.error.as_ref().map(|error| Status {
        message: error.clone(),
        code: StatusCode::Error.into(),
    });
    let attributes = span.attributes.iter();
    Written {
        trace_id: recorded.trace.0.to_vec(),
        span_id: span.id.0.to_vec(),
        parent_span_id: span
            .parent
            .map_or_else(Vec::new, |parent| parent.0.to_vec()),
        trace_state: recorded.state.clone(),
        flags: SAMPLED,
        name: span.name.clone(),
        kind: kind.into(),
        start_time_unix_nano: nanoseconds(recorded.at, span.start),
        end_time_unix_nano: nanoseconds(recorded.at, span.start + span.duration),
        attributes: attributes
            .map(|(key, value)| attribute(key, value))
            .collect(),
        links: link.into_iter().collect(),
        status: Some(error.unwrap_or_default()),
        ..Default::default()
    }
}

fn nanoseconds(at: SystemTime, after: Duration) -> u64 {
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from((since_1970 + after).as_nanos()).unwrap_or(u64::MAX)
}

fn attribute(key: &str, value: &SpanValue) -> KeyValue {
    let text = |text: &String| Value::StringValue(text.clone());
    let value = match value {
        SpanValue::Text(value) => text(value),
        SpanValue::Number(number) => Value::IntValue(*number),
        SpanValue::Flag(flag) => Value::BoolValue(*flag),
        SpanValue::Texts(values) => Value::ArrayValue(ArrayValue {
            values: values.iter().map(text).map(any).collect(),
        }),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(any(value)),
        ..Default::default()
    }
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}
