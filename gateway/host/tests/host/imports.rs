//! What plugins may call, called by a plugin.

use std::time::Duration;

use gatewright_host::{Edit, ExchangeView, Lent, Verdict};
use gatewright_model::id::Slot;

use crate::support::{FRAME, Request, Rig, component, config};

/// A rig whose only request policy has these imports and this body of `check`,
/// which leaves a status on the stack: 0 lets the request go on.
pub(crate) fn screened(interfaces: &[&str], imports: &str, check: &str, data: &str) -> Rig {
    let core = format!(
        r#"(module {imports} {FRAME} {data}
        (func (export "gatewright:plugin/screening@0.1.0#configure") (param i32 i32) (result i32)
            (i32.const 64))
        (func $status (result i32) {check})
        (func (export "gatewright:plugin/screening@0.1.0#check")
            (param i32 i32 i32 i32 i32 i32) (result i32)
            (local $status i32)
            (local.set $status (call $status))
            (i32.store8 (i32.const 0) (i32.ne (local.get $status) (i32.const 0)))
            (i32.store16 (i32.const 2) (local.get $status))
            (i32.const 0)))"#
    );
    let mut rig = Rig::new();
    rig.place("mine", &component(interfaces, &["screening"], &core));
    let grants = "mine.wasm\"\ngrants = [\"store\", \"response\", \"rewrite\", \"sessions\"]";
    let config = config("", 3).replace("mine.wasm\"", grants);
    rig.take(&format!(
        "{config}[[policy]]\nplugin = \"mine\"\ndeadline = \"300ms\"\n"
    ))
    .unwrap();
    rig
}

fn check(rig: &mut Rig, lent: &mut Lent) -> Verdict {
    rig.chains[0].policies[0].seat.check(lent).unwrap()
}

fn effects(lent: &mut Lent) -> &mut gatewright_host::Effects {
    let view: &mut Box<dyn ExchangeView> = lent.as_mut().unwrap();
    view.effects()
}

#[test]
fn values_are_shared_by_all_workers_and_outlive_a_version() {
    let add = r#"(import "gatewright:plugin/store@0.1.0" "add"
        (func $add (param i32 i32 i64 i32) (result i64)))"#;
    let body = "(i32.add (i32.const 400)
        (i32.wrap_i64 (call $add (i32.const 300) (i32.const 4) (i64.const 1) (i32.const 0))))";
    let mut rig = screened(&["store"], add, body, "(data (i32.const 300) \"hits\")");
    let mut lent: Lent = Some(Box::new(Request::default()));
    // The trial's additions are not among them.
    for (worker, status) in [(0, 401), (1, 402), (0, 403)] {
        let seat = &mut rig.chains[worker].policies[0].seat;
        assert_eq!(seat.check(&mut lent), Ok(Verdict::Answer(status)));
    }
    let grants = "mine.wasm\"\ngrants = [\"store\"]";
    let config = config("", 3).replace("mine.wasm\"", grants);
    let policy = "[[policy]]\nplugin = \"mine\"\ndeadline = \"300ms\"\nconfig = { other = 1 }\n";
    rig.take(&format!("{config}{policy}")).unwrap();
    assert_eq!(check(&mut rig, &mut lent), Verdict::Answer(404));
}

#[test]
fn who_says_nonsense_has_edited_nothing() {
    let imports = r#"(import "gatewright:plugin/response@0.1.0" "set-header"
        (func $set (param i32 i32 i32 i32)))
        (import "gatewright:plugin/request@0.1.0" "attempt" (func $attempt (result i32)))"#;
    // 99 on a retry, which the trial does not make.
    let body = "(call $set (i32.const 300) (i32.const 6) (i32.const 306) (i32.const 2))
        (select (i32.const 99) (i32.const 0) (i32.gt_u (call $attempt) (i32.const 1)))";
    let data = "(data (i32.const 300) \"x-kind12\")";
    let mut rig = screened(&["response", "request"], imports, body, data);
    let seat = &mut rig.chains[0].policies[0].seat;
    let mut first: Lent = Some(Box::new(Request::default()));
    assert_eq!(seat.check(&mut first), Ok(Verdict::Proceed));
    assert_eq!(effects(&mut first).edits.len(), 1);
    let mut retry: Lent = Some(Box::new(Request {
        tried: vec![Slot(0)],
        ..Default::default()
    }));
    let said = seat.check(&mut retry);
    assert_eq!(said, Err(gatewright_host::Fault::Impossible));
    assert!(effects(&mut retry).edits.is_empty());
}

#[test]
fn headers_are_edited_and_those_of_framing_are_refused() {
    let set = r#"(import "gatewright:plugin/response@0.1.0" "set-header"
        (func $set (param i32 i32 i32 i32)))"#;
    let body = "(call $set (i32.const 300) (i32.const 6) (i32.const 320) (i32.const 2))
        (call $set (i32.const 306) (i32.const 14) (i32.const 320) (i32.const 2))
        (i32.const 0)";
    let data = "(data (i32.const 300) \"X-BookContent-Length12\")";
    let mut rig = screened(&["response"], set, body, data);
    let mut lent: Lent = Some(Box::new(Request::default()));
    assert_eq!(check(&mut rig, &mut lent), Verdict::Proceed);
    let (name, value) = ("x-book".into(), "12".to_owned());
    assert_eq!(
        effects(&mut lent).edits[..],
        [Edit::SetResponseHeader { name, value }]
    );
    let log = rig.chains[0].policies[0].seat.binding().journal().entries();
    assert!(log[0].message.contains("content-length"), "{log:?}");
}

#[test]
fn what_is_allowed_only_ever_gets_less_and_a_reason_is_cut() {
    let imports = r#"
        (import "gatewright:plugin/advice@0.1.0" "timeout" (func $timeout (param i32)))
        (import "gatewright:plugin/advice@0.1.0" "retries" (func $retries (param i32)))
        (import "gatewright:plugin/advice@0.1.0" "hedge-after" (func $hedge (param i32)))
        (import "gatewright:plugin/advice@0.1.0" "reason" (func $reason (param i32 i32)))
        (import "gatewright:plugin/advice@0.1.0" "second-choice" (func $second (param i32)))"#;
    let body = "(call $timeout (i32.const 200)) (call $timeout (i32.const 900))
        (call $retries (i32.const 1)) (call $retries (i32.const 3))
        (call $hedge (i32.const 70)) (call $second (i32.const 2))
        (call $reason (i32.const 300) (i32.const 1000)) (i32.const 0)";
    let data = format!("(data (i32.const 300) \"{}\")", "r".repeat(1000));
    let mut rig = screened(&["advice"], imports, body, &data);
    let mut lent: Lent = Some(Box::new(Request::default()));
    assert_eq!(check(&mut rig, &mut lent), Verdict::Proceed);
    let effects = effects(&mut lent);
    assert_eq!(effects.timeout, Some(Duration::from_millis(200)));
    assert_eq!(effects.retries, Some(1));
    assert_eq!(effects.hedge_after, Some(Duration::from_millis(70)));
    assert_eq!(effects.second_choice, Some(Slot(2)));
    assert_eq!(effects.reason.as_ref().map(String::len), Some(256));
}

#[test]
fn an_answer_outside_of_http_is_impossible() {
    let mut rig = screened(&[], "", "(i32.const 0)", "");
    let mut lent: Lent = Some(Box::new(Request::default()));
    assert_eq!(check(&mut rig, &mut lent), Verdict::Proceed);
    let odd =
        "(import \"gatewright:plugin/request@0.1.0\" \"attempt\" (func $attempt (result i32)))";
    // 99 on a retry, which the trial does not make.
    let body = "(select (i32.const 99) (i32.const 0) (i32.gt_u (call $attempt) (i32.const 1)))";
    let mut rig = screened(&["request"], odd, body, "");
    let retry = Request {
        tried: vec![Slot(0)],
        ..Default::default()
    };
    let fault = rig.chains[0].policies[0]
        .seat
        .check(&mut Some(Box::new(retry)));
    assert_eq!(fault, Err(gatewright_host::Fault::Impossible));
}

#[test]
fn a_decision_that_traps_leaves_no_edits() {
    let imports = r#"
        (import "gatewright:plugin/request@0.1.0" "attempt" (func $attempt (result i32)))
        (import "gatewright:plugin/response@0.1.0" "set-header"
            (func $set (param i32 i32 i32 i32)))"#;
    let body = "(call $set (i32.const 300) (i32.const 3) (i32.const 303) (i32.const 1))
        (if (i32.gt_u (call $attempt) (i32.const 1)) (then unreachable))
        (i32.const 0)";
    let data = "(data (i32.const 300) \"x-a1\")";
    let mut rig = screened(&["request", "response"], imports, body, data);
    let mut first: Lent = Some(Box::new(Request::default()));
    assert_eq!(check(&mut rig, &mut first), Verdict::Proceed);
    assert_eq!(effects(&mut first).edits.len(), 1);
    let retry = Request {
        tried: vec![Slot(0)],
        ..Default::default()
    };
    let mut retry: Lent = Some(Box::new(retry));
    let answer = rig.chains[0].policies[0].seat.check(&mut retry);
    assert_eq!(answer, Err(gatewright_host::Fault::Trapped));
    assert!(effects(&mut retry).edits.is_empty());
}
