//! From an endpoint's host to the addresses to connect to.

use std::io;
use std::sync::Arc;

use gatewright_model::address::Address;
use gatewright_model::endpoint::Endpoint;

/// Look up where an endpoint is and note it in its state. A literal address or
/// a Unix socket needs no look-up; a name is asked of the system's resolver, on a thread that
/// may block. Where a look-up fails, the addresses known before stay.
pub async fn resolve(endpoint: &Endpoint) -> io::Result<()> {
    let addresses = match Address::literal(&endpoint.host, endpoint.port) {
        Some(address) => vec![address],
        None => tokio::net::lookup_host((&*endpoint.host, endpoint.port))
            .await?
            .map(Address::Ip)
            .collect(),
    };
    if **endpoint.state.addresses.load() != addresses {
        endpoint.state.addresses.store(Arc::new(addresses));
    }
    Ok(())
}
