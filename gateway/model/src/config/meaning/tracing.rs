//! `[tracing]`: where traces are sent, and which requests have them.

use std::sync::Arc;

use super::report::Report;
use crate::config::defaults::telemetry::{OTLP, SAMPLE};
use crate::config::key_path::KeyPath;
use crate::config::meant::Tracing;
use crate::config::written;
use crate::token::is_token;

/// What is added to a collector's base address (OTLP 1.8, OTLP/HTTP).
const TRACES: &str = "/v1/traces";

/// The headers that the gateway writes itself.
const OWN: [&str; 4] = [
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
];

/// Traces of requests, where that is written.
pub(super) fn tracing(
    written: Option<&written::Tracing>,
    report: &mut Report<'_>,
) -> Option<Tracing> {
    let keys = written?;
    let path = KeyPath::default().key("tracing");
    if keys.service_name.trim().is_empty() {
        let message = "the gateway needs a name in traces; write one such as \"gatewright\"";
        report.fail(&path.key("service_name"), message);
    }
    let endpoint = endpoint(keys.otlp.as_deref().unwrap_or(OTLP));
    let otlp = report.value(&path.key("otlp"), endpoint);
    let mut headers = Vec::with_capacity(keys.headers.len());
    for (name, value) in &keys.headers {
        let path = path.key("headers").key(name);
        headers.extend(report.value(&path, header(name, value)));
    }
    Some(Tracing {
        // What is wrong has been noted.
        otlp: otlp.unwrap_or_else(|| Arc::from("")),
        sample: report.within(&path.key("sample"), keys.sample, &SAMPLE),
        trust_parent: keys.trust_parent,
        service_name: Arc::from(keys.service_name.as_str()),
        headers,
    })
}

/// Where traces are sent, by a collector's base address.
pub(in crate::config) fn endpoint(base: &str) -> Result<Arc<str>, String> {
    let rest = base
        .strip_prefix("http://")
        .or_else(|| base.strip_prefix("https://"));
    let authority = rest.and_then(|rest| rest.split('/').next());
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\"<>\\^`{|}".contains(&byte);
    match authority {
        Some(authority) if !authority.is_empty() && base.bytes().all(is_plain) => {
            Ok(Arc::from(format!("{}{TRACES}", base.trim_end_matches('/'))))
        }
        _ => Err(format!(
            "{base:?} is no address of a collector; write its base, such as \
             \"http://127.0.0.1:4318\""
        )),
    }
}

fn header(name: &str, value: &str) -> Result<(Arc<str>, Arc<str>), String> {
    let lower = name.to_ascii_lowercase();
    if !is_token(name) {
        return Err(format!("{name:?} is no name of a header; write one"));
    }
    if OWN.contains(&&*lower) {
        return Err(format!("the gateway writes {lower} itself; leave it out"));
    }
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | 0x80..);
    if !value.bytes().all(is_plain) || value.trim() != value {
        // The value is not shown: it may be a secret.
        return Err("its value cannot stand in a header; write one line of text".to_owned());
    }
    Ok((Arc::from(lower), Arc::from(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_address_leads_to_where_traces_are_taken() {
        for (base, leads) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otel.example/", "https://otel.example/v1/traces"),
            ("http://[::1]:4318/x", "http://[::1]:4318/x/v1/traces"),
        ] {
            assert_eq!(endpoint(base).as_deref(), Ok(leads));
        }
        for base in [
            "",
            "127.0.0.1:4318",
            "http://",
            "http://a b",
            "grpc://a",
            "http://u@a",
        ] {
            assert!(endpoint(base).is_err(), "{base}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_refused_without_its_value() {
        assert!(header("Authorization", "Bearer x").is_ok());
        for (name, value) in [
            ("a b", "x"),
            ("Host", "x"),
            ("a", "secret\n"),
            ("a", " secret"),
        ] {
            let error = header(name, value).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
