//! The battery by which balancers are judged.

use gatewright_model::config::DEFAULT_BALANCERS;
use gatewright_simulate::{Policy, Verdict, certify};

use crate::support::workshop;

fn verdicts(balancer: &str) -> Vec<Verdict> {
    certify(&Policy::named(balancer), &workshop(), &mut |_, _| {}).unwrap()
}

#[test]
fn every_balancer_of_the_gateways_own_passes_what_is_required() {
    for balancer in DEFAULT_BALANCERS {
        for verdict in verdicts(balancer) {
            let Verdict { case, figures, .. } = &verdict;
            // How long decisions take says little in a build for tests.
            let is_timed = case.starts_with("decision time");
            assert!(
                verdict.passed || !verdict.required || is_timed,
                "{balancer}: {case}: {figures}"
            );
        }
    }
}

#[test]
fn it_tells_who_goes_by_the_client_and_who_finds_a_stuck_server_out() {
    let passed = |balancer: &str, case: &str| {
        let verdicts = verdicts(balancer);
        let mut verdicts = verdicts.iter();
        let verdict = verdicts.find(|verdict| verdict.case.starts_with(case));
        verdict.map(|verdict| verdict.passed)
    };
    assert_eq!(
        passed("round-robin", "one server stuck, found"),
        Some(false)
    );
    assert_eq!(
        passed("least-connections", "one server stuck, found"),
        Some(true)
    );
    assert_eq!(passed("round-robin", "keys moved"), None);
    assert!(passed("ip-hash", "keys moved").is_some());
}
