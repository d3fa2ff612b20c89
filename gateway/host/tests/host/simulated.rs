//! Time and randomness that a simulation hands in.

use std::sync::Arc;

use gatewright_host::{Host, Simulated};
use gatewright_model::id::Slot;

use crate::support::{FRAME, MINE, Rig, balancer, component, config, request};

/// A rig of three servers with a balancer of this body, which may ask for time and
/// randomness.
fn rig(simulated: &Arc<Simulated>, pick: &str) -> Rig {
    let imports = r#"
        (import "gatewright:plugin/clock@0.1.0" "now" (func $now (result i64)))
        (import "gatewright:plugin/random@0.1.0" "next" (func $next (result i64)))"#;
    let core = format!("(module {imports} {FRAME} {})", balancer(pick));
    let component = component(&["clock", "random"], &["balancing"], &core);
    let simulated = Arc::clone(simulated);
    let mut rig = Rig::started(|options| Host::start_simulated(options, simulated));
    rig.place("mine", &component);
    let grants = "mine.wasm\"\ngrants = [\"clock\", \"random\"]";
    let config = config(MINE, 3).replace("mine.wasm\"", grants);
    rig.take(&config).unwrap();
    rig
}

fn pick(rig: &mut Rig) -> Slot {
    let seat = &mut rig.chains[0].pools[0].balancer;
    seat.pick(0, &mut request()).unwrap().unwrap()
}

#[test]
fn a_plugins_clock_stands_where_the_simulation_sets_it() {
    let simulated = Arc::new(Simulated::new(1));
    // The slot of the second that it is.
    let second = "(i32.wrap_i64 (i64.div_u (call $now) (i64.const 1000000000)))";
    let mut rig = rig(&simulated, second);
    for seconds in 0..3 {
        simulated.advance(seconds * 1_000_000_000 + 5);
        assert_eq!(pick(&mut rig), Slot(seconds as u32));
        assert_eq!(pick(&mut rig), Slot(seconds as u32));
    }
}

#[test]
fn a_plugins_randomness_is_the_seeds() {
    let draws = |seed| {
        let simulated = Arc::new(Simulated::new(seed));
        let third = "(i32.wrap_i64 (i64.rem_u (call $next) (i64.const 3)))";
        let mut rig = rig(&simulated, third);
        (0..64).map(|_| pick(&mut rig)).collect::<Vec<_>>()
    };
    assert_eq!(draws(1), draws(1));
    assert_ne!(draws(1), draws(2));
}
