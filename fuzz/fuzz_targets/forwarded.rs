//! The client's address: of the peer, unless the peer is trusted.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use gatewright_wire::forwarded::client_address;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|values: Vec<&[u8]>| {
    let peer = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_eq!(client_address(peer, &values, |_| false), peer);
    let trusts_peer_only = |address: Option<IpAddr>| address == peer;
    let client = client_address(peer, &values, trusts_peer_only);
    assert_eq!(client, client.map(|client| client.to_canonical()));
});
