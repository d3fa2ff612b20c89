//! What clients within and beyond the limit can expect.

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, RequestPolicy, Verdict, parse};
use proptest::prelude::*;

use super::{Rate, RateLimit};

const SECOND: u64 = 1_000_000_000;

fn configure(config: &str) -> Result<RateLimit, ConfigError> {
    testing::reset();
    RateLimit::configure(parse(config)?)
}

fn limit(config: &str) -> RateLimit {
    configure(config).unwrap()
}

fn get(limit: &mut RateLimit, path: &str) -> u16 {
    testing::host(|host| host.response = Default::default());
    match limit.check("GET", "localhost", path) {
        Verdict::Proceed => 200,
        Verdict::Answer(status) => status,
    }
}

fn told(name: &str) -> Option<String> {
    testing::host(|host| {
        let mut headers = host.response.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    })
}

fn from(address: &str) {
    testing::host(|host| host.request.client_address = address.into());
}

#[test]
fn a_burst_goes_on_and_what_is_beyond_it_waits() {
    let mut limit = limit(r#"{"rate": "2/s", "burst": 3}"#);
    for left in [2, 1, 0] {
        assert_eq!(get(&mut limit, "/"), 200);
        assert!(
            told("ratelimit")
                .unwrap()
                .starts_with(&format!("\"default\";r={left};"))
        );
        assert_eq!(told("ratelimit-policy").unwrap(), "\"default\";q=3;w=2");
    }
    assert_eq!(get(&mut limit, "/"), 429);
    assert_eq!(told("retry-after").unwrap(), "1");
    assert_eq!(told("ratelimit").unwrap(), "\"default\";r=0;t=1");
    testing::host(|host| host.now += SECOND / 2);
    assert_eq!(get(&mut limit, "/"), 200);
    assert_eq!(get(&mut limit, "/"), 429);
}

#[test]
fn clients_do_not_share_a_limit_and_networks_of_the_sixth_family_do() {
    let mut limit = limit(r#"{"rate": "1/h"}"#);
    assert_eq!(get(&mut limit, "/"), 200);
    assert_eq!(get(&mut limit, "/"), 429);
    from("192.0.2.2");
    assert_eq!(get(&mut limit, "/"), 200);
    from("2001:db8::1");
    assert_eq!(get(&mut limit, "/"), 200);
    from("2001:db8::2");
    assert_eq!(get(&mut limit, "/"), 429);
}

#[test]
fn a_key_of_the_clients_own_counts_and_without_it_the_address_does() {
    let mut limit = limit(r#"{"rate": "1/h", "key": "header:X-Api-Key"}"#);
    testing::host(|host| host.header("x-api-key", "one"));
    assert_eq!(get(&mut limit, "/"), 200);
    from("192.0.2.2");
    assert_eq!(get(&mut limit, "/"), 429);
    testing::host(|host| host.request.headers.clear());
    assert_eq!(get(&mut limit, "/"), 200);
    assert_eq!(get(&mut limit, "/"), 429);
}

#[test]
fn keys_that_begin_alike_have_limits_of_their_own() {
    let mut limit = limit(r#"{"rate": "1/h", "key": "header:X-Api-Key"}"#);
    for (end, status) in [("1", 200), ("2", 200), ("1", 429), ("2", 429)] {
        testing::host(|host| {
            host.request.headers.clear();
            host.header("x-api-key", &("k".repeat(300) + end));
        });
        assert_eq!(get(&mut limit, "/"), status, "{end}");
    }
}

#[test]
fn an_exemption_is_for_the_path_as_it_is_written() {
    let mut limit = limit(r#"{"rate": "1/h", "exempt": {"paths": ["/assets/*", "/*.css"]}}"#);
    assert_eq!(get(&mut limit, "/assets/a%20b.css"), 200);
    assert_eq!(get(&mut limit, "/orders;a.css"), 200);
    assert_eq!(get(&mut limit, "/orders;a.css"), 429);
}

#[test]
fn what_is_exempt_is_not_counted() {
    let mut limit =
        limit(r#"{"rate": "1/h", "exempt": {"networks": ["10.0.0.0/8"], "paths": ["/assets/*"]}}"#);
    for _ in 0..3 {
        assert_eq!(get(&mut limit, "/assets/a.css"), 200);
    }
    assert_eq!(get(&mut limit, "/"), 200);
    assert_eq!(get(&mut limit, "/"), 429);
    from("10.1.2.3");
    assert_eq!(get(&mut limit, "/"), 200);
    assert_eq!(told("ratelimit"), None);
}

#[test]
fn clients_are_told_nothing_where_that_is_wanted() {
    let mut limit = limit(r#"{"rate": "1/h", "headers": false}"#);
    assert_eq!(get(&mut limit, "/"), 200);
    assert_eq!(get(&mut limit, "/"), 429);
    assert_eq!(told("ratelimit"), None);
    assert_eq!(told("retry-after").unwrap(), "3600");
}

#[test]
fn rates_have_spans() {
    let rate = |text| Rate::parse(text).map(Rate::per_second).ok();
    assert_eq!(rate("10/s"), Some(10.0));
    assert_eq!(rate("30/minute"), Some(0.5));
    assert_eq!(rate("3600/h"), Some(1.0));
    for text in ["", "10", "0/s", "-1/s", "1.5/s", "10/d"] {
        assert_eq!(rate(text), None, "{text}");
    }
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    for (config, key) in [
        (r#"{}"#, ""),
        (r#"{"rate": "often"}"#, "rate"),
        (r#"{"rate": "1/s", "burst": 0}"#, "burst"),
        (r#"{"rate": "1/s", "key": "address"}"#, "key"),
        (r#"{"rate": "1/s", "ipv6_prefix": 0}"#, "ipv6_prefix"),
        (r#"{"rate": "1/s", "name": "a\"b"}"#, "name"),
        (
            r#"{"rate": "1/s", "exempt": {"paths": ["a"]}}"#,
            "exempt.paths[0]",
        ),
        (
            r#"{"rate": "1/s", "exempt": {"networks": ["a"]}}"#,
            "exempt.networks[0]",
        ),
        (r#"{"rate": "1/s", "limit": 1}"#, "limit"),
    ] {
        assert_eq!(configure(config).unwrap_err().key, key, "{config}");
    }
}

proptest! {
    #[test]
    fn never_more_than_the_burst_and_what_the_rate_gives(
        burst in 1_u32..50,
        rate in 1_u32..100,
        pauses in prop::collection::vec(0_u64..200_000_000, 1..200),
    ) {
        let mut limit = limit(&format!(r#"{{"rate": "{rate}/s", "burst": {burst}}}"#));
        let mut admitted = 0;
        for pause in &pauses {
            testing::host(|host| host.now += pause);
            admitted += u32::from(get(&mut limit, "/") == 200);
        }
        let seconds = pauses.iter().sum::<u64>() as f64 / SECOND as f64;
        let most = f64::from(burst) + seconds * f64::from(rate);
        prop_assert!(f64::from(admitted) <= most + 1e-6, "{admitted} > {most}");
        prop_assert!(admitted >= burst.min(pauses.len() as u32));
    }
}
