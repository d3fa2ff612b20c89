//! The battery by which balancers are judged.

use gatewright_model::config::DEFAULT_BALANCERS;
use gatewright_simulate::{Policy, Verdict, certify};

use crate::support::workshop;

fn verdicts(balancer: &str) -> Vec<Verdict> {
    let mut policy = Policy::named(balancer);
    if balancer == "zone" {
        policy.config.insert("zone".to_owned(), "a".into());
    }
    let certificate = certify(&policy, &workshop(), &mut |_, _| {});
    certificate.unwrap().verdicts
}

#[test]
fn every_balancer_of_the_gateways_own_passes_what_is_required() {
    // One is there to leave servers without work.
    let judged = |balancer: &&str| *balancer != "first";
    for balancer in DEFAULT_BALANCERS.into_iter().filter(judged) {
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
fn who_fills_one_server_before_the_next_is_told_to_starve_the_others() {
    let failed = verdicts("first").into_iter().filter(|it| !it.passed);
    let failed: Vec<_> = failed.map(|it| it.case).collect();
    for uneven in ["five equal servers, none starved", "a thousand servers"] {
        assert!(failed.contains(&uneven), "{failed:?}");
    }
}

#[test]
fn it_tells_who_goes_by_the_client_and_who_finds_a_stuck_server_out() {
    let [turns, least, by_address, by_table] = [
        "round-robin",
        "least-connections",
        "ip-hash",
        "consistent-hash",
    ]
    .map(verdicts);
    let passed = |verdicts: &[Verdict], case: &str| {
        let mut verdicts = verdicts.iter();
        let verdict = verdicts.find(|verdict| verdict.case.starts_with(case));
        verdict.map(|verdict| verdict.passed)
    };
    assert_eq!(passed(&turns, "one server stuck, found"), Some(false));
    assert_eq!(passed(&least, "one server stuck, found"), Some(true));
    assert_eq!(passed(&turns, "clients keep"), None);
    for by_client in [by_address, by_table] {
        assert_eq!(passed(&by_client, "clients keep"), Some(true));
    }
}
