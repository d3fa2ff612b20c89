//! Of whom something is believed: networks, and whoever connects to a Unix
//! socket, who is on the same machine and has no address.

use std::net::IpAddr;

use ipnet::IpNet;

/// Those at the other end of connections who are believed something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peers {
    /// Those with an address.
    pub networks: Vec<IpNet>,
    /// Whether whoever connects to a Unix socket is one of them: its file's mode
    /// says who may.
    pub unix: bool,
}

impl Peers {
    /// Whether they are nobody.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether somebody is one of them who connects from this address; without
    /// one, by a Unix socket.
    pub fn has(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.networks.iter().any(|one| one.contains(&address)),
            None => self.unix,
        }
    }
}
