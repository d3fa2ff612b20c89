//! What a plugin says along with its picks.

use crate::plugin::Plugin;

/// A plugin that may call `$retries` and `$second`.
const ADVISER: Plugin<'_> = Plugin {
    interfaces: &["advice"],
    imports: r#"
        (import "gatewright:plugin/advice@0.1.0" "retries" (func $retries (param i32)))
        (import "gatewright:plugin/advice@0.1.0" "second-choice" (func $second (param i32)))"#,
    update: "",
    pick: "",
};

/// Two servers, the first of which is down.
const FIRST_IS_DOWN: &str = "requests = 100\narrivals = { constant = { rate = 100 } }\n\
    work = { constant = { time = \"1ms\" } }\n[pool]\nhealth = false\nbreaker = false\n\
    [[servers]]\nname = \"down\"\n[[servers]]\nname = \"up\"\n\
    [[failures]]\nservers = \"down\"\ncrash = true\n";

#[test]
fn a_plugin_that_advises_no_retry_gets_none() {
    let run = |pick: &str| Plugin { pick, ..ADVISER }.run(FIRST_IS_DOWN);
    let retried = run("(i32.const 0)");
    assert_eq!((retried.errors, retried.retries), (0, 100));
    let advised = run("(call $retries (i32.const 0)) (i32.const 0)");
    assert_eq!((advised.errors, advised.retries), (100, 0));
}

#[test]
fn a_second_choice_is_the_one_of_the_request_that_it_was_named_for() {
    // Even keys go to the first server, which fails, and then to the third; odd
    // ones to the second, and would go to the fourth, which is down.
    let text = "requests = 1000\narrivals = { poisson = { rate = 500 } }\n\
        work = { exponential = { mean = \"20ms\" } }\n[pool]\nhealth = false\nbreaker = false\n\
        retries = { attempts = 2, statuses = [500], budget = 1.0 }\n\
        [[servers]]\nname = \"s\"\ncount = 4\nconcurrency = 1000\n\
        [[failures]]\nservers = \"s[0]\"\nerrors = 1.0\n\
        [[failures]]\nservers = \"s[3]\"\ncrash = true\n";
    let pick = "(local $one i32) \
        (local.set $one (i32.wrap_i64 (i64.and (local.get $key) (i64.const 1)))) \
        (call $second (i32.add (local.get $one) (i32.const 2))) (local.get $one)";
    let outcome = Plugin { pick, ..ADVISER }.run(text);
    assert_eq!(outcome.errors, 0);
    assert!((400..600).contains(&outcome.retries), "{}", outcome.retries);
}
