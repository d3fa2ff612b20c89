//! Which region is told of whom.

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, RequestPolicy, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Geo;

fn configure(config: &Value) -> Result<Geo, ConfigError> {
    testing::reset();
    Geo::configure(parse(&config.to_string())?)
}

/// What the header is rewritten to for a client at this address.
fn region(geo: &mut Geo, address: &str) -> Option<String> {
    testing::host(|host| {
        host.rewrites.headers.clear();
        host.request.client_address = address.into();
    });
    geo.check("GET", "localhost", "/");
    let (name, value) = testing::host(|host| host.rewrites.headers.pop()).unwrap();
    assert_eq!(name, "x-region");
    value
}

fn regions() -> Value {
    json!({
        "networks": {"eu": ["192.0.2.0/24", "2001:db8::/32"], "lab": ["192.0.2.128/25"]},
    })
}

#[test]
fn the_narrowest_network_says_the_region() {
    let mut geo = configure(&regions()).unwrap();
    let mut of = |address| region(&mut geo, address);
    assert_eq!(of("192.0.2.1").as_deref(), Some("eu"));
    assert_eq!(of("192.0.2.129").as_deref(), Some("lab"));
    assert_eq!(of("2001:db8::1").as_deref(), Some("eu"));
    assert_eq!(of("198.51.100.1"), None);
}

#[test]
fn every_other_client_has_the_default() {
    let mut config = regions();
    config["networks"]["rest"] = json!([]);
    config["default"] = "rest".into();
    let mut geo = configure(&config).unwrap();
    assert_eq!(region(&mut geo, "198.51.100.1").as_deref(), Some("rest"));
}

#[test]
fn a_country_that_a_proxy_tells_goes_before_the_address() {
    let mut config = regions();
    config["country_header"] = "CF-IPCountry".into();
    config["countries"] = json!({"us": ["US", "ca"]});
    let mut geo = configure(&config).unwrap();
    for (country, expected) in [("us", "us"), ("CA", "us"), ("FR", "eu")] {
        testing::host(|host| {
            host.request.headers.clear();
            host.header("cf-ipcountry", country);
        });
        assert_eq!(region(&mut geo, "192.0.2.1").as_deref(), Some(expected));
    }
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    for (config, key) in [
        (json!({}), "networks"),
        (json!({"networks": {"a b": []}}), "networks.a b"),
        (json!({"networks": {"a": ["x"]}}), "networks.a[0]"),
        (
            json!({"networks": {"a": ["10.0.0.0/8"], "b": ["10.0.0.0/8"]}}),
            "networks.b[0]",
        ),
        (json!({"countries": {"a": ["FR"]}}), "country_header"),
        (
            json!({"country_header": "c", "countries": {"a": ["FR"], "b": ["fr"]}}),
            "countries.b[0]",
        ),
        (json!({"networks": {"a": []}, "default": ""}), "default"),
        (json!({"networks": {"eu": []}, "default": "ue"}), "default"),
        (json!({"networks": {"a": []}, "header": "host"}), "header"),
        (json!({"networks": {"a": []}, "database": "x"}), "database"),
    ] {
        assert_eq!(configure(&config).unwrap_err().key, key, "{config}");
    }
}

#[test]
fn a_country_that_is_said_twice_is_not_believed() {
    let mut config = regions();
    config["country_header"] = "cf-ipcountry".into();
    config["countries"] = json!({"us": ["US"]});
    let mut geo = configure(&config).unwrap();
    testing::host(|host| {
        host.header("cf-ipcountry", "US");
        host.header("cf-ipcountry", "FR");
    });
    assert_eq!(region(&mut geo, "192.0.2.1").as_deref(), Some("eu"));
    testing::reset();
}

proptest! {
    #[test]
    fn no_header_makes_it_fail_or_say_nothing(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
    ) {
        let mut config = regions();
        config["country_header"] = "cf-ipcountry".into();
        config["countries"] = json!({"us": ["US"]});
        let mut geo = configure(&config).unwrap();
        testing::host(|host| {
            let values = values.iter().map(|value| ("cf-ipcountry".into(), value.clone()));
            host.request.headers = values.collect();
        });
        // That the header is rewritten is looked at there.
        region(&mut geo, "192.0.2.1");
        testing::reset();
    }

    #[test]
    fn what_a_client_says_of_itself_never_counts(claimed in "[a-z]{1,8}", address: u32) {
        let mut geo = configure(&regions()).unwrap();
        testing::host(|host| host.header("x-region", &claimed));
        let address = std::net::Ipv4Addr::from(address).to_string();
        let told = region(&mut geo, &address);
        prop_assert!(told.is_none() || address.starts_with("192.0.2."));
        testing::reset();
    }
}
