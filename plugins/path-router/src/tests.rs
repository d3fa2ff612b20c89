//! What a router's author can expect of the table they wrote.

mod effects;
mod model;
mod refusals;

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, Decision, Router, parse};
use serde_json::{Value, json};

use super::PathRouter;

/// The pools that every test knows; a pool's index is its place here.
const POOLS: [&str; 4] = ["web", "api", "shop", "new"];

fn configure(config: &Value) -> Result<PathRouter, ConfigError> {
    testing::reset();
    testing::host(|host| {
        for name in POOLS {
            host.pool(name, 1);
        }
    });
    PathRouter::configure(parse(&config.to_string())?)
}

fn router(config: &Value) -> PathRouter {
    configure(config).unwrap()
}

/// Where a GET of this path goes.
fn get(router: &mut PathRouter, path: &str) -> &'static str {
    get_from(router, "localhost", path)
}

fn get_from(router: &mut PathRouter, authority: &str, path: &str) -> &'static str {
    pool(router.route("GET", authority, path))
}

fn pool(decision: Decision) -> &'static str {
    match decision {
        Decision::Forward(index) => POOLS[index as usize],
        Decision::Answer(_) => "answer",
        Decision::Unmatched => "unmatched",
    }
}

#[test]
fn exact_then_longest_prefix_then_regex_then_everything() {
    let mut router = router(&json!({"routes": [
        {"path": "/*", "pool": "web"},
        {"path": "~^/v[0-9]+/", "pool": "new"},
        {"path": "/api/*", "pool": "api"},
        {"path": "/api/shop/*", "pool": "shop"},
        {"path": "/api/shop/about", "pool": "web"},
    ]}));
    assert_eq!(get(&mut router, "/api/shop/about"), "web");
    assert_eq!(get(&mut router, "/api/shop/1"), "shop");
    assert_eq!(get(&mut router, "/api/shops"), "api");
    assert_eq!(get(&mut router, "/v2/x"), "new");
    assert_eq!(get(&mut router, "/else"), "web");
}

#[test]
fn a_wildcard_that_refines_a_prefix_goes_before_it() {
    let mut router = router(&json!({"routes": [
        {"path": "/users/*", "pool": "web"},
        {"path": "/users/*/orders", "pool": "shop"},
        {"path": "/*/orders", "pool": "new"},
    ]}));
    assert_eq!(get(&mut router, "/users/7/orders"), "shop");
    assert_eq!(get(&mut router, "/users/7"), "web");
    assert_eq!(get(&mut router, "/users/orders"), "web");
    assert_eq!(get(&mut router, "/clients/orders"), "new");
}

#[test]
fn a_host_of_its_own_goes_before_a_wildcard_before_none() {
    let mut router = router(&json!({"routes": [
        {"path": "/exact", "pool": "web"},
        {"host": "*.example.com", "pool": "shop"},
        {"host": ["a.example.com", "b.example.com"], "pool": "api"},
        {"host": "*.a.example.com", "pool": "new"},
    ]}));
    assert_eq!(get_from(&mut router, "a.example.com:8443", "/exact"), "api");
    assert_eq!(get_from(&mut router, "b.example.com", "/"), "api");
    assert_eq!(get_from(&mut router, "c.example.com", "/exact"), "shop");
    assert_eq!(get_from(&mut router, "x.a.example.com", "/exact"), "new");
    assert_eq!(get_from(&mut router, "example.com", "/exact"), "web");
    assert_eq!(get_from(&mut router, "example.com", "/"), "unmatched");
}

#[test]
fn more_conditions_go_before_fewer() {
    let mut router = router(&json!({"routes": [
        {"path": "/*", "pool": "web"},
        {"path": "/*", "headers": {"X-Beta": "*"}, "pool": "api"},
        {"path": "/*", "headers": {"X-Beta": "~^[12]$"}, "query": {"v": "a b"}, "pool": "shop"},
        {"path": "/*", "method": ["POST", "PUT"], "pool": "new"},
    ]}));
    assert_eq!(get(&mut router, "/"), "web");
    assert_eq!(pool(router.route("PUT", "localhost", "/")), "new");
    testing::host(|host| host.header("x-beta", "2"));
    assert_eq!(get(&mut router, "/"), "api");
    testing::host(|host| host.request.query = Some("u=1&v=a+b".into()));
    assert_eq!(get(&mut router, "/"), "shop");
}

#[test]
fn what_no_route_matches_goes_to_the_default_or_is_left_to_the_gateway() {
    assert_eq!(get(&mut router(&json!({"routes": []})), "/"), "unmatched");
    assert_eq!(get(&mut router(&json!({"default": "web"})), "/"), "web");
}
