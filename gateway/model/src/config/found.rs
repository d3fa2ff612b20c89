//! Servers that were found beside those that files declare.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use super::element;
use super::meaning::server_id;
use super::tree::{Node, Value};
use crate::id::PoolName;
use crate::pool::MAX_SLOTS;

/// The servers that were found for pools, by the pools' names.
pub type Found = BTreeMap<PoolName, Vec<FoundServer>>;

/// A server that was found. It is told apart by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoundServer {
    /// Where it is.
    pub address: SocketAddr,
    /// Its weight, where somebody said so.
    pub weight: Option<u16>,
}

impl FoundServer {
    /// Its id: `host:port`.
    pub fn id(&self) -> String {
        server_id(&self.address.ip().to_string(), self.address.port())
    }

    fn to_json(self) -> serde_json::Value {
        let (host, port) = (self.address.ip().to_string(), self.address.port());
        let mut server = serde_json::json!({ "host": host, "port": port });
        if let Some(weight) = self.weight {
            server["weight"] = weight.into();
        }
        server
    }
}

/// Adds to each pool that asks for it what was found. A server that is declared
/// too is as it is declared; those that a pool has no room for are left out.
pub(super) fn add(root: &mut Node, found: &Found) {
    for (name, pool) in root.table_at("pools") {
        let Some(found) = found.get(&PoolName::from(name.as_str())) else {
            continue;
        };
        let Value::Table(pool) = &mut pool.value else {
            continue;
        };
        let Some(place) = pool.get("dns").map(|dns| dns.place.clone()) else {
            continue;
        };
        let none = || Node {
            place: place.clone(),
            value: Value::Array(Vec::new()),
        };
        let servers = pool.entry("servers".to_owned()).or_insert_with(none);
        let Value::Array(servers) = &mut servers.value else {
            // Anything but an array is refused with its type further on.
            continue;
        };
        let declared: HashSet<_> = servers.iter().filter_map(element::name).collect();
        let new = found
            .iter()
            .filter(|server| !declared.contains(&server.id()));
        let room = MAX_SLOTS.saturating_sub(servers.len());
        let new = new.take(room);
        servers.extend(new.map(|server| Node::of_json(&server.to_json(), &place)));
    }
}
