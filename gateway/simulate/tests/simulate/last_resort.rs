//! Servers whose circuits are open, when nobody else is left and when their
//! checks pass again.

use crate::support::run;

#[test]
fn a_request_that_all_others_have_failed_goes_where_the_circuit_is_open() {
    // The first server is down for a second, and its circuit open for an hour;
    // then it is the only one that answers.
    let text = "duration = \"4s\"\narrivals = { constant = { rate = 200 } }\n\
        work = { constant = { time = \"1ms\" } }\n\
        [pool]\nhealth = false\npanic_threshold = 0\nretries = { attempts = 4 }\n\
        breaker = { fail_threshold = 2, open_time = \"1h\", max_open_time = \"1h\" }\n\
        [[servers]]\nname = \"s\"\ncount = 4\nconcurrency = 9\n\
        [[failures]]\nservers = \"s[0]\"\nto = \"1s\"\ncrash = true\n\
        [[failures]]\nservers = \"s[1..4]\"\nfrom = \"2s\"\ncrash = true\n";
    for balancer in ["round-robin", "least-connections", "power-of-two"] {
        let outcome = run(balancer, text, 1);
        assert_eq!(outcome.errors, 0, "{balancer}");
    }
}

#[test]
fn a_server_whose_checks_pass_again_is_tried_at_once() {
    let text = "duration = \"10s\"\narrivals = { constant = { rate = 400 } }\n\
        work = { constant = { time = \"1ms\" } }\n\
        [pool]\nhealth = { interval = \"200ms\" }\n\
        breaker = { open_time = \"1h\", max_open_time = \"1h\" }\n\
        [[servers]]\nname = \"ill\"\nconcurrency = 9\n\
        [[servers]]\nname = \"well\"\ncount = 3\nconcurrency = 9\n\
        [[failures]]\nservers = \"ill\"\nfrom = \"1s\"\nto = \"3s\"\ncrash = true\n";
    let outcome = run("round-robin", text, 1);
    assert_eq!(outcome.errors, 0);
    // A quarter of all in 8 of 10 seconds, less what the checks took.
    let given = outcome.groups[0].requests;
    assert!((700..=800).contains(&given), "{given}");
}
