//! Versions beside the one that decides: taken in, tried on a share of the
//! requests, or asked without being obeyed.

use gatewright_host::{Answer, Brought, Fault, Happening, Part, Refusal, Trace};
use gatewright_model::config::PluginSource;
use gatewright_model::id::{Digest, PluginName, Slot};
use gatewright_model::role::Role;

use crate::support::{FRAME, Rig, balancer, component, config, picking, request};

/// Take in a version of `mine` as an upload does.
fn upload(rig: &Rig, component: &[u8]) -> Result<Digest, Refusal> {
    let source = PluginSource {
        file: None,
        version: None,
        grants: Vec::new(),
        memory: 16 << 20,
    };
    let mine = PluginName::from("mine");
    let snapshot = rig.snapshot.as_ref().unwrap();
    let brought = Brought {
        component,
        signature: None,
    };
    let taken = rig.host.take_in(&mine, &brought, &source, snapshot)?;
    rig.host.keep(taken.digest, &brought)?;
    assert_eq!(taken.roles, [Role::Balancer]);
    assert!(taken.exports[0].contains("balancing"), "{taken:?}");
    Ok(taken.digest)
}

/// A pool whose balancer is `mine` with more keys.
fn bound(more: &str) -> String {
    let binding = format!("balancer = {{ plugin = \"mine\", deadline = \"300ms\", {more} }}");
    config(&binding, 3)
}

/// A rig that always picks slot 0, and a version that was taken in beside it.
fn beside(component: &[u8]) -> (Rig, Digest) {
    let rig = Rig::balanced_by(&picking("(i32.const 0)"));
    let digest = upload(&rig, component).unwrap();
    (rig, digest)
}

#[test]
fn a_version_that_was_taken_in_decides_when_it_is_named_and_no_more_when_it_is_not() {
    let (mut rig, digest) = beside(&picking("(i32.const 1)"));
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
    rig.take(&bound(&format!("version = \"{digest}\"")))
        .unwrap();
    assert_eq!(rig.pick(0), Ok(Some(Slot(1))));
    let by_file = rig.host.kept().unwrap();
    assert!(by_file.contains(&digest), "{by_file:?}");
    rig.take(&bound("config = {}")).unwrap();
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
}

#[test]
fn an_earlier_version_of_a_file_can_be_named_when_the_file_is_another() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 0)"));
    let first = rig.balancer().binding().version();
    rig.place("mine", &picking("(i32.const 2)"));
    rig.take(&bound(&format!("version = \"{first}\""))).unwrap();
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
    rig.take(&bound("config = {}")).unwrap();
    assert_eq!(rig.pick(0), Ok(Some(Slot(2))));
}

#[test]
fn a_version_that_nobody_has_is_refused_by_its_digest() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 0)"));
    let digest = Digest([7; 32]);
    let refused = rig.take(&bound(&format!("version = \"{digest}\"")));
    let message = refused.unwrap_err().to_string();
    assert!(message.contains(&digest.to_string()), "{message}");
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
}

#[test]
fn what_is_no_plugin_is_not_taken_in() {
    let rig = Rig::balanced_by(&picking("(i32.const 0)"));
    let without_role = component(&[], &[], "(module)");
    let refused = upload(&rig, &without_role).unwrap_err();
    assert!(matches!(refused, Refusal::NoRole { .. }), "{refused}");
    let traps = upload(&rig, &picking("unreachable")).unwrap_err();
    assert!(matches!(traps, Refusal::Trial { .. }), "{traps}");
    assert!(matches!(upload(&rig, b"no"), Err(Refusal::NotWasm)));
    let kept = rig.host.kept().unwrap();
    assert_eq!(kept.len(), 1, "only the file's version: {kept:?}");
}

#[test]
fn a_canary_decides_for_its_share_and_for_all_attempts_of_a_request() {
    let (mut rig, digest) = beside(&picking("(i32.const 1)"));
    rig.take(&bound(&format!(
        "canary = {{ version = \"{digest}\", percent = 20 }}"
    )))
    .unwrap();
    let mut by_canary = 0;
    for _ in 0..2000 {
        let mut request = request();
        let first = rig.balancer().pick(0, &mut request);
        for _ in 0..3 {
            assert_eq!(rig.balancer().pick(0, &mut request), first);
        }
        by_canary += usize::from(first == Ok(Some(Slot(1))));
    }
    assert!((300..500).contains(&by_canary), "{by_canary} of 2000");
    let plan = rig.plan.as_ref().unwrap();
    let canary = plan.bindings().iter().find(|b| b.part() == Part::Canary);
    assert_eq!(canary.unwrap().version(), digest);
}

#[test]
fn a_canary_that_faults_costs_no_request_its_decision_and_is_left_out_in_the_end() {
    // It has to pass its trial, so it traps later.
    let late = "(if (i32.gt_u (global.get $picks) (i32.const 40)) (then unreachable))(i32.const 1)";
    let (mut rig, digest) = beside(&picking(late));
    let events = rig.host.events();
    let canary = format!("canary = {{ version = \"{digest}\", percent = 100 }}");
    rig.take(&bound(&canary)).unwrap();
    while !events
        .try_iter()
        .any(|e| e.happening == Happening::Quarantined && e.place.part == Part::Canary)
    {
        assert!(matches!(rig.pick(0), Ok(Some(Slot(0 | 1)))));
    }
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
    rig.retake().unwrap();
    assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
    let plan = rig.plan.as_ref().unwrap();
    assert!(plan.bindings().iter().all(|b| b.part() == Part::Active));
}

/// A balancer that picks in turn and hands over where it is; `more` only makes
/// it another version.
fn in_turn(more: &str) -> Vec<u8> {
    let functions = balancer("(i32.rem_u (global.get $picks) (i32.const 3))");
    let handover = r#"
        (func (export "gatewright:plugin/handover@0.1.0#save") (result i32)
            (i32.store (i32.const 404) (i32.const 416))
            (i32.store (i32.const 408) (i32.const 4))
            (i32.store (i32.const 416) (global.get $picks))
            (i32.const 400))
        (func (export "gatewright:plugin/handover@0.1.0#restore")
            (param $schema i32) (param $at i32) (param $length i32) (result i32)
            (global.set $picks (i32.load (local.get $at)))
            (i32.const 64))"#;
    let core = format!("(module {FRAME} {functions} {handover} {more})");
    component(&[], &["balancing", "handover"], &core)
}

#[test]
fn every_canary_begins_with_what_the_one_that_decides_has_learned() {
    let mut rig = Rig::balanced_by(&in_turn(""));
    assert_eq!(rig.pick(0), Ok(Some(Slot(1))));
    // The second does not go on from where the first has come to.
    for more in ["(func $one)", "(func $other) (func $more)"] {
        let canary = upload(&rig, &in_turn(more)).unwrap();
        let canary = format!("canary = {{ version = \"{canary}\", percent = 100 }}");
        rig.take(&bound(&canary)).unwrap();
        assert_eq!(rig.pick(0), Ok(Some(Slot(2))));
        assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
    }
}

#[test]
fn a_request_whose_canary_faults_is_no_canary_s_any_more() {
    let late = "(if (i32.gt_u (global.get $picks) (i32.const 40)) (then unreachable))(i32.const 1)";
    let (mut rig, digest) = beside(&picking(late));
    let canary = format!("canary = {{ version = \"{digest}\", percent = 100 }}");
    rig.take(&bound(&canary)).unwrap();
    loop {
        let mut request = request();
        let picked = rig.balancer().pick(0, &mut request);
        let is_given_up = request.as_mut().unwrap().effects().is_given_up;
        assert_eq!(picked, Ok(Some(Slot(u32::from(!is_given_up)))));
        if is_given_up {
            assert_eq!(rig.balancer().pick(0, &mut request), Ok(Some(Slot(0))));
            break;
        }
    }
}

#[test]
fn a_shadow_is_compared_and_never_obeyed() {
    // Of another mind when the key is 1.
    let (mut rig, digest) = beside(&picking("(i64.eq (local.get $key) (i64.const 1))"));
    let shadow = format!("shadow = {{ version = \"{digest}\", sample = 100 }}");
    rig.take(&bound(&shadow)).unwrap();
    assert!(rig.chains[0].is_shadowed());
    for key in [0, 0, 0, 1] {
        assert_eq!(rig.pick(key), Ok(Some(Slot(0))));
    }
    rig.chains[0].run_shadows();
    let plan = rig.plan.as_ref().unwrap();
    let shadow = plan.bindings().iter().find(|b| b.part() == Part::Shadow);
    let counters = &shadow.unwrap().counters()[0];
    let skipped = counters.skipped.get();
    assert_eq!(counters.compared.get() + skipped, 4);
    assert_eq!(counters.agreed.get(), 3, "{skipped} were skipped");
    let choices = shadow.unwrap().choices();
    assert_eq!(choices[&Slot(0)], (4, 3));
    assert_eq!(choices[&Slot(1)], (0, 1));
}

#[test]
fn a_shadow_that_faults_touches_nobody() {
    let late = "(if (i32.gt_u (global.get $picks) (i32.const 20)) (then unreachable))(i32.const 0)";
    let (mut rig, digest) = beside(&picking(late));
    let shadow = format!("shadow = {{ version = \"{digest}\", sample = 100 }}");
    rig.take(&bound(&shadow)).unwrap();
    let plan = rig.plan.take().unwrap();
    let shadow = plan.bindings().iter().find(|b| b.part() == Part::Shadow);
    while !shadow.unwrap().is_quarantined() {
        assert_eq!(rig.pick(0), Ok(Some(Slot(0))));
        rig.chains[0].run_shadows();
    }
    assert_eq!(rig.balancer().binding().counters()[0].faults(), 0);
}

#[test]
fn a_traced_exchange_tells_who_said_what_from_which_candidates() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 1)"));
    let mut request = request();
    request.as_mut().unwrap().effects().trace = Some(Box::<Trace>::default());
    rig.balancer().pick(0, &mut request).unwrap();
    let trace = request.as_mut().unwrap().effects().trace.take().unwrap();
    let [step] = &trace.steps[..] else {
        panic!("{trace:?}");
    };
    assert_eq!(step.answer, Ok::<_, Fault>(Answer::Endpoint(Some(Slot(1)))));
    assert_eq!(step.version, rig.balancer().binding().version());
    assert_eq!(step.candidates.len(), 3);
    assert_eq!(step.chosen.as_deref(), Some("192.0.2.1:3001"));
}
