//! From an endpoint's host to the addresses to connect to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use gatewright_model::endpoint::Endpoint;

/// Look up where an endpoint is and note it in its state. A literal address
/// needs no look-up; a name is asked of the system's resolver, on a thread that
/// may block. Where a look-up fails, the addresses known before stay.
pub async fn resolve(endpoint: &Endpoint) -> io::Result<()> {
    let addresses = match endpoint.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, endpoint.port)],
        Err(_) => tokio::net::lookup_host((&*endpoint.host, endpoint.port))
            .await?
            .collect(),
    };
    if **endpoint.state.addresses.load() != addresses {
        endpoint.state.addresses.store(Arc::new(addresses));
    }
    Ok(())
}
