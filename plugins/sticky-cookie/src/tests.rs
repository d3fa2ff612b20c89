//! What a client and its cookie can expect.

use gatewright_plugin_sdk::testing::{self, endpoint};
use gatewright_plugin_sdk::{Affinity, ConfigError, parse};
use proptest::prelude::*;

use super::StickyCookie;

fn policy(config: &str, slots: u32) -> StickyCookie {
    let mut policy = StickyCookie::configure(parse(config).unwrap()).unwrap();
    policy.update((0..slots).map(|slot| endpoint(slot, 1)).collect());
    policy
}

fn refusal(config: &str) -> ConfigError {
    match parse(config) {
        Err(error) => error,
        Ok(config) => StickyCookie::configure(config).unwrap_err(),
    }
}

/// The `Set-Cookie` that a client gets when this slot answers.
fn bound(policy: &mut StickyCookie, slot: u32) -> String {
    testing::reset();
    policy.bind(slot);
    testing::host(|host| host.response.cookies.pop()).unwrap()
}

fn value(cookie: &str) -> String {
    let (_, rest) = cookie.split_once('=').unwrap();
    rest.split(';').next().unwrap().to_owned()
}

const SIGNED: &str = r#"{"secret": "correct horse battery staple"}"#;

#[test]
fn without_a_cookie_there_is_no_session() {
    testing::reset();
    assert_eq!(policy("{}", 3).lookup(), None);
}

#[test]
fn the_cookie_leads_back_even_after_a_restart() {
    for config in ["{}", SIGNED] {
        let cookie = bound(&mut policy(config, 5), 3);
        testing::host(|host| host.cookie("gw_session", &value(&cookie)));
        assert_eq!(policy(config, 5).lookup(), Some(3));
    }
    testing::reset();
}

#[test]
fn the_cookie_of_a_server_that_left_is_no_session() {
    let cookie = bound(&mut policy("{}", 5), 4);
    testing::host(|host| host.cookie("gw_session", &value(&cookie)));
    assert_eq!(policy("{}", 4).lookup(), None);
    testing::reset();
}

#[test]
fn a_signed_session_cannot_be_made_without_the_secret() {
    let unsigned = value(&bound(&mut policy("{}", 2), 1));
    let other = value(&bound(
        &mut policy(r#"{"secret": "another secret, long enough"}"#, 2),
        1,
    ));
    let signed = value(&bound(&mut policy(SIGNED, 2), 1));
    let mut altered = signed.clone();
    altered.pop();
    for forged in [unsigned, other, altered, signed + "0"] {
        testing::host(|host| host.cookie("gw_session", &forged));
        assert_eq!(policy(SIGNED, 2).lookup(), None, "{forged}");
    }
    testing::reset();
}

#[test]
fn the_cookie_does_not_tell_the_address() {
    let cookie = bound(&mut policy(SIGNED, 2), 1);
    assert!(
        !cookie.contains("10.0") && !cookie.contains("8080"),
        "{cookie}"
    );
}

#[test]
fn attributes_are_as_configured() {
    let cookie = bound(&mut policy("{}", 1), 0);
    assert!(cookie.starts_with("gw_session="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; SameSite=Lax; HttpOnly"),
        "{cookie}"
    );
    let config = r#"{"name": "s", "path": "/shop", "domain": "example.com", "max_age_s": 60,
        "secure": true, "same_site": "strict", "http_only": false}"#;
    let cookie = bound(&mut policy(config, 1), 0);
    assert!(cookie.starts_with("s="), "{cookie}");
    let attributes = "; Path=/shop; Domain=example.com; Max-Age=60; SameSite=Strict; Secure";
    assert!(cookie.ends_with(attributes), "{cookie}");
}

#[test]
fn a_cookie_set_over_https_is_secure_by_itself() {
    testing::reset();
    testing::host(|host| host.request.scheme = "https".into());
    policy("{}", 1).bind(0);
    let cookie = testing::host(|host| host.response.cookies.pop()).unwrap();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    testing::reset();
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    assert_eq!(refusal(r#"{"name": "a b"}"#).key, "name");
    assert_eq!(refusal(r#"{"path": "shop"}"#).key, "path");
    assert_eq!(refusal(r#"{"domain": "a;b"}"#).key, "domain");
    assert_eq!(refusal(r#"{"secret": "short"}"#).key, "secret");
    assert_eq!(refusal(r#"{"secure": "yes"}"#).key, "secure");
    assert_eq!(
        refusal(r#"{"same_site": "none", "secure": false}"#).key,
        "secure"
    );
    assert_eq!(refusal(r#"{"max_age": 1}"#).key, "max_age");
}

proptest! {
    #[test]
    fn any_text_in_the_cookie_is_survived(text in ".*") {
        testing::host(|host| host.cookie("gw_session", &text));
        prop_assert_eq!(policy(SIGNED, 3).lookup(), None);
    }

    #[test]
    fn every_endpoint_has_a_value_of_its_own(slots in 1_u32..600) {
        let mut policy = policy("{}", slots);
        for slot in [0, slots / 2, slots - 1] {
            let cookie = bound(&mut policy, slot);
            testing::host(|host| host.cookie("gw_session", &value(&cookie)));
            prop_assert_eq!(policy.lookup(), Some(slot));
        }
    }
}
