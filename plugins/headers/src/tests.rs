//! What servers and clients see of the edits.

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, RequestPolicy, ResponsePolicy, Verdict, parse};
use proptest::prelude::*;

use super::Headers;
use super::template::{Known, Side, Template};

fn request(config: &str) -> Result<Headers, ConfigError> {
    testing::reset();
    <Headers as RequestPolicy>::configure(parse(config)?)
}

fn response(config: &str) -> Result<Headers, ConfigError> {
    testing::reset();
    <Headers as ResponsePolicy>::configure(parse(config)?)
}

/// What a request's headers are rewritten to.
fn rewritten(policy: &mut Headers) -> Vec<(String, Option<String>)> {
    let verdict = policy.check("GET", "shop.example", "/a");
    assert!(matches!(verdict, Verdict::Proceed));
    testing::host(|host| std::mem::take(&mut host.rewrites.headers))
}

#[test]
fn a_request_is_edited_with_what_it_says_of_itself() {
    let mut policy = request(
        r#"{"request": {"remove": ["X-Debug"], "add": {"X-Via": "here"},
            "set": {"X-Client": "{client_address} {method} {host}{path}?{query}",
                    "X-Who": "{header:x-user}/{cookie:id}/{scheme}{{}}"}}}"#,
    )
    .unwrap();
    testing::host(|host| {
        host.request.query = Some("b=1".into());
        host.header("x-user", "ann");
        host.header("x-via", "one");
        host.header("x-via", "two");
        host.cookie("id", "7");
    });
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rewritten(&mut policy),
        [
            ("x-debug".into(), None),
            ("x-client".into(), text("192.0.2.1 GET shop.example/a?b=1")),
            ("x-who".into(), text("ann/7/http{}")),
            ("x-via".into(), text("one, two, here")),
        ]
    );
}

#[test]
fn a_response_is_edited_and_its_own_headers_go_before_defaults() {
    let mut policy = response(
        r#"{"response": {"remove": ["Server"], "set": {"X-Status": "{status}"},
            "default": {"Cache-Control": "no-store", "X-Frame-Options": "DENY"},
            "add": {"Vary": "Origin"}}}"#,
    )
    .unwrap();
    testing::host(|host| {
        for (name, value) in [
            ("server", "s"),
            ("cache-control", "public"),
            ("vary", "Accept"),
        ] {
            host.response.headers.push((name.into(), value.into()));
        }
    });
    policy.finish(404);
    let headers = testing::host(|host| host.response.headers.clone());
    let expected = [
        ("cache-control", "public"),
        ("vary", "Accept"),
        ("x-status", "404"),
        ("x-frame-options", "DENY"),
        ("vary", "Origin"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, expected);
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    for (config, key) in [
        (r#"{"response": {}}"#, "response"),
        (r#"{"request": {"set": {"a b": "1"}}}"#, "request.set.a b"),
        (r#"{"request": {"set": {"Host": "1"}}}"#, "request.set.Host"),
        (
            r#"{"request": {"set": {"a": "{status}"}}}"#,
            "request.set.a",
        ),
        (
            r#"{"request": {"add": {"Cookie": "a=b"}}}"#,
            "request.add.Cookie",
        ),
        (
            r#"{"request": {"remove": ["ok", "Content-Length"]}}"#,
            "request.remove[1]",
        ),
        (r#"{"request": {"delete": []}}"#, "request.delete"),
    ] {
        assert_eq!(request(config).unwrap_err().key, key, "{config}");
    }
    for (config, key) in [
        (r#"{"request": {}}"#, "request"),
        (r#"{"response": {"add": {"a": "{"}}}"#, "response.add.a"),
        (
            r#"{"response": {"default": {"a": "}"}}}"#,
            "response.default.a",
        ),
        (
            r#"{"response": {"set": {"a": "{header:a b}"}}}"#,
            "response.set.a",
        ),
        (r#"{"response": {"set": {"a": "1\n2"}}}"#, "response.set.a"),
    ] {
        assert_eq!(response(config).unwrap_err().key, key, "{config}");
    }
}

proptest! {
    #[test]
    fn whatever_a_client_sends_every_header_is_written(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        path in "/.{0,20}",
        query in prop::option::of(".{0,20}"),
    ) {
        let mut policy = request(
            r#"{"request": {"add": {"X-A": "{path}{query}"}, "remove": ["X-B"],
                "set": {"X-C": "{header:x-a}{cookie:id}{method}{host}{client_address}"}}}"#,
        ).unwrap();
        testing::host(|host| {
            let values = values.iter().map(|value| ("x-a".into(), value.clone()));
            host.request.headers = values.collect();
            host.request.query = query;
        });
        let verdict = policy.check("GET", "a", &path);
        prop_assert!(matches!(verdict, Verdict::Proceed));
        let written = testing::host(|host| std::mem::take(&mut host.rewrites.headers));
        let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert_eq!(names, ["x-b", "x-c", "x-a"]);
        testing::reset();
    }

    #[test]
    fn text_without_braces_stays_as_it_is(text in "[^{}\\x00-\\x1f\\x7f]*") {
        let known = Known { head: Some([""; 3]), status: 0 };
        let template = Template::parse(&text, Side::Request).unwrap();
        prop_assert_eq!(template.fill(&known), text);
    }

    #[test]
    fn any_text_is_understood_or_refused(text in ".*") {
        let known = Known { head: Some(["GET", "a", "/"]), status: 200 };
        if let Ok(template) = Template::parse(&text, Side::Response) {
            template.fill(&known);
        }
    }
}
