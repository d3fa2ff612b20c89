//! Who comes in.

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, RequestPolicy, Verdict, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Access;

fn configure(config: &Value) -> Result<Access, ConfigError> {
    testing::reset();
    Access::configure(parse(&config.to_string())?)
}

fn rules(rules: &Value) -> Access {
    configure(&json!({ "rules": rules })).unwrap()
}

fn ask(access: &mut Access, method: &str, path: &str) -> u16 {
    match access.check(method, "localhost", path) {
        Verdict::Proceed => 200,
        Verdict::Answer(status) => status,
    }
}

fn get(access: &mut Access, path: &str) -> u16 {
    ask(access, "GET", path)
}

fn from(address: &str) {
    testing::host(|host| host.request.client_address = address.into());
}

#[test]
fn the_first_rule_that_holds_decides() {
    let mut access = rules(&json!([
        {"action": "allow", "path": "/admin/*", "network": "10.0.0.0/8"},
        {"action": "deny", "path": "/admin/*"},
    ]));
    assert_eq!(get(&mut access, "/admin/users"), 403);
    assert_eq!(get(&mut access, "/shop"), 200);
    from("10.1.2.3");
    assert_eq!(get(&mut access, "/admin/users"), 200);
}

#[test]
fn no_spelling_of_a_path_leads_around_a_rule_or_into_an_exception() {
    let mut access = rules(&json!([
        {"action": "allow", "path": "/admin/health"},
        {"action": "deny", "path": "/admin/*"},
        {"action": "deny", "path": "/*", "method": "OPTIONS"},
    ]));
    assert_eq!(get(&mut access, "/admin/health"), 200);
    for path in [
        "/admin%2Fusers",
        "/ADMIN/users",
        "/admin;x/users",
        "/Admin/health",
        "/admin/health;x",
        "/admin%2Fhealth",
        "/admin/health%5C..%5Cusers",
    ] {
        assert_eq!(get(&mut access, path), 403, "{path}");
    }
    assert_eq!(ask(&mut access, "OPTIONS", "*"), 403);
}

#[test]
fn who_meets_no_rule_is_let_in_or_not_by_default() {
    let config =
        json!({"default": "deny", "rules": [{"action": "allow", "method": ["GET", "HEAD"]}]});
    let mut access = configure(&config).unwrap();
    assert_eq!(get(&mut access, "/"), 200);
    assert_eq!(ask(&mut access, "DELETE", "/"), 403);
}

#[test]
fn a_network_can_be_left_out() {
    let mut access = rules(&json!([
        {"action": "deny", "network": "0.0.0.0/0", "not_network": ["192.0.2.0/24"], "status": 404},
    ]));
    assert_eq!(get(&mut access, "/"), 200);
    from("198.51.100.1");
    assert_eq!(get(&mut access, "/"), 404);
}

#[test]
fn agents_are_matched_by_text_by_expression_and_by_absence() {
    let mut access = rules(&json!([
        {"action": "deny", "user_agent": ["~(?i)sqlmap|nikto", "bot/1", ""]},
    ]));
    assert_eq!(get(&mut access, "/"), 403);
    for (agent, status) in [
        ("SQLMap/1.7", 403),
        ("bot/1", 403),
        ("bot/10", 200),
        ("curl", 200),
    ] {
        testing::reset();
        testing::host(|host| host.header("user-agent", agent));
        assert_eq!(get(&mut access, "/"), status, "{agent}");
    }
    testing::reset();
}

#[test]
fn headers_and_declared_sizes_are_looked_at() {
    let mut access = rules(&json!([
        {"action": "deny", "body_over": "1KiB"},
        {"action": "deny", "headers": {"X-Region": "~^(aq|xx)$"}, "status": 451},
    ]));
    assert_eq!(get(&mut access, "/"), 200);
    testing::host(|host| host.header("content-length", "1024"));
    assert_eq!(get(&mut access, "/"), 200);
    testing::host(|host| {
        host.request.headers.clear();
        host.header("content-length", "1025");
    });
    assert_eq!(get(&mut access, "/"), 413);
    testing::host(|host| {
        host.request.headers.clear();
        host.header("x-region", "aq");
    });
    assert_eq!(get(&mut access, "/"), 451);
    testing::reset();
}

#[test]
fn all_values_of_a_header_count_and_one_that_is_no_text_is_denied() {
    let with = |access: &mut Access, name: &str, values: &[&[u8]]| {
        testing::reset();
        testing::host(|host| {
            let values = values.iter().map(|value| (name.into(), value.to_vec()));
            host.request.headers = values.collect();
        });
        get(access, "/")
    };
    let mut denies = rules(&json!([
        {"action": "deny", "headers": {"X-Region": "aq"}},
        {"action": "deny", "user_agent": "~bot"},
    ]));
    for (name, values, status) in [
        ("x-region", &[&b"eu"[..], b"aq"][..], 403),
        ("x-region", &[b"eu", b"\xFF"], 403),
        ("x-region", &[b"eu", b"us"], 200),
        ("user-agent", &[b"curl", b"bot"], 403),
        ("user-agent", &[b"\xFFbot"], 403),
        ("user-agent", &[b"curl"], 200),
    ] {
        assert_eq!(with(&mut denies, name, values), status, "{values:?}");
    }
    let mut allows = configure(&json!({"default": "deny", "rules": [
        {"action": "allow", "headers": {"X-Key": "*"}},
        {"action": "allow", "user_agent": ["curl", "wget"]},
    ]}))
    .unwrap();
    for (name, values, status) in [
        ("x-key", &[&b"a"[..], b"b"][..], 200),
        ("x-key", &[b"\xFF"], 403),
        ("user-agent", &[b"curl", b"wget"], 200),
        ("user-agent", &[b"curl", b"bot"], 403),
        ("user-agent", &[b"\xFF"], 403),
        ("user-agent", &[], 403),
    ] {
        assert_eq!(with(&mut allows, name, values), status, "{values:?}");
    }
    testing::reset();
}

#[test]
fn a_bad_rule_is_refused_at_its_key() {
    for (rule, key) in [
        (json!({}), "rules[0]"),
        (json!({"action": "drop"}), "rules[0].action"),
        (
            json!({"action": "deny", "network": "10.0.0.0/99"}),
            "rules[0].network[0]",
        ),
        (
            json!({"action": "deny", "not_network": ["x"]}),
            "rules[0].not_network[0]",
        ),
        (
            json!({"action": "deny", "path": "admin"}),
            "rules[0].path[0]",
        ),
        (
            json!({"action": "deny", "method": "get"}),
            "rules[0].method",
        ),
        (
            json!({"action": "deny", "user_agent": "~("}),
            "rules[0].user_agent",
        ),
        (
            json!({"action": "deny", "headers": {"a": "~("}}),
            "rules[0].headers.a",
        ),
        (
            json!({"action": "deny", "body_over": "much"}),
            "rules[0].body_over",
        ),
        (json!({"action": "deny", "status": 200}), "rules[0].status"),
        (json!({"action": "allow", "status": 403}), "rules[0].status"),
        (
            json!({"action": "deny", "cidr": "10.0.0.0/8"}),
            "rules[0].cidr",
        ),
    ] {
        let error = configure(&json!({ "rules": [rule] })).unwrap_err();
        assert_eq!(error.key, key, "{rule}");
    }
}

proptest! {
    #[test]
    fn an_address_comes_in_if_and_only_if_its_network_is_listed(address: u32, length in 0_u8..=32) {
        let network = "203.0.113.0".parse::<std::net::Ipv4Addr>().unwrap();
        let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
        let mut access = configure(&json!({"default": "deny", "rules": [
            {"action": "allow", "network": format!("{network}/{length}")},
        ]})).unwrap();
        from(&std::net::Ipv4Addr::from(address).to_string());
        let is_inside = address & mask == u32::from(network) & mask;
        prop_assert_eq!(get(&mut access, "/") == 200, is_inside);
        testing::reset();
    }
}
