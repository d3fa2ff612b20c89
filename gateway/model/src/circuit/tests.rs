//! A circuit in all its phases, by hand, in any order, and by many threads.

use std::sync::atomic::AtomicBool;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::endpoint::EndpointState;

const BREAKER: Breaker = Breaker {
    fail_threshold: 3,
    error_threshold: 5,
    open_time: Duration::from_secs(5),
    max_open_time: Duration::from_secs(12),
    max_ejected: 50,
};

/// A moment at which time matters in no test.
const NOW: Moment = Moment {
    steady_ms: 1_000_000,
    wall_ms: 1_700_000_000_000,
};

/// A pool in which so many circuits may be open, and members of it.
fn members<const N: usize>(allowed: u32) -> [Arc<EndpointState>; N] {
    let pool = Arc::<PoolState>::default();
    pool.circuits.allow(allowed);
    std::array::from_fn(|_| EndpointState::claim(&pool, 1).unwrap())
}

fn member() -> Arc<EndpointState> {
    let [member] = members(1);
    member
}

fn fails(circuit: &Circuit, times: u32, at: Moment) -> Option<Turn> {
    let turns = (0..times).map(|_| circuit.failed(Blow::Failure, &BREAKER, at));
    turns.last().flatten()
}

fn opened(turn: Option<Turn>) -> (u64, u64) {
    match turn {
        Some(Turn::Opened { opening, time, .. }) => (opening, time.as_secs()),
        other => panic!("it has not opened: {other:?}"),
    }
}

#[test]
fn as_many_failures_in_a_row_as_the_threshold_open_it() {
    let state = member();
    assert_eq!(fails(&state.circuit, 2, NOW), None);
    state.circuit.succeeded();
    assert_eq!(fails(&state.circuit, 2, NOW), None);
    assert_eq!(state.circuit.phase(), Phase::Closed);
    assert_eq!(opened(fails(&state.circuit, 1, NOW)), (1, 5));
    assert_eq!(state.circuit.phase(), Phase::Open);
    assert_eq!(state.circuit.opened_at(), Some(NOW.wall_ms));
    assert_eq!(state.circuit.open_since(), Some(NOW.steady_ms));
    let left = |after: u64| state.circuit.time_left(NOW.steady_ms + after);
    assert_eq!(left(2000), Some(Duration::from_secs(3)));
    assert_eq!(left(9000), Some(Duration::ZERO), "it is about to be tried");
    state.circuit.half_open(1);
    assert_eq!(left(0), None);
}

#[test]
fn errors_are_answers_and_count_with_failures_towards_their_own_threshold() {
    let state = member();
    let error = || state.circuit.failed(Blow::Error, &BREAKER, NOW);
    assert_eq!(fails(&state.circuit, 2, NOW), None);
    assert_eq!([error(), error()], [None, None]);
    let Some(Turn::Opened { cause, .. }) = fails(&state.circuit, 1, NOW) else {
        panic!("five in a row are too many");
    };
    assert_eq!(cause, Cause::Errors(5));
}

#[test]
fn half_open_it_lets_one_request_through_at_a_time() {
    let state = member();
    let (opening, _) = opened(fails(&state.circuit, 3, NOW));
    assert!(Permit::take(&state, true).is_none(), "it is open");
    assert!(state.circuit.half_open(opening));
    assert!(state.pool().circuits.wait_for_trials());
    assert!(
        Permit::take(&state, false).is_none(),
        "it may not be repeated"
    );
    let permit = Permit::take(&state, true).unwrap();
    assert!(Permit::take(&state, true).is_none());
    assert!(!state.pool().circuits.wait_for_trials());
    drop(permit);
    assert!(
        Permit::take(&state, true).is_some(),
        "the last one said nothing"
    );
}

#[test]
fn when_nobody_came_that_may_be_repeated_anybody_may_be_on_trial() {
    let state = member();
    let (opening, _) = opened(fails(&state.circuit, 3, NOW));
    state.circuit.half_open(opening);
    let permit = Permit::take(&state, true).unwrap();
    state.circuit.widen(opening);
    drop(permit);
    assert!(Permit::take(&state, false).is_some());
}

#[test]
fn a_trial_closes_it_or_opens_it_for_longer() {
    let state = member();
    let mut turn = fails(&state.circuit, 3, NOW);
    for (opening, seconds) in [(1, 5), (2, 10), (3, 12)] {
        assert_eq!(opened(turn), (opening, seconds));
        assert!(state.circuit.half_open(opening));
        turn = Permit::take(&state, true).unwrap().failed(&BREAKER, NOW);
    }
    let (opening, _) = opened(turn);
    state.circuit.half_open(opening);
    let permit = Permit::take(&state, true).unwrap();
    assert_eq!(permit.succeeded(NOW), Some(Turn::Closed));
    assert_eq!(state.circuit.phase(), Phase::Closed);
    assert_eq!(state.pool().circuits.taken(), 0);
}

#[test]
fn openings_are_forgiven_with_the_time_that_it_stays_closed() {
    let state = member();
    let mut now = NOW;
    // Somebody sets the clock on the wall over and over, which changes nothing.
    let mut clocks = [NOW.wall_ms + 86_400_000, 0].into_iter().cycle();
    let mut open_after = |rest: u64| {
        now.steady_ms += rest;
        now.wall_ms = clocks.next().unwrap_or_default();
        let (opening, seconds) = opened(fails(&state.circuit, 3, now));
        state.circuit.half_open(opening);
        let _ = Permit::take(&state, true).unwrap().succeeded(now);
        seconds
    };
    assert_eq!(open_after(0), 5);
    assert_eq!(
        open_after(1000),
        10,
        "it has rested for less than five seconds"
    );
    assert_eq!(
        open_after(10_000),
        10,
        "it has rested as long as it was open"
    );
    assert_eq!(open_after(600_000), 5);
}

#[test]
fn what_comes_late_of_an_earlier_opening_changes_nothing() {
    let state = member();
    let (first, _) = opened(fails(&state.circuit, 3, NOW));
    state.circuit.half_open(first);
    let late = Permit::take(&state, true).unwrap();
    assert!(state.circuit.close());
    let (second, _) = opened(fails(&state.circuit, 3, NOW));
    assert!(!state.circuit.half_open(first));
    state.circuit.half_open(second);
    let permit = Permit::take(&state, true).unwrap();
    assert_eq!(late.succeeded(NOW), None);
    assert!(
        Permit::take(&state, true).is_none(),
        "the permit is still out"
    );
    assert_eq!(permit.succeeded(NOW), Some(Turn::Closed));
}

#[test]
fn who_had_nowhere_else_to_go_closes_it_by_success_and_does_nothing_by_failure() {
    let state = member();
    assert!(Permit::as_last_resort(&state).is_none(), "it is closed");
    let (first, _) = opened(fails(&state.circuit, 3, NOW));
    let [late, failing, well] = [(); 3].map(|()| Permit::as_last_resort(&state).unwrap());
    assert_eq!(failing.failed(&BREAKER, NOW), None);
    assert_eq!(state.circuit.phase(), Phase::Open);
    assert_eq!(well.succeeded(NOW), Some(Turn::Closed));
    assert_eq!(opened(fails(&state.circuit, 3, NOW)).0, first + 1);
    assert_eq!(late.succeeded(NOW), None, "that was before it opened again");
    assert_eq!(state.circuit.phase(), Phase::Open);
}

#[test]
fn a_member_that_leaves_gives_its_place_to_another() {
    let [a, b] = members(1);
    assert!(fails(&a.circuit, 3, NOW).is_some());
    assert!(fails(&b.circuit, 3, NOW).is_none(), "one is open already");
    a.circuit.half_open(1);
    drop(a);
    assert!(!b.pool().circuits.wait_for_trials());
    assert!(fails(&b.circuit, 1, NOW).is_some());
}

#[test]
fn never_are_more_open_than_may_be_whoever_fails_at_once() {
    const MEMBERS: usize = 8;
    const ALLOWED: u32 = 3;
    let all: [_; MEMBERS] = members(ALLOWED);
    let over = AtomicBool::new(false);
    thread::scope(|threads| {
        let workers: Vec<_> = (0..4)
            .map(|seed| {
                let all = &all;
                threads.spawn(move || {
                    for step in 0..20_000_usize {
                        let state = &all[(step * 7 + seed) % MEMBERS];
                        disturb(state, step + seed);
                    }
                })
            })
            .collect();
        let watch = threads.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                assert!(all[0].pool().circuits.taken() <= ALLOWED);
            }
        });
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        over.store(true, Ordering::Relaxed);
        watch.join().unwrap();
    });
    let circuits = &all[0].pool().circuits;
    let not_closed = all.iter().filter(|state| !state.circuit.is_closed());
    assert_eq!(circuits.taken() as usize, not_closed.count());
    all.iter().for_each(|state| {
        state.circuit.close();
    });
    assert_eq!(circuits.taken(), 0);
    assert!(
        !circuits.wait_for_trials(),
        "no permit is waited for or lost"
    );
}

/// Whatever may happen to a circuit, from any thread.
fn disturb(state: &Arc<EndpointState>, step: usize) {
    let circuit = &state.circuit;
    match step % 5 {
        0 => {
            circuit.half_open(circuit.openings());
        }
        1 => circuit.widen(circuit.openings()),
        2 if step % 100 == 2 => {
            circuit.close();
        }
        3 => {
            let permit = Permit::take(state, step.is_multiple_of(2));
            match (permit, step % 3) {
                (Some(permit), 0) => drop(permit.succeeded(NOW)),
                (Some(permit), 1) => drop(permit.failed(&BREAKER, NOW)),
                (permit, _) => drop(permit),
            }
        }
        _ => drop(fails(circuit, 3, NOW)),
    }
}

/// What may come to a circuit.
#[derive(Clone, Copy, Debug)]
enum Step {
    Success,
    Blow(Blow),
    HalfOpen,
    Take(bool),
    TrialSucceeds,
    TrialFails,
    TrialIsGivenUp,
    Resort(bool),
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Success),
        Just(Step::Blow(Blow::Failure)),
        Just(Step::Blow(Blow::Error)),
        Just(Step::HalfOpen),
        any::<bool>().prop_map(Step::Take),
        Just(Step::TrialSucceeds),
        Just(Step::TrialFails),
        Just(Step::TrialIsGivenUp),
        any::<bool>().prop_map(Step::Resort),
        Just(Step::Close),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn in_any_order_of_things_it_is_in_the_phase_that_they_come_to(steps in steps()) {
        let state = member();
        let circuit = &state.circuit;
        let (mut phase, mut permit) = (Phase::Closed, None);
        let (mut failures, mut errors) = (0, 0);
        for step in steps {
            match step {
                Step::Success => {
                    circuit.succeeded();
                    (failures, errors) = (0, 0);
                }
                Step::Blow(blow) => {
                    let turn = circuit.failed(blow, &BREAKER, NOW);
                    if phase == Phase::Closed {
                        failures = if blow == Blow::Failure { failures + 1 } else { 0 };
                        errors += 1;
                        let is_enough = failures >= 3 || errors >= 5;
                        prop_assert_eq!(turn.is_some(), is_enough);
                        if is_enough {
                            phase = Phase::Open;
                            (failures, errors) = (0, 0);
                        }
                    } else {
                        prop_assert_eq!(turn, None);
                    }
                }
                Step::HalfOpen => {
                    let turned = circuit.half_open(circuit.openings());
                    prop_assert_eq!(turned, phase == Phase::Open);
                    if turned {
                        // A permit of before counts no more.
                        permit = None;
                        phase = Phase::HalfOpen;
                    }
                }
                Step::Take(may_repeat) => {
                    let taken = Permit::take(&state, may_repeat);
                    let is_free = phase == Phase::HalfOpen && permit.is_none() && may_repeat;
                    prop_assert_eq!(taken.is_some(), is_free);
                    permit = taken.or(permit);
                }
                Step::TrialSucceeds => if let Some(permit) = permit.take() {
                    let turn = permit.succeeded(NOW);
                    prop_assert_eq!(turn.is_some(), phase == Phase::HalfOpen);
                    if phase == Phase::HalfOpen {
                        phase = Phase::Closed;
                        (failures, errors) = (0, 0);
                    }
                },
                Step::TrialFails => if let Some(permit) = permit.take() {
                    let turn = permit.failed(&BREAKER, NOW);
                    prop_assert_eq!(turn.is_some(), phase == Phase::HalfOpen);
                    if phase == Phase::HalfOpen {
                        phase = Phase::Open;
                    }
                },
                Step::TrialIsGivenUp => permit = None,
                Step::Resort(succeeds) => {
                    let resort = Permit::as_last_resort(&state);
                    prop_assert_eq!(resort.is_some(), phase != Phase::Closed);
                    if let Some(resort) = resort {
                        let turn = match succeeds {
                            true => resort.succeeded(NOW),
                            false => resort.failed(&BREAKER, NOW),
                        };
                        prop_assert_eq!(turn, succeeds.then_some(Turn::Closed));
                        if succeeds {
                            phase = Phase::Closed;
                            (failures, errors) = (0, 0);
                            permit = None;
                        }
                    }
                }
                Step::Close => {
                    prop_assert_eq!(circuit.close(), phase != Phase::Closed);
                    if phase != Phase::Closed {
                        phase = Phase::Closed;
                        (failures, errors) = (0, 0);
                        permit = None;
                    }
                }
            }
            prop_assert_eq!(circuit.phase(), phase);
            let waits = phase == Phase::HalfOpen && permit.is_none();
            prop_assert_eq!(state.pool().circuits.wait_for_trials(), waits);
            prop_assert_eq!(state.pool().circuits.taken(), u32::from(phase != Phase::Closed));
        }
    }
}
