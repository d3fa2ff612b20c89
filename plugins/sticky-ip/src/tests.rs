//! Which clients stay where.

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{Affinity, ConfigError, parse};
use proptest::prelude::*;

use super::StickyIp;

fn configure(config: &str) -> Result<StickyIp, ConfigError> {
    testing::reset();
    StickyIp::configure(parse(config)?)
}

fn from(address: &str) {
    testing::host(|host| host.request.client_address = address.into());
}

#[test]
fn a_client_goes_back_to_who_answered_it() {
    let mut policy = configure("{}").unwrap();
    assert_eq!(policy.lookup(), None);
    policy.bind(3);
    assert_eq!(policy.lookup(), Some(3));
    from("192.0.2.2");
    assert_eq!(policy.lookup(), None);
}

#[test]
fn a_network_of_the_sixth_family_is_one_client_unless_it_is_said() {
    for (config, expected) in [("{}", Some(1)), (r#"{"ipv6_prefix": 128}"#, None)] {
        let mut policy = configure(config).unwrap();
        from("2001:db8::1");
        policy.bind(1);
        from("2001:db8::2");
        assert_eq!(policy.lookup(), expected);
    }
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    for (config, key) in [
        (r#"{"idle_s": 0}"#, "idle_s"),
        (r#"{"idle_s": "1h"}"#, "idle_s"),
        (r#"{"ipv6_prefix": 0}"#, "ipv6_prefix"),
        (r#"{"ipv6_prefix": 129}"#, "ipv6_prefix"),
        (r#"{"cookie": "a"}"#, "cookie"),
    ] {
        assert_eq!(configure(config).unwrap_err().key, key, "{config}");
    }
}

proptest! {
    #[test]
    fn each_client_has_a_session_of_its_own(one: u32, other: u32) {
        prop_assume!(one != other);
        let mut policy = configure("{}").unwrap();
        for (address, slot) in [(one, 1), (other, 2)] {
            from(&std::net::Ipv4Addr::from(address).to_string());
            policy.bind(slot);
        }
        from(&std::net::Ipv4Addr::from(one).to_string());
        prop_assert_eq!(policy.lookup(), Some(1));
    }
}
