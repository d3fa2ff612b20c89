//! What is refused, and as what.

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, RequestPolicy, Verdict, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Validate;

fn configure(rules: &Value) -> Result<Validate, ConfigError> {
    Validate::configure(parse(&json!({ "rules": rules }).to_string())?)
}

/// The answer to a request with these headers; 200 if it goes on. It has a body
/// unless it is a GET or says that it has none.
fn ask(policy: &mut Validate, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    testing::reset();
    testing::host(|host| {
        host.request.has_body = method != "GET" && !headers.contains(&("content-length", "0"));
        for (name, value) in headers {
            host.header(name, value);
        }
    });
    match policy.check(method, "localhost", path) {
        Verdict::Proceed => 200,
        Verdict::Answer(status) => status,
    }
}

#[test]
fn a_path_has_its_methods_and_says_so() {
    let mut policy =
        configure(&json!([{"path": "/orders/*", "methods": ["GET", "POST"]}])).unwrap();
    assert_eq!(ask(&mut policy, "GET", "/orders/7", &[]), 200);
    assert_eq!(ask(&mut policy, "DELETE", "/else", &[]), 200);
    assert_eq!(ask(&mut policy, "DELETE", "/orders/7", &[]), 405);
    let (headers, body) = testing::host(|host| {
        (
            host.response.headers.clone(),
            host.response.answer.take().unwrap().body,
        )
    });
    assert_eq!(headers, [("allow".to_owned(), "GET, POST".to_owned())]);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"], "this path takes GET, POST");
}

#[test]
fn every_rule_whose_path_matches_must_hold() {
    let mut policy = configure(&json!([
        {"headers": {"X-Tenant": "~^[a-z]+$"}},
        {"path": "/api/*", "headers": {"X-Version": "*"}},
    ]))
    .unwrap();
    let tenant = ("x-tenant", "acme");
    assert_eq!(ask(&mut policy, "GET", "/", &[]), 400);
    assert_eq!(ask(&mut policy, "GET", "/", &[("x-tenant", "7")]), 400);
    assert_eq!(ask(&mut policy, "GET", "/", &[tenant]), 200);
    assert_eq!(ask(&mut policy, "GET", "/api/a", &[tenant]), 400);
    assert_eq!(
        ask(&mut policy, "GET", "/api/a", &[tenant, ("x-version", "")]),
        200
    );
}

#[test]
fn no_value_and_no_spelling_passes_unseen() {
    let mut policy = configure(&json!([
        {"path": "/api/*", "headers": {"X-Tenant": "~^[a-z]+$"}, "content_types": "text/*"},
    ]))
    .unwrap();
    let tenant = ("x-tenant", "acme");
    let plain = ("content-type", "text/plain");
    let mut post = |path: &str, headers: &[(&str, &str)]| ask(&mut policy, "POST", path, headers);
    assert_eq!(post("/api/a", &[tenant, tenant, plain]), 200);
    assert_eq!(post("/api/a", &[tenant, ("x-tenant", "7"), plain]), 400);
    let html = ("content-type", "application/xml");
    assert_eq!(post("/api/a", &[tenant, plain, html]), 415);
    assert_eq!(post("/API/a", &[]), 400);
    assert_eq!(post("/api%2Fa", &[]), 400);
}

#[test]
fn a_body_has_one_of_the_media_types() {
    let mut policy =
        configure(&json!([{"content_types": ["application/json", "text/*"]}])).unwrap();
    let mut post = |headers: &[(&str, &str)]| ask(&mut policy, "POST", "/", headers);
    assert_eq!(
        post(&[("content-type", "Application/JSON; charset=utf-8")]),
        200
    );
    assert_eq!(
        post(&[("content-type", "text/csv"), ("content-length", "9")]),
        200
    );
    assert_eq!(post(&[("content-type", "text/")]), 415);
    assert_eq!(post(&[("content-type", "application/xml")]), 415);
    assert_eq!(post(&[("content-length", "9")]), 415);
    assert_eq!(post(&[("content-length", "0")]), 200);
    assert_eq!(ask(&mut policy, "GET", "/", &[]), 200);
}

#[test]
fn a_length_is_said_and_within_bounds() {
    let rule = json!([{"body_max": "1KiB", "length_required": true}]);
    let mut policy = configure(&rule).unwrap();
    let mut post = |headers: &[(&str, &str)]| ask(&mut policy, "POST", "/", headers);
    assert_eq!(post(&[]), 411);
    assert_eq!(post(&[("content-length", "1024")]), 200);
    assert_eq!(post(&[("content-length", "1025")]), 413);
    assert_eq!(post(&[("content-length", "0")]), 200);
    // In chunks, and behind a method that seldom has one.
    assert_eq!(ask(&mut policy, "DELETE", "/", &[]), 411);
    assert_eq!(ask(&mut policy, "GET", "/", &[]), 200);
}

#[test]
fn a_bad_rule_is_refused_at_its_key() {
    for (rule, key) in [
        (json!({"path": "a"}), "rules[0].path[0]"),
        (json!({"methods": ["get"]}), "rules[0].methods"),
        (json!({"headers": {"a b": "*"}}), "rules[0].headers.a b"),
        (json!({"headers": {"a": "~("}}), "rules[0].headers.a"),
        (
            json!({"content_types": ["json"]}),
            "rules[0].content_types[0]",
        ),
        (
            json!({"content_types": ["*/*"]}),
            "rules[0].content_types[0]",
        ),
        (json!({"body_max": -1}), "rules[0].body_max"),
        (json!({"schema": {}}), "rules[0].schema"),
    ] {
        assert_eq!(configure(&json!([rule])).unwrap_err().key, key, "{rule}");
    }
}

proptest! {
    #[test]
    fn any_media_type_is_survived_and_only_a_listed_one_is_taken(text in ".*") {
        let mut policy = configure(&json!([{"content_types": "application/json"}])).unwrap();
        let status = ask(&mut policy, "POST", "/", &[("content-type", &text)]);
        let plain = text.split(';').next().unwrap().trim().to_ascii_lowercase();
        prop_assert_eq!(status == 200, plain == "application/json");
    }
}
