//! How an application's sessions are followed.

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{Affinity, ConfigError, parse};
use proptest::prelude::*;

use super::{StickyLearn, key};

fn configure(config: &str) -> Result<StickyLearn, ConfigError> {
    testing::reset();
    StickyLearn::configure(parse(config)?)
}

/// A policy as it is without a word.
fn usual() -> StickyLearn {
    configure("{}").unwrap()
}

/// A request with this cookie.
fn asks(cookie: &str) {
    testing::host(|host| {
        host.request.cookies.clear();
        host.cookie("sessionId", cookie);
        host.advice.call_bind = false;
    });
}

/// A response with these `Set-Cookie` lines, from a slot.
fn answers(policy: &mut StickyLearn, slot: u32, lines: &[&str]) {
    testing::host(|host| {
        let lines = lines
            .iter()
            .map(|line| ("set-cookie".to_owned(), line.to_string()));
        host.response.headers = lines.collect();
    });
    policy.bind(slot);
}

#[test]
fn a_session_is_learned_from_the_response_that_names_it() {
    let mut policy = usual();
    assert_eq!(policy.lookup(), None);
    answers(
        &mut policy,
        2,
        &["theme=dark", "sessionId=abc; Path=/; HttpOnly"],
    );
    asks("abc");
    assert_eq!(policy.lookup(), Some(2));
    assert!(testing::host(|host| host.advice.call_bind));
}

#[test]
fn a_session_that_nobody_knows_belongs_to_whoever_answers_it() {
    let mut policy = usual();
    asks("old");
    assert_eq!(policy.lookup(), None);
    answers(&mut policy, 1, &[]);
    assert_eq!(policy.lookup(), Some(1));
}

/// The seconds that a session lives without use.
fn idle(name: &str) -> Option<u32> {
    testing::host(|host| host.session_idle.get(name).copied())
}

#[test]
fn a_name_that_only_a_request_says_lives_shortly_until_it_is_used_again() {
    let mut policy = usual();
    asks("claimed");
    assert_eq!(policy.lookup(), None);
    answers(&mut policy, 1, &[]);
    assert_eq!(idle("claimed"), Some(60));
    assert_eq!(policy.lookup(), Some(1));
    answers(&mut policy, 1, &[]);
    assert_eq!(idle("claimed"), Some(3600));
    answers(&mut policy, 1, &["sessionId=named"]);
    assert_eq!(idle("named"), Some(3600));
    for (config, seconds) in [
        (r#"{"idle_s": 30}"#, 30),
        (r#"{"idle_s": 30, "claimed_idle_s": 5}"#, 5),
    ] {
        let mut policy = configure(config).unwrap();
        asks("claimed");
        answers(&mut policy, 1, &[]);
        assert_eq!(idle("claimed"), Some(seconds), "{config}");
    }
}

#[test]
fn a_server_that_answers_with_an_error_accepts_no_name() {
    let mut policy = usual();
    let mut ask = |status| {
        testing::host(|host| host.response.status = status);
        asks("claimed");
        answers(&mut policy, 1, &[]);
        idle("claimed")
    };
    assert_eq!([ask(401), ask(404), ask(503)], [None; 3]);
    assert_eq!(
        [ask(302), ask(403), ask(200)],
        [Some(60), Some(60), Some(3600)]
    );
    // An error ends no session either.
    assert_eq!(ask(500), Some(3600));
}

#[test]
fn a_session_that_gets_another_name_stays_where_it_is() {
    let mut policy = usual();
    answers(&mut policy, 2, &["sessionId=before"]);
    asks("before");
    assert_eq!(policy.lookup(), Some(2));
    answers(&mut policy, 2, &["sessionId=after"]);
    for name in ["before", "after"] {
        asks(name);
        assert_eq!(policy.lookup(), Some(2), "{name}");
    }
}

#[test]
fn a_session_that_the_application_ends_is_forgotten() {
    for line in [
        "sessionId=; Path=/",
        "sessionId=x; Max-Age=0",
        "sessionId=x; max-age=-1",
    ] {
        let mut policy = usual();
        answers(&mut policy, 2, &["sessionId=abc"]);
        asks("abc");
        answers(&mut policy, 2, &[line]);
        assert_eq!(policy.lookup(), None, "{line}");
    }
}

#[test]
fn another_cookie_or_a_header_can_be_followed() {
    let mut policy = configure(r#"{"cookie": "JSESSIONID"}"#).unwrap();
    answers(&mut policy, 1, &["JSESSIONID=\"j1\""]);
    testing::host(|host| host.cookie("JSESSIONID", "j1"));
    assert_eq!(policy.lookup(), Some(1));

    let mut policy = configure(r#"{"header": "Mcp-Session-Id"}"#).unwrap();
    testing::host(|host| {
        host.response.headers = vec![("mcp-session-id".into(), "m1".into())];
    });
    policy.bind(2);
    testing::host(|host| host.header("mcp-session-id", "m1"));
    assert_eq!(policy.lookup(), Some(2));
}

#[test]
fn a_long_name_is_kept_as_a_hash() {
    let long = "s".repeat(4000);
    let mut policy = usual();
    answers(&mut policy, 1, &[&format!("sessionId={long}")]);
    asks(&long);
    assert_eq!(policy.lookup(), Some(1));
    assert_eq!(key(&long).len(), 65);
    assert_ne!(key(&long), key(&"s".repeat(4001)));
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    for (config, key) in [
        (r#"{"cookie": "a b"}"#, "cookie"),
        (r#"{"header": ""}"#, "header"),
        (r#"{"cookie": "a", "header": "b"}"#, "header"),
        (r#"{"idle_s": 0}"#, "idle_s"),
        (r#"{"claimed_idle_s": 0}"#, "claimed_idle_s"),
        (r#"{"idle_s": 30, "claimed_idle_s": 31}"#, "claimed_idle_s"),
        (r#"{"idle": 1}"#, "idle"),
    ] {
        assert_eq!(configure(config).unwrap_err().key, key, "{config}");
    }
}

proptest! {
    #[test]
    fn any_set_cookie_is_survived(lines in prop::collection::vec(".*", 0..5)) {
        let mut policy = usual();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        answers(&mut policy, 0, &lines);
    }

    #[test]
    fn what_was_named_is_found(name in "[!#-+\\--:<-\\[\\]-~]{1,300}") {
        let mut policy = usual();
        answers(&mut policy, 7, &[&format!("sessionId={name}; Path=/")]);
        asks(&name);
        prop_assert_eq!(policy.lookup(), Some(7));
    }
}
