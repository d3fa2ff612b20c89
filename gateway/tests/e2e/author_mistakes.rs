//! What authors of plugins do wrong, and the answers that they get: from
//! `gatewright plugin check` on their own machine, and from a gateway.

use crate::support::{Builder, Gateway, Guest, Pool, Upstream, ends, misdeeds};

/// What a panic of a plugin in Rust leaves: words in its log, then a trap.
const PANIC: &str = "(call $write (i32.const 0) (i32.const 512) (i32.const 41)) (unreachable)";

/// What writes them.
const WRITE: &str = "$write (param i32 i32 i32)";

/// As the SDK's panic hook writes it.
const LAST_WORDS: &str = "panicked at src/lib.rs:7:9: no such place";

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

/// A balancer that runs this code with log and last words at hand.
fn talkative(guest: Guest) -> Vec<u8> {
    let guest = guest.importing("log", "write", WRITE);
    guest.saying(&[LAST_WORDS]).build()
}

/// A component that both `plugin check` and an upload must refuse, saying this.
async fn refused_by_both(component: Vec<u8>, parts: &[&str]) {
    let (gateway, _a) = gateway().await;
    gateway.put("mine.wasm", component);
    for command in ["check", "push"] {
        let said = ends(&gateway, 1, &["plugin", command, "mine.wasm"]).await;
        for part in parts {
            assert!(said.contains(part), "{command}: {part:?} is not in: {said}");
        }
    }
    assert_eq!(gateway.get("/").await.text(), "a");
}

fn text(component: &str) -> Vec<u8> {
    wat::parse_str(component).expect("a component")
}

#[tokio::test]
async fn a_missing_export_is_named() {
    let parts = [
        "none of the contract's worlds",
        "balancing",
        "exports nothing",
    ];
    refused_by_both(text("(component)"), &parts).await;
}

#[tokio::test]
async fn a_function_of_another_type_is_named() {
    let parts = [
        "another type than the contract says",
        "`configure` of gatewright:plugin/balancing@0.1.0",
        "wit folder",
    ];
    refused_by_both(Guest::mistyped(), &parts).await;
}

#[tokio::test]
async fn a_call_that_would_wait_is_named_with_what_to_do_about_it() {
    let waits = r#"(component (import "wasi:io/poll@0.2.0" (instance)))"#;
    let parts = ["wasi:io/poll@0.2.0", "does not offer", "--stub-wasi"];
    refused_by_both(text(waits), &parts).await;
}

#[tokio::test]
async fn an_import_beyond_the_contract_is_named_beside_those_that_there_are() {
    let reads = r#"(component (import "gatewright:plugin/files@0.1.0" (instance)))"#;
    let parts = ["gatewright:plugin/files@0.1.0", "it offers", "request"];
    refused_by_both(text(reads), &parts).await;
}

#[tokio::test]
async fn a_panic_in_the_trial_is_told_with_its_words_and_its_place() {
    let component = talkative(Guest::balancer(PANIC));
    refused_by_both(
        component,
        &["in a trial", LAST_WORDS, "unreachable", "!pick"],
    )
    .await;
}

#[tokio::test]
async fn a_decision_that_never_ends_is_told_with_the_time_that_it_has() {
    let component = Guest::balancer(misdeeds::LOOP).build();
    refused_by_both(
        component,
        &["did not answer in time", "in a trial", "`deadline`"],
    )
    .await;
}

#[tokio::test]
async fn more_memory_than_may_be_had_is_told_with_what_was_in_use() {
    let component = Guest::balancer(misdeeds::EAT).build();
    refused_by_both(
        component,
        &[
            "ran out of memory",
            "bytes of memory were in use",
            "--memory",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_build_that_is_not_finished_is_told_as_one() {
    refused_by_both(Vec::new(), &["is the build finished?"]).await;
}

/// As the standard library of Rust says it.
const SLEEPLESS: &str = "panicked at unsupported.rs:45:5: can't sleep.";

#[tokio::test]
async fn a_plugin_that_sleeps_by_its_own_library_is_told_that_nothing_waits() {
    assert_eq!(SLEEPLESS.len(), LAST_WORDS.len() + 4);
    let panic = PANIC.replace("41", "45");
    let guest = Guest::balancer(&panic).importing("log", "write", WRITE);
    let component = guest.saying(&[SLEEPLESS]).build();
    refused_by_both(component, &["can't sleep", "nothing waits in a plugin"]).await;
}

#[tokio::test]
async fn a_component_that_is_too_big_is_told_how_big_it_may_be() {
    let mut component = Guest::always(0, 0);
    component.resize((64 << 20) + 1, 0);
    refused_by_both(component, &["64 MiB"]).await;
}

#[tokio::test]
async fn what_faults_beside_the_trial_is_found_by_the_check() {
    let (gateway, _a) = gateway().await;
    gateway.put("mine.wasm", talkative(Guest::balancer_that(PANIC)));
    let said = ends(&gateway, 1, &["plugin", "check", "mine.wasm"]).await;
    for part in ["in decision 1", LAST_WORDS, "unreachable"] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[tokio::test]
async fn a_panic_under_traffic_is_in_the_log_with_its_words_and_its_place() {
    let a = Upstream::named("a").await;
    let pool = Pool::of(&[&a]).with("balancer", "\"mine\"");
    let component = talkative(Guest::balancer_that(PANIC));
    let builder = Builder::new().plugin("mine", component).pool(pool);
    let gateway = builder.start().await;
    assert_eq!(gateway.get("/").await.text(), "a");
    let said = ends(&gateway, 0, &["plugin", "logs", "mine", "-n", "2"]).await;
    for part in [LAST_WORDS, "the plugin trapped", "unreachable", "!pick"] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[tokio::test]
async fn a_configuration_that_the_plugin_refuses_is_no_way_to_pass_the_check() {
    let (gateway, _a) = gateway().await;
    let router = gatewright_host::defaults().iter();
    let router = router.clone().find(|plugin| plugin.name == "path-router");
    gateway.put("router.wasm", router.expect("it is there").component);
    let check = ["plugin", "check", "router.wasm"];
    let wrong = [&check[..], &["--config", r#"{"route":[]}"#]].concat();
    let said = ends(&gateway, 1, &wrong).await;
    assert!(!said.contains("in its file"), "{said}");
    let routes = r#"{"routes":[{"path":"/x","pool":"next"}]}"#;
    let with = [&check[..], &["--config", routes]].concat();
    let said = ends(&gateway, 1, &with).await;
    assert!(said.contains("next"), "{said}");
    let said = ends(&gateway, 0, &[&with[..], &["--pools", "next"]].concat()).await;
    assert!(said.contains("1000 decisions as router"), "{said}");
}

/// Clears the screen, and begins a line of its own.
const LOUD: &str = "\\1b[2J\\0aforged";

#[tokio::test]
async fn what_a_plugin_says_is_on_one_line_and_does_nothing_to_a_terminal() {
    let writes = "(call $write (i32.const 2) (i32.const 512) (i32.const 11)) (i32.const 0)";
    let guest = Guest::balancer(writes);
    let guest = guest.importing("log", "write", WRITE);
    let component = guest.saying(&[LOUD]).build();
    let a = Upstream::named("a").await;
    let pool = Pool::of(&[&a]).with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", component.clone()).pool(pool);
    let gateway = builder.start().await;
    gateway.put("loud.wasm", component);
    assert_eq!(gateway.get("/").await.text(), "a");
    for command in ["run", "check", "logs"] {
        let of = match command {
            "logs" => "mine",
            _ => "loud.wasm",
        };
        let said = ends(&gateway, 0, &["plugin", command, of]).await;
        assert!(said.contains(r"\u{1b}[2J\nforged"), "{command}: {said}");
        assert!(!said.contains('\u{1b}'), "{command}: {said}");
    }
    let own = gateway.log();
    let line = own.lines().find(|line| line.contains("forged"));
    assert!(line.is_some_and(|line| line.contains(r"\nforged")), "{own}");
}

#[tokio::test]
async fn what_passes_the_check_is_told_with_the_settings_that_it_needs() {
    let (gateway, _a) = gateway().await;
    let draws = Guest::balancer("(drop (call $next)) (i32.const 0)");
    let draws = draws.importing("random", "next", "$next (result i64)");
    gateway.put("my_own.wasm", draws.build());
    let said = ends(&gateway, 0, &["plugin", "check", "my_own.wasm"]).await;
    for part in [
        "my_own.wasm is a balancer against version 0.1.0 of the contract",
        "random (by the grant \"random\")",
        "1000 decisions as balancer among 100 servers",
        "2.0 ms are allowed",
        "[plugins.my-own]",
        "grants = [\"random\"]",
    ] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    let refused = ends(&gateway, 1, &["plugin", "push", "my_own.wasm"]).await;
    assert!(refused.contains("--grant random"), "{refused}");
    assert!(!refused.contains("[plugins."), "{refused}");
    let push = ["plugin", "push", "my_own.wasm", "--grant", "random"];
    ends(&gateway, 0, &push).await;
}

#[tokio::test]
async fn a_decision_is_shown_and_its_cost_measured_without_a_gateway() {
    let (gateway, _a) = gateway().await;
    gateway.put("mine.wasm", Guest::always(1, 0));
    let run = ["plugin", "run", "mine.wasm", "--endpoints", "a:1,b:2"];
    let said = ends(&gateway, 0, &run).await;
    assert!(said.starts_with("b:2 ("), "{said}");
    let said = ends(&gateway, 0, &["plugin", "bench", "mine.wasm"]).await;
    let sizes = ["3", "100", "1000"].map(|size| format!("\n{size} "));
    assert!(sizes.iter().all(|size| said.contains(size)), "{said}");
    let wrong = ["plugin", "run", "mine.wasm", "--request", "nonsense"];
    ends(&gateway, 2, &wrong).await;
    ends(&gateway, 2, &["plugin", "check", "nothing.wasm"]).await;
}
