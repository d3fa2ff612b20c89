//! Servers that were found beside those that files declare.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gatewright_model::config::{Config, Declared, Environment, Found, FoundServer, Key, Overlay};
use gatewright_model::pool::MAX_SLOTS;
use serde_json::json;

const POOLS: &str = "default_pool = \"web\"
[pools.web]
servers = [{ host = \"10.0.0.1\", port = 80, weight = 9 }]
dns = { names = [\"app.internal:80\"] }
[pools.plain]
servers = [\"10.0.0.1:80\"]
";

fn declared() -> Declared {
    let declared = Declared::parse(POOLS, Path::new(""), &Environment::empty());
    declared.expect("a good file")
}

fn server(address: &str, weight: Option<u16>) -> FoundServer {
    let address = address.parse().expect("an address");
    FoundServer { address, weight }
}

fn found(servers: &[FoundServer]) -> Arc<Found> {
    let pools = ["web", "plain", "gone"];
    let pools = pools.map(|pool| (pool.into(), servers.to_vec()));
    Arc::new(pools.into())
}

fn meant(declared: &Declared, overlay: &Overlay) -> Config {
    let meant = declared.mean(overlay, &Environment::empty());
    meant.expect("a good configuration").0
}

fn servers(config: &Config, pool: &str) -> Vec<(String, u16)> {
    let mut pools = config.pools.iter();
    let pool = pools.find(|known| known.name.as_str() == pool);
    let servers = pool.expect("a pool").servers.iter();
    servers
        .map(|server| (server.id.to_string(), server.weight))
        .collect()
}

#[test]
fn what_is_found_joins_what_is_declared_in_pools_that_ask_for_it() {
    let found = found(&[
        server("10.0.0.1:80", None),
        server("10.0.0.2:80", Some(3)),
        server("[::1]:80", None),
    ]);
    let declared = declared().with_found(found);
    let config = meant(&declared, &Overlay::default());
    let expected = [("10.0.0.1:80", 9), ("10.0.0.2:80", 3), ("[::1]:80", 1)];
    let expected = expected.map(|(id, weight)| (id.to_owned(), weight));
    assert_eq!(servers(&config, "web"), expected);
    assert_eq!(servers(&config, "plain"), [("10.0.0.1:80".to_owned(), 1)]);
    assert!(declared.is_found("web", "[::1]:80"));
    for (pool, id) in [
        ("web", "10.0.0.1:80"),
        ("plain", "[::1]:80"),
        ("web", "b:1"),
    ] {
        assert!(!declared.is_found(pool, id), "{pool} {id}");
    }
}

#[test]
fn what_is_found_later_takes_the_place_of_what_was_found_before() {
    let first = found(&[server("10.0.0.2:80", None)]);
    let then = found(&[server("10.0.0.3:80", None)]);
    let declared = declared().with_found(first).with_found(then);
    let config = meant(&declared, &Overlay::default());
    let expected = [("10.0.0.1:80".to_owned(), 9), ("10.0.0.3:80".to_owned(), 1)];
    assert_eq!(servers(&config, "web"), expected);
}

#[test]
fn what_is_found_can_be_changed_at_run_time() {
    let declared = declared().with_found(found(&[server("10.0.0.2:80", Some(3))]));
    let mut overlay = Overlay::default();
    let weight = Key::server("web", "10.0.0.2:80").then("weight");
    overlay.set(&declared, &weight, json!(7));
    let config = meant(&declared, &overlay);
    assert_eq!(servers(&config, "web")[1], ("10.0.0.2:80".to_owned(), 7));
    assert!(overlay.settle(&declared).is_empty());
}

#[test]
fn a_pool_takes_as_many_as_it_has_room_for() {
    let address = |number: usize| {
        let [.., high, low] = number.to_be_bytes();
        SocketAddr::from(([10, 1, high, low], 80))
    };
    let all = (0..=MAX_SLOTS).map(|number| FoundServer {
        address: address(number),
        weight: None,
    });
    let all: Vec<_> = all.collect();
    let declared = declared().with_found(found(&all));
    let config = meant(&declared, &Overlay::default());
    assert_eq!(servers(&config, "web").len(), MAX_SLOTS);
}
