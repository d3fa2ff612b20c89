//! Who gets which variant.

use std::collections::BTreeMap;

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, RequestPolicy, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::AbSplit;

fn configure(config: &Value) -> Result<AbSplit, ConfigError> {
    testing::reset();
    AbSplit::configure(parse(&config.to_string())?)
}

/// What the request's header is rewritten to, and the cookie that was set.
fn ask(split: &mut AbSplit, path: &str) -> (Option<String>, Option<String>) {
    split.check("GET", "localhost", path);
    testing::host(|host| {
        let (name, value) = host.rewrites.headers.pop().unwrap();
        assert_eq!(name, "x-variant");
        (value, host.response.cookies.pop())
    })
}

fn two(extra: &Value) -> Value {
    let mut config = json!({"name": "checkout", "variants": {"a": 3, "b": 1}});
    let config_of = config.as_object_mut().unwrap();
    config_of.extend(extra.as_object().unwrap().clone());
    config
}

#[test]
fn a_client_draws_once_and_its_cookie_leads_back() {
    let mut split = configure(&two(&json!({}))).unwrap();
    let (drawn, cookie) = ask(&mut split, "/");
    let drawn = drawn.unwrap();
    let expected =
        format!("gw_split_checkout={drawn}; Path=/; Max-Age=2592000; SameSite=Lax; HttpOnly");
    assert_eq!(cookie.unwrap(), expected);
    testing::host(|host| host.cookie("gw_split_checkout", &drawn));
    for _ in 0..20 {
        assert_eq!(ask(&mut split, "/"), (Some(drawn.clone()), None));
    }
}

#[test]
fn a_variant_that_has_ended_or_never_was_is_drawn_anew() {
    let ended = json!({"name": "checkout", "variants": {"a": 1, "b": 0}});
    let mut split = configure(&ended).unwrap();
    for claimed in ["b", "c", ""] {
        testing::host(|host| host.cookie("gw_split_checkout", claimed));
        let (variant, cookie) = ask(&mut split, "/");
        assert_eq!(variant.as_deref(), Some("a"));
        assert!(cookie.unwrap().starts_with("gw_split_checkout=a;"));
    }
}

#[test]
fn a_cookie_set_over_https_is_secure() {
    let mut split = configure(&two(&json!({"max_age_s": 60}))).unwrap();
    testing::host(|host| host.request.scheme = "https".into());
    let (_, cookie) = ask(&mut split, "/");
    let cookie = cookie.unwrap();
    assert!(
        cookie.contains("; Max-Age=60;") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[test]
fn what_takes_no_part_has_no_variant_whatever_it_claims() {
    let mut split = configure(&two(&json!({"path": "/shop/*"}))).unwrap();
    testing::host(|host| host.header("x-variant", "b"));
    assert_eq!(ask(&mut split, "/else"), (None, None));
    assert!(ask(&mut split, "/shop/a").0.is_some());
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    for (config, key) in [
        (json!({"variants": {"a": 1}}), ""),
        (json!({"name": "a b", "variants": {"a": 1}}), "name"),
        (json!({"name": "x", "variants": {}}), "variants"),
        (json!({"name": "x", "variants": {"a": 0}}), "variants"),
        (json!({"name": "x", "variants": {"a;": 1}}), "variants.a;"),
        (two(&json!({"by": "random"})), "by"),
        (
            two(&json!({"by": "client-address", "max_age_s": 1})),
            "max_age_s",
        ),
        (two(&json!({"header": "te"})), "header"),
        (two(&json!({"path": "a"})), "path[0]"),
        (two(&json!({"pools": {}})), "pools"),
    ] {
        assert_eq!(configure(&config).unwrap_err().key, key, "{config}");
    }
}

/// How many of many clients get each variant by their address.
fn shares_by_address(config: &Value) -> BTreeMap<String, u32> {
    let mut split = configure(config).unwrap();
    let mut shares = BTreeMap::new();
    for client in 0..4000_u32 {
        let address = std::net::Ipv4Addr::from(client).to_string();
        testing::host(|host| host.request.client_address = address);
        let (variant, cookie) = ask(&mut split, "/");
        assert_eq!(cookie, None);
        *shares.entry(variant.unwrap()).or_default() += 1;
    }
    shares
}

#[test]
fn shares_follow_the_weights() {
    let shares = shares_by_address(&two(&json!({"by": "client-address"})));
    assert!((900..1100).contains(&shares["b"]), "{shares:?}");
}

proptest! {
    #[test]
    fn by_hash_a_client_keeps_its_variant_on_every_worker(address: u32, name in "[a-z]{1,9}") {
        let config = json!({
            "name": name, "by": "client-address", "variants": {"a": 1, "b": 1, "c": 5},
        });
        let (mut one, mut other) = (configure(&config).unwrap(), configure(&config).unwrap());
        let address = std::net::Ipv4Addr::from(address).to_string();
        testing::host(|host| host.request.client_address = address);
        let first = ask(&mut one, "/").0;
        prop_assert_eq!(&first, &ask(&mut one, "/else").0);
        prop_assert_eq!(first, ask(&mut other, "/").0);
    }
}
