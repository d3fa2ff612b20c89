//! The key of a pick: a hash that is the same on every worker, in every gateway
//! and after a restart (XXH3, 64 bits).

use std::net::IpAddr;

use gatewright_model::config::HashKey;
use xxhash_rust::xxh3::xxh3_64;

use crate::facts::Facts;
use gatewright_host::ExchangeView;

/// What the pool hashes by, hashed. An absent header or cookie falls back to
/// the client's address, so that such clients are still spread.
pub(crate) fn key(by: &HashKey, facts: &Facts) -> u64 {
    let client = || address(facts.client_address());
    match by {
        HashKey::ClientAddress => client(),
        HashKey::Header(name) => facts.header(name, 0).map_or_else(client, xxh3_64),
        HashKey::Cookie(name) => {
            let cookie = facts.cookie(name).map(str::as_bytes);
            cookie.map_or_else(client, xxh3_64)
        }
        HashKey::Path => xxh3_64(facts.path().as_bytes()),
    }
}

/// The key of a client's picks in a pool that hashes by its address.
pub fn address(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => xxh3_64(&v4.octets()),
        IpAddr::V6(v6) => xxh3_64(&v6.octets()),
    }
}
