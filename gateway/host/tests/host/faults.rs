//! Plugins that misbehave while they decide.

use std::time::{Duration, Instant};

use gatewright_host::{Fault, Happening, Verdict};
use gatewright_model::id::Slot;

use crate::imports::screened;
use crate::support::{FRAME, MINE, Request, Rig, balancer, component, config, picking, request};

/// A balancer that misbehaves for some keys and picks slot 1 for all others.
const MISCHIEF: &str = r#"
    (if (i64.eq (local.get $key) (i64.const 666)) (then unreachable))
    (if (i64.eq (local.get $key) (i64.const 667)) (then (loop $for_ever (br $for_ever))))
    (if (i64.eq (local.get $key) (i64.const 668)) (then
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        unreachable))
    (if (i64.eq (local.get $key) (i64.const 669)) (then (return (i32.const 99))))
    (i32.const 1)
"#;

/// The next decision is made, by a fresh instance or the same.
fn goes_on_after(key: u64, expected: Fault) {
    let mut rig = Rig::balanced_by(&picking(MISCHIEF));
    assert_eq!(rig.pick(1), Ok(Some(Slot(1))));
    let mut lent = request();
    assert_eq!(rig.balancer().pick(key, &mut lent), Err(expected));
    assert!(lent.is_some(), "the exchange did not come back");
    let answer = eventually(&mut rig, |answer| *answer != Err(Fault::Vacant));
    assert_eq!(answer, Ok(Some(Slot(1))));
    let binding = rig.balancer().binding();
    let log = binding.journal().entries();
    assert!(log[0].message.contains(&expected.to_string()), "{log:?}");
}

type Answer = Result<Option<Slot>, Fault>;

fn eventually(rig: &mut Rig, is_it: impl Fn(&Answer) -> bool) -> Answer {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = rig.pick(1);
        if is_it(&answer) {
            return answer;
        }
        assert!(Instant::now() < patience, "it never came: {answer:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_trap_costs_one_decision() {
    goes_on_after(666, Fault::Trapped);
}

#[test]
fn an_endless_loop_is_stopped_by_its_deadline() {
    goes_on_after(667, Fault::Overran);
}

#[test]
fn a_memory_hog_meets_its_limit() {
    goes_on_after(668, Fault::OutOfMemory);
}

#[test]
fn a_slot_that_was_never_given_is_impossible() {
    goes_on_after(669, Fault::Impossible);
}

#[test]
fn five_faults_quarantine_the_version_on_all_workers() {
    let mut rig = Rig::balanced_by(&picking(MISCHIEF));
    let events = rig.host.events();
    let mut lent = request();
    for fault in 0..5 {
        let seat = &mut rig.chains[fault % 2].pools[0].balancer;
        assert_eq!(seat.pick(669, &mut lent), Err(Fault::Impossible));
    }
    for chain in &mut rig.chains {
        let answer = chain.pools[0].balancer.pick(1, &mut lent);
        assert_eq!(answer, Err(Fault::Quarantined));
    }
    let happenings: Vec<_> = events.try_iter().map(|event| event.happening).collect();
    assert_eq!(happenings.len(), 6);
    assert_eq!(happenings[5], Happening::Quarantined);
}

/// A policy that traps on every request that has tried somebody.
fn touchy_policy() -> Rig {
    let attempt =
        "(import \"gatewright:plugin/request@0.1.0\" \"attempt\" (func $attempt (result i32)))";
    let body = "(if (i32.gt_u (call $attempt) (i32.const 1)) (then unreachable)) (i32.const 0)";
    screened(&["request"], attempt, body, "")
}

/// How the policy's next decision ends, once there is somebody to make it.
fn judge(rig: &mut Rig, is_touched: bool) -> Result<Verdict, Fault> {
    let tried = if is_touched { vec![Slot(0)] } else { vec![] };
    let request = Request {
        tried,
        ..Request::default()
    };
    loop {
        let seat = &mut rig.chains[0].policies[0].seat;
        let answer = seat.check(&mut Some(Box::new(request.clone())));
        if answer != Err(Fault::Vacant) {
            return answer;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_policy_that_has_proven_itself_goes_on_whatever_requests_it_faults_on() {
    let mut rig = touchy_policy();
    for _ in 0..100 {
        assert_eq!(judge(&mut rig, false), Ok(Verdict::Proceed));
    }
    for _ in 0..20 {
        assert_eq!(judge(&mut rig, true), Err(Fault::Trapped));
    }
    assert_eq!(judge(&mut rig, false), Ok(Verdict::Proceed));
}

#[test]
fn a_policy_that_faults_from_its_beginning_is_quarantined() {
    let mut rig = touchy_policy();
    for _ in 0..5 {
        assert_eq!(judge(&mut rig, false), Ok(Verdict::Proceed));
        assert_eq!(judge(&mut rig, true), Err(Fault::Trapped));
    }
    assert_eq!(judge(&mut rig, false), Err(Fault::Quarantined));
}

#[test]
fn three_overruns_quarantine_already() {
    let mut rig = Rig::balanced_by(&picking(MISCHIEF));
    for _ in 0..3 {
        assert!(eventually(&mut rig, Result::is_ok).is_ok());
        assert_eq!(rig.pick(667), Err(Fault::Overran));
    }
    assert_eq!(rig.pick(1), Err(Fault::Quarantined));
}

#[test]
fn the_version_before_a_quarantined_one_returns() {
    let mut rig = Rig::balanced_by(&picking("(i32.const 2)"));
    let good = rig.balancer().binding().version();
    rig.place("mine", &picking(MISCHIEF));
    rig.retake().unwrap();
    let bad = rig.balancer().binding().version();
    assert_eq!(rig.pick(1), Ok(Some(Slot(1))));
    (0..5).for_each(|_| assert!(rig.pick(669).is_err()));
    // Preparing again, twice: what stands in stays.
    for _ in 0..2 {
        rig.retake().unwrap();
        assert_eq!(rig.pick(1), Ok(Some(Slot(2))));
        let binding = rig.balancer().binding();
        assert_eq!(binding.version(), good);
        assert_eq!(binding.stands_in_for(), Some(bad));
    }
}

#[test]
fn a_quarantined_version_without_a_past_keeps_its_seat_and_is_not_asked() {
    let mut rig = Rig::balanced_by(&picking(MISCHIEF));
    (0..5).for_each(|_| assert!(rig.pick(669).is_err()));
    rig.retake().unwrap();
    assert_eq!(rig.pick(1), Err(Fault::Quarantined));
    // Another configuration is another chance.
    let changed =
        "balancer = { plugin = \"mine\", deadline = \"300ms\", config = { now = \"right\" } }";
    rig.take(&config(changed, 3)).unwrap();
    assert_eq!(rig.pick(1), Ok(Some(Slot(1))));
}

#[test]
fn a_plugin_that_is_slow_to_start_is_restarted_aside() {
    let functions = balancer(MISCHIEF).replace("(i32.const 64))", "(call $toil) (i32.const 64))");
    let toil = r#"(func $toil (local $i i32) (loop $on
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (i32.store (i32.const 128) (local.get $i))
        (br_if $on (i32.lt_u (local.get $i) (i32.const 8000000)))))"#;
    let slow = component(
        &[],
        &["balancing"],
        &format!("(module {FRAME} {toil} {functions})"),
    );
    let mut rig = Rig::balanced_by(&slow);
    assert_eq!(rig.pick(666), Err(Fault::Trapped));
    assert_eq!(rig.pick(1), Err(Fault::Vacant));
    assert_eq!(eventually(&mut rig, Result::is_ok), Ok(Some(Slot(1))));
    let counters = &rig.balancer().binding().counters()[0];
    assert_eq!(counters.restarts.get(), 0);
    assert!(counters.vacant.get() >= 1);
}

/// A balancer that is busy for some tens of microseconds with each pick.
const BUSY: &str = r#"
    (local $turn i32)
    (loop $on
        (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
        (br_if $on (i32.lt_u (local.get $turn) (i32.const 100000))))
    (i32.const 1)
"#;

#[test]
fn beyond_its_share_of_the_time_a_plugin_rests_and_is_asked_again() {
    let mut rig = Rig::new();
    rig.place("mine", &picking(BUSY));
    let capped = MINE.replace(" }", ", cpu_share = 5 }");
    rig.take(&config(&capped, 3)).unwrap();
    for _ in 0..2 {
        let answer = eventually(&mut rig, |answer| *answer == Err(Fault::Capped));
        assert_eq!(answer, Err(Fault::Capped));
        let answer = eventually(&mut rig, |answer| *answer != Err(Fault::Capped));
        assert_eq!(answer, Ok(Some(Slot(1))));
    }
    let binding = rig.balancer().binding();
    let counters = &binding.counters()[0];
    assert_eq!(counters.faults(), 0, "to rest is no fault");
    assert_eq!(counters.fallbacks(), counters.capped.get());
    assert!(!binding.is_quarantined());
}

#[test]
fn without_a_limit_a_busy_plugin_is_asked_each_time() {
    let mut rig = Rig::balanced_by(&picking(BUSY));
    let until = Instant::now() + Duration::from_millis(300);
    while Instant::now() < until {
        assert_eq!(rig.pick(1), Ok(Some(Slot(1))));
    }
}
