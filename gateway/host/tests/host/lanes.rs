//! Both lanes side by side: which components take the direct one, and that
//! nobody can tell.

use gatewright_host::Lanes;

use crate::support::{Rig, config, picking};

#[test]
fn a_component_of_one_module_takes_the_direct_lane() {
    let component = picking("(i32.const 2)");
    let mut rig = Rig::balanced_by(&component);
    assert!(rig.balancer().binding().is_direct());
    let mut other = Rig::on(Lanes::ComponentOnly);
    other.place("mine", &component);
    other.take(&config(crate::support::MINE, 3)).unwrap();
    assert!(!other.balancer().binding().is_direct());
    assert_eq!(rig.pick(1), other.pick(1));
}

#[test]
fn the_default_plugins_take_the_direct_lane() {
    let mut rig = Rig::new();
    let pool = "balancer = \"least-connections\"\naffinity = \"sticky-cookie\"";
    rig.take(&config(pool, 3)).unwrap();
    let chain = &rig.chains[0];
    assert!(chain.router.binding().is_direct());
    assert!(chain.pools[0].balancer.binding().is_direct());
    assert!(
        chain.pools[0]
            .affinity
            .as_ref()
            .unwrap()
            .binding()
            .is_direct()
    );
}
