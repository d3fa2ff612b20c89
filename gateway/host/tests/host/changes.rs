//! What a change of the configuration, of health or of a file brings to the
//! plugins that are running.

use std::time::{Duration, Instant};

use gatewright_host::{Ending, Fault, Outcome, Written};
use gatewright_model::endpoint::Health;
use gatewright_model::id::Slot;

use crate::support::{FRAME, MINE, Rig, balancer, component, config, picking, request};

/// Ask until the answer is this one.
fn comes(rig: &mut Rig, key: u64, slot: u32) {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = rig.pick(key);
        if answer == Ok(Some(Slot(slot))) {
            return;
        }
        assert!(Instant::now() < patience, "still {answer:?}");
        std::thread::yield_now();
    }
}

/// Answers how many are eligible, less one; with key 1 how many members.
const COUNTING: &str = r#"
    (if (i64.eq (local.get $key) (i64.const 1)) (then
        (return (i32.sub (global.get $members) (i32.const 1)))))
    (i32.sub (global.get $eligible) (i32.const 1))
"#;

#[test]
fn health_and_draining_are_told_before_a_later_decision() {
    let mut rig = Rig::balanced_by(&picking(COUNTING));
    comes(&mut rig, 0, 2);
    let pool = rig.snapshot.as_ref().unwrap().pools[0].clone();
    let endpoints: Vec<_> = pool.endpoints().cloned().collect();
    endpoints[0].state.set_draining(true);
    comes(&mut rig, 0, 1);
    endpoints[1].state.set_health(Health::Unhealthy);
    comes(&mut rig, 0, 0);
    endpoints[0].state.set_draining(false);
    comes(&mut rig, 0, 1);
    // Neither changed the table.
    comes(&mut rig, 1, 2);
}

#[test]
fn members_are_told_at_the_first_decision_after_a_change() {
    let mut rig = Rig::balanced_by(&picking(COUNTING));
    let binding = rig.balancer().binding().clone();
    rig.take(&config(MINE, 5)).unwrap();
    assert_eq!(rig.pick(1), Ok(Some(Slot(4))));
    assert_eq!(rig.pick(0), Ok(Some(Slot(4))));
    assert!(std::sync::Arc::ptr_eq(&binding, rig.balancer().binding()));
    rig.take(&config(MINE, 2)).unwrap();
    assert_eq!(rig.pick(1), Ok(Some(Slot(1))));
}

/// A balancer that picks in turn, and hands over where it is. It says so by
/// schema 7 and one number; it refuses another schema.
fn in_turn() -> Vec<u8> {
    let functions = balancer("(i32.rem_u (global.get $picks) (i32.const 3))");
    let handover = r#"
        (func (export "gatewright:plugin/handover@0.1.0#save") (result i32)
            (i32.store (i32.const 400) (i32.const 7))
            (i32.store (i32.const 404) (i32.const 416))
            (i32.store (i32.const 408) (i32.const 4))
            (i32.store (i32.const 416) (global.get $picks))
            (i32.const 400))
        (func (export "gatewright:plugin/handover@0.1.0#restore")
            (param $schema i32) (param $at i32) (param $length i32) (result i32)
            (if (i32.ne (local.get $schema) (i32.const 7)) (then unreachable))
            (global.set $picks (i32.load (local.get $at)))
            (i32.const 64))"#;
    let core = format!("(module {FRAME} {functions} {handover})");
    component(&[], &["balancing", "handover"], &core)
}

#[test]
fn a_new_configuration_goes_on_from_what_was_learned() {
    let mut rig = Rig::balanced_by(&in_turn());
    let before: Vec<_> = (0..4).map(|_| rig.pick(0).unwrap().unwrap().0).collect();
    assert_eq!(before, [1, 2, 0, 1]);
    let changed = "balancer = { plugin = \"mine\", deadline = \"300ms\", config = { any = 1 } }";
    rig.take(&config(changed, 3)).unwrap();
    assert_eq!(rig.pick(0), Ok(Some(Slot(2))));
    // The other worker has a past of its own.
    let other = &mut rig.chains[1].pools[0].balancer;
    assert_eq!(other.pick(0, &mut request()), Ok(Some(Slot(1))));
}

#[test]
fn a_failed_handover_costs_the_past_and_nothing_else() {
    let mut rig = Rig::balanced_by(&in_turn());
    assert_eq!(rig.pick(0), Ok(Some(Slot(1))));
    let failing = FAILING_RESTORE
        .replace("FRAME", FRAME)
        .replace("BALANCER", &balancer("(i32.const 0)"));
    rig.place(
        "mine",
        &component(&[], &["balancing", "handover"], &failing),
    );
    rig.retake().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while rig.pick(0) == Err(Fault::Vacant) {
        assert!(Instant::now() < patience);
        std::thread::yield_now();
    }
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
    let log = rig.balancer().binding().journal().entries();
    assert!(
        log.iter()
            .any(|entry| entry.message.contains("handover.restore")),
        "{log:?}"
    );
}

/// What the seat says after a handover from a plugin whose state has so many
/// bytes, to one that counts them.
fn handed_over(bytes: u32) -> (Option<Slot>, String) {
    let core = |pick: &str| {
        let frame = FRAME.replace("\"memory\") 16)", "\"memory\") 64)");
        format!(
            r#"(module {frame} {}
            (func (export "gatewright:plugin/handover@0.1.0#save") (result i32)
                (i32.store (i32.const 132) (i32.const 0x100000))
                (i32.store (i32.const 136) (i32.const {bytes}))
                (i32.const 128))
            (global $told (mut i32) (i32.const 0))
            (func (export "gatewright:plugin/handover@0.1.0#restore")
                (param i32) (param i32) (param $length i32) (result i32)
                (global.set $told (local.get $length))
                (i32.const 64)))"#,
            balancer(pick)
        )
    };
    let exports = ["balancing", "handover"];
    let mut rig = Rig::balanced_by(&component(&[], &exports, &core("(i32.const 0)")));
    let counting = format!("(i32.eq (global.get $told) (i32.const {bytes}))");
    rig.place("mine", &component(&[], &exports, &core(&counting)));
    rig.retake().unwrap();
    let picked = rig.pick(0).unwrap();
    let log = rig.balancer().binding().journal().entries();
    (picked, format!("{log:?}"))
}

#[test]
fn a_state_of_more_than_a_mebibyte_is_dropped_and_said_so() {
    let (picked, log) = handed_over(1 << 20);
    assert_eq!(picked, Some(Slot(1)), "{log}");
    assert!(!log.contains("handover.save"), "{log}");
    let (picked, log) = handed_over((1 << 20) + 1);
    assert_eq!(picked, Some(Slot(0)), "{log}");
    assert!(
        log.contains("handover.save") && log.contains("too much data"),
        "{log}"
    );
}

const FAILING_RESTORE: &str = r#"(module FRAME BALANCER
    (func (export "gatewright:plugin/handover@0.1.0#save") (result i32) unreachable)
    (func (export "gatewright:plugin/handover@0.1.0#restore") (param i32 i32 i32) (result i32)
        unreachable))"#;

#[test]
fn outcomes_reach_the_plugin_that_asked_for_them() {
    let functions = balancer("(global.get $heard)");
    let observing = r#"
        (global $heard (mut i32) (i32.const 0))
        (func (export "gatewright:plugin/observing@0.1.0#observe") (param $at i32) (param i32)
            ;; The first outcome's slot, if its body took a millisecond.
            (global.set $heard (i32.mul (i32.load (local.get $at))
                (i32.eq (i32.const 1000) (i32.sub
                    (i32.load offset=12 (local.get $at))
                    (i32.load offset=8 (local.get $at)))))))"#;
    let core = format!("(module {FRAME} {functions} {observing})");
    let mut rig = Rig::balanced_by(&component(&[], &["balancing", "observing"], &core));
    assert!(rig.balancer().observes());
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
    rig.balancer().observe(Outcome {
        slot: Slot(2),
        ending: Ending::Completed,
        status: 200,
        first_byte_us: 1500,
        duration_us: 2500,
        lot: None,
    });
    comes(&mut rig, 0, 2);
}

/// A scanning balancer that picks the slot of the least load, the lowest of several.
fn least_loaded() -> Vec<u8> {
    let scanning = r#"
        (func (export "gatewright:plugin/scanning@0.1.0#configure") (param i32 i32) (result i32)
            (i32.const 64))
        (func (export "gatewright:plugin/scanning@0.1.0#update") (param i32 i32))
        (func (export "gatewright:plugin/scanning@0.1.0#eligible") (param i32 i32))
        (func (export "gatewright:plugin/scanning@0.1.0#pick")
            (param $key i64) (param $at i32) (param $length i32) (result i32)
            (local $slot i32) (local $best i32) (local $load i32) (local $least i32)
            (local.set $least (i32.const -1))
            (loop $on
                (local.set $load
                    (i32.load (i32.add (local.get $at) (i32.shl (local.get $slot) (i32.const 2)))))
                (if (i32.lt_u (local.get $load) (local.get $least)) (then
                    (local.set $least (local.get $load))
                    (local.set $best (local.get $slot))))
                (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
                (br_if $on (i32.lt_u (local.get $slot) (local.get $length))))
            (i32.store8 (i32.const 0) (i32.ne (local.get $least) (i32.const -1)))
            (i32.store (i32.const 4) (local.get $best))
            (i32.const 0))"#;
    component(&[], &["scanning"], &format!("(module {FRAME} {scanning})"))
}

#[test]
fn a_scanning_balancer_sees_loads_of_usable_slots_only() {
    let mut rig = Rig::balanced_by(&least_loaded());
    let pool = rig.snapshot.as_ref().unwrap().pools[0].clone();
    pool.state.enter(Slot(0));
    assert_eq!(rig.pick(0), Ok(Some(Slot(1))));
    pool.endpoint(Slot(1)).unwrap().state.set_draining(true);
    assert_eq!(rig.pick(0), Ok(Some(Slot(2))));
    let tried = crate::support::Request {
        tried: vec![Slot(2)],
        ..Default::default()
    };
    let answer = rig.balancer().pick(0, &mut Some(Box::new(tried)));
    assert_eq!(answer, Ok(Some(Slot(0))));
    pool.endpoint(Slot(0)).unwrap().state.set_draining(true);
    pool.endpoint(Slot(2)).unwrap().state.set_draining(true);
    assert_eq!(rig.pick(0), Ok(None));
}

#[test]
fn a_scanning_balancer_does_not_see_who_has_all_that_it_may_have() {
    let mut rig = Rig::new();
    rig.place("mine", &least_loaded());
    let limited = format!("{MINE}\nmax_active_per_server = 2");
    rig.take(&config(&limited, 3)).unwrap();
    let pool = rig.snapshot.as_ref().unwrap().pools[0].clone();
    for slot in [0, 0, 1, 1, 2] {
        pool.state.enter(Slot(slot));
    }
    assert_eq!(rig.pick(0), Ok(Some(Slot(2))));
    pool.state.enter(Slot(2));
    assert_eq!(rig.pick(0), Ok(None));
}

#[test]
fn pools_may_come_go_and_change_places() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 0)"));
    let more = format!(
        "{}[pools.api]\nhealth = false\nservers = [{{ host = \"192.0.2.9\", port = 80 }}]\n",
        config(MINE, 3)
    );
    let routed = format!(
        "{more}[router]\nplugin = \"path-router\"\n[router.config]\nroutes = [{{ path = \"/*\", pool = \"api\" }}]\n"
    );
    rig.take(&routed).unwrap();
    assert_eq!(rig.chains[0].pools.len(), 2);
    for chain in &mut rig.chains {
        for pool in &mut chain.pools {
            assert_eq!(pool.balancer.pick(0, &mut request()), Ok(Some(Slot(0))));
        }
    }
    rig.take(&config(MINE, 3)).unwrap();
    assert_eq!(rig.chains[1].pools.len(), 1);
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
}

/// A request policy that adds one to a value whenever it is configured.
fn counting_its_configurations() -> Vec<u8> {
    let core = format!(
        r#"(module
        (import "gatewright:plugin/store@0.1.0" "add"
            (func $add (param i32 i32 i64 i32) (result i64)))
        {FRAME}
        (data (i32.const 300) "told")
        (func (export "gatewright:plugin/screening@0.1.0#configure") (param i32 i32) (result i32)
            (drop (call $add (i32.const 300) (i32.const 4) (i64.const 1) (i32.const 0)))
            (i32.const 64))
        (func (export "gatewright:plugin/screening@0.1.0#check")
            (param i32 i32 i32 i32 i32 i32) (result i32)
            (i32.store8 (i32.const 0) (i32.const 0))
            (i32.const 0)))"#
    );
    component(&["store"], &["screening"], &core)
}

#[test]
fn a_rehearsal_leaves_sessions_and_values_as_they_are() {
    let mut rig = Rig::new();
    rig.place("mine", &counting_its_configurations());
    let configured = |servers, other| {
        let grants = "mine.wasm\"\ngrants = [\"store\"]";
        let config = config("affinity = \"sticky-ip\"", servers).replace("mine.wasm\"", grants);
        format!("{config}[[policy]]\nplugin = \"mine\"\nconfig = {{ other = {other} }}\n")
    };
    rig.take(&configured(3, 1)).unwrap();
    let affinity = rig.chains[0].pools[0].affinity.as_mut().unwrap();
    affinity.bind(Slot(2), &mut request()).unwrap();
    let remembered = |rig: &Rig| {
        let written = Written::of(rig.plan.as_ref().unwrap(), rig.host.now(), 1 << 20);
        (written.digest, written.text.lines().count())
    };
    let before = remembered(&rig);
    assert_eq!(before.1, 3, "a header, a value and a session");
    // Without the server that has the session.
    rig.rehearse(&configured(2, 2)).unwrap();
    assert_eq!(remembered(&rig), before);
    rig.take(&configured(2, 2)).unwrap();
    assert_ne!(remembered(&rig), before);
}
