//! The default plugins, in the seats that they are for.

use gatewright_host::{ExchangeView, Lent, Route, defaults};
use gatewright_model::id::{PluginName, PoolIndex, Slot};

use crate::support::{Request, Rig, config, request};

/// The line that makes a plugin the balancer, with a deadline that a busy
/// machine does not break.
fn seated(plugin: &str) -> String {
    format!("balancer = {{ plugin = \"{plugin}\", deadline = \"300ms\" }}")
}

#[test]
fn the_default_chain_routes_sticks_and_balances() {
    let mut rig = Rig::new();
    let affinity = seated("sticky-cookie").replace("balancer", "affinity");
    let chain = format!("{}\n{affinity}", seated("least-connections"));
    let router = "[router]\nplugin = \"path-router\"\n[router.config]\nroutes = [{ path = \"/*\", pool = \"web\" }]\n";
    rig.take(&format!("{}{router}", config(&chain, 3))).unwrap();
    let mut lent: Lent = Some(Box::new(Request {
        path: "/shop".to_owned(),
        ..Default::default()
    }));
    let chain = &mut rig.chains[0];
    assert_eq!(
        chain.router.route(&mut lent),
        Ok(Route::Forward(PoolIndex(0)))
    );
    let seats = &mut chain.pools[0];
    let affinity = seats.affinity.as_mut().unwrap();
    assert_eq!(affinity.lookup(&mut lent), Ok(None));
    let picked = seats.balancer.pick(1, &mut lent).unwrap().unwrap();
    affinity.bind(picked, &mut lent).unwrap();
    let view: &mut Box<dyn ExchangeView> = lent.as_mut().unwrap();
    assert_eq!(view.effects().edits.len(), 1, "no cookie was set");
    affinity.bind(picked, &mut lent).unwrap();
    let other = Slot((picked.0 + 1) % 3);
    affinity.bind(other, &mut lent).unwrap();
    let edits = &lent.as_mut().unwrap().effects().edits;
    assert_eq!(edits[0], edits[1], "the same server has another cookie");
    assert_ne!(edits[1], edits[2], "servers have the same cookie");
}

#[test]
fn each_default_plugin_has_the_roles_that_it_says_and_no_others() {
    let rig = Rig::new();
    for plugin in defaults() {
        let name = PluginName::from(plugin.name);
        let component = rig.host.describe(&name, plugin.digest()).unwrap();
        assert_eq!(component.roles, plugin.roles(), "{name}");
    }
}

#[test]
fn least_connections_goes_where_there_is_least_to_do() {
    let mut rig = Rig::new();
    rig.take(&config(&seated("least-connections"), 3)).unwrap();
    let pool = rig.snapshot.as_ref().unwrap().pools[0].clone();
    pool.state.enter(Slot(0));
    pool.state.enter(Slot(2));
    let answer = rig.balancer().pick(1, &mut request());
    assert_eq!(answer, Ok(Some(Slot(1))));
}
