//! The default policies that go by a client's address, asked through their
//! components: networks are given at random, and clients are at their borders.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use gatewright_host::{Edit, Verdict};
use proptest::prelude::*;

use crate::exchange::Exchange;
use crate::policies::{bound, check, throughout};
use crate::turns::turns;

/// A network by its first address and the bits that all of its addresses share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Network {
    first: u32,
    bits: u8,
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

impl Network {
    fn contains(self, client: u32) -> bool {
        client & mask(self.bits) == self.first
    }

    /// Its first and its last address, and the ones beside them.
    fn borders(self) -> [u32; 4] {
        let last = self.first | !mask(self.bits);
        let (before, after) = (self.first.wrapping_sub(1), last.wrapping_add(1));
        [before, self.first, last, after]
    }

    fn written(self) -> String {
        format!("\"{}/{}\"", Ipv4Addr::from(self.first), self.bits)
    }
}

fn network() -> impl Strategy<Value = Network> {
    (any::<u32>(), 0..=32_u8).prop_map(|(address, bits)| Network {
        first: address & mask(bits),
        bits,
    })
}

fn action(denies: bool) -> &'static str {
    match denies {
        true => "deny",
        false => "allow",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..ProptestConfig::default() })]

    #[test]
    fn access_goes_by_the_first_network_around_a_client(
        turns in turns(),
        rules in prop::collection::vec((network(), any::<bool>()), 1..6),
        others_denied in any::<bool>(),
        strangers in prop::collection::vec(any::<u32>(), 8),
    ) {
        let written = rules.iter().map(|(network, denies)| {
            let (action, network) = (action(*denies), network.written());
            format!("{{ action = \"{action}\", network = {network} }}")
        });
        let written: Vec<String> = written.collect();
        let (otherwise, written) = (action(others_denied), written.join(", "));
        let policy = bound("access", &format!("default = \"{otherwise}\"\nrules = [{written}]"));
        let borders = rules.iter().flat_map(|(network, _)| network.borders());
        let clients: Vec<u32> = borders.chain(strangers).collect();
        throughout(&turns, &policy, |rig, worker| {
            for client in &clients {
                let rule = rules.iter().find(|(network, _)| network.contains(*client));
                let expected = match rule.map_or(others_denied, |(_, denies)| *denies) {
                    true => Verdict::Answer(403),
                    false => Verdict::Proceed,
                };
                let (verdict, _) = check(rig, worker, Exchange::new(*client, "/"));
                assert_eq!(verdict, expected, "{}", Ipv4Addr::from(*client));
            }
        });
    }

    #[test]
    fn geo_tells_the_region_of_the_narrowest_network_around_a_client(
        turns in turns(),
        table in prop::collection::vec((network(), 0..3_usize), 1..8),
        has_default in any::<bool>(),
        strangers in prop::collection::vec(any::<u32>(), 8),
    ) {
        // A network is one region's.
        let table: BTreeMap<Network, usize> = table.into_iter().collect();
        let regions = (0..3).map(|region| {
            let own = table.iter().filter(|(_, known)| **known == region);
            let own: Vec<String> = own.map(|(network, _)| network.written()).collect();
            format!("r{region} = [{}]", own.join(", "))
        });
        let regions: Vec<String> = regions.collect();
        let default = if has_default { "default = \"r2\"\n" } else { "" };
        let policy = bound("geo", &format!("{default}networks = {{ {} }}", regions.join(", ")));
        let borders = table.keys().flat_map(|network| network.borders());
        let clients: Vec<u32> = borders.chain(strangers).collect();
        throughout(&turns, &policy, |rig, worker| {
            for client in &clients {
                let around = table.iter().filter(|(network, _)| network.contains(*client));
                let narrowest = around.max_by_key(|(network, _)| network.bits);
                let region = narrowest.map(|(_, region)| *region);
                let expected = match region.or(has_default.then_some(2)) {
                    Some(region) => Edit::SetRequestHeader {
                        name: "x-region".into(),
                        value: format!("r{region}"),
                    },
                    // What the client claims is not passed on.
                    None => Edit::RemoveRequestHeader("x-region".into()),
                };
                let claiming = Exchange::new(*client, "/").with("x-region", "r0");
                let answer = check(rig, worker, claiming);
                assert_eq!(answer, (Verdict::Proceed, vec![expected]), "{client:x}");
            }
        });
    }
}
