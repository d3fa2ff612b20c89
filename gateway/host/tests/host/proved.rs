//! Every plugin that is shipped has a property that its component is held to.

use std::collections::BTreeMap;
use std::path::Path;

use gatewright_host::defaults;
use gatewright_model::role::Role;

/// Each plugin and its property, a test of that name.
const PROPERTIES: &str = "
ab-split: ab_split_keeps_each_client_where_it_is_and_its_shares
access: access_goes_by_the_first_network_around_a_client
adaptive: every_default_balancer_picks_eligible_servers_that_were_not_tried
auth: auth_lets_the_right_tokens_in_and_no_others
consistent-hash: every_default_balancer_picks_eligible_servers_that_were_not_tried
first: every_default_balancer_picks_eligible_servers_that_were_not_tried
geo: geo_tells_the_region_of_the_narrowest_network_around_a_client
headers: headers_edits_a_request_as_it_is_told_and_not_otherwise
ip-hash: every_default_balancer_picks_eligible_servers_that_were_not_tried
least-connections: every_default_balancer_picks_eligible_servers_that_were_not_tried
path-router: the_default_router_names_a_pool_that_exists_and_the_same_for_the_same_request
peak-ewma: every_default_balancer_picks_eligible_servers_that_were_not_tried
power-of-two: every_default_balancer_picks_eligible_servers_that_were_not_tried
prequal: every_default_balancer_picks_eligible_servers_that_were_not_tried
rate-limit: rate_limit_admits_exactly_its_burst_while_the_clock_stands
round-robin: every_default_balancer_picks_eligible_servers_that_were_not_tried
sticky-cookie: every_default_affinity_leads_a_client_to_its_server_or_nowhere
sticky-ip: every_default_affinity_leads_a_client_to_its_server_or_nowhere
sticky-learn: every_default_affinity_leads_a_client_to_its_server_or_nowhere
validate: validate_refuses_what_is_beyond_its_limits_and_nothing_else
weighted: every_default_balancer_picks_eligible_servers_that_were_not_tried
weighted-random: every_default_balancer_picks_eligible_servers_that_were_not_tried
zone: every_default_balancer_picks_eligible_servers_that_were_not_tried
";

const BALANCERS: &str = include_str!("balancers.rs");

/// Where the properties are.
const TEXTS: [&str; 5] = [
    include_str!("affinities.rs"),
    BALANCERS,
    include_str!("networks.rs"),
    include_str!("policies.rs"),
    include_str!("routes.rs"),
];

/// Each plugin with its property.
fn properties() -> BTreeMap<&'static str, &'static str> {
    let lines = PROPERTIES.lines();
    lines.filter_map(|line| line.split_once(": ")).collect()
}

#[test]
fn every_plugin_that_is_shipped_has_a_property_and_no_other_has() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist/manifest.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    let shipped = manifest.lines().filter_map(|line| {
        let name = line.strip_prefix("[plugins.")?;
        name.strip_suffix(']')
    });
    let mut shipped: Vec<&str> = shipped.collect();
    shipped.sort_unstable();
    let proved: Vec<&str> = properties().into_keys().collect();
    assert_eq!(shipped, proved);
}

#[test]
fn every_property_is_a_test_that_asks_its_plugin() {
    for (plugin, property) in properties() {
        let test = format!("    #[test]\n    fn {property}(");
        let mut texts = TEXTS.into_iter();
        let text = texts.find(|text| text.contains(&test));
        let text = text.unwrap_or_else(|| panic!("{plugin}: there is no test {property}"));
        let asks_it = match text == BALANCERS {
            // It asks all that have this role and no other.
            true => defaults()
                .iter()
                .any(|known| known.name == plugin && known.roles() == [Role::Balancer]),
            false => text.contains(&format!("\"{plugin}\"")),
        };
        assert!(asks_it, "{plugin}: {property}");
    }
}
