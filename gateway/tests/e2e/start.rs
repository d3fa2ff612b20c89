//! Starts that are refused: exit code 2, and words that say what, where, why,
//! and what to do.

use std::net::SocketAddr;

use crate::support::{Builder, Gateway, Guest, Pool, Upstream, misdeeds, run_until_exit};

/// What a gateway says that is not to start.
async fn refusal(builder: Builder) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    builder.write(&folder.path().join("gatewright.toml"));
    let (code, words) = run_until_exit(&["run", "-c", "gatewright.toml"], folder.path()).await;
    assert_eq!(code, 2, "{words}");
    words
}

/// An address for a server that nobody asks.
fn somewhere() -> Pool {
    Pool::at(&[SocketAddr::from(([127, 0, 0, 1], 9))])
}

/// All of these words are there.
fn says(words: &str, expected: &[&str]) {
    for expected in expected {
        assert!(words.contains(expected), "no {expected:?} in:\n{words}");
    }
}

#[tokio::test]
async fn mistakes_are_told_with_file_key_and_remedy() {
    let base = || Builder::new().pool(somewhere());
    for (builder, expected) in [
        (
            base().with("[limits]\nrequest_haed = \"64KiB\""),
            &["gatewright.toml", "request_haed", "request_head"],
        ),
        (
            base().with("[timeouts]\nidle = 5"),
            &["gatewright.toml", "timeouts.idle", "5s"],
        ),
        (
            base().top("default_pool = \"wbe\""),
            &["gatewright.toml", "default_pool", "web"],
        ),
        (
            Builder::new().pool(somewhere().with("balancer", "\"mine\"")),
            &["gatewright.toml", "balancer", "mine"],
        ),
    ] {
        says(&refusal(builder).await, expected);
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_named() {
    let tls = "certificates = [{ cert = \"a.pem\", key = \"a.key\" }]";
    let builder = Builder::new()
        .pool(somewhere())
        .tls(tls)
        .file("a.pem", "nothing");
    let words = refusal(builder.clone()).await;
    says(
        &words,
        &[
            "gatewright.toml:",
            "listener[1].tls.certificates[0].key",
            "a.key",
        ],
    );
    let words = refusal(builder.file("a.key", "nothing")).await;
    says(&words, &["gatewright.toml", "listener[1].tls", "a.pem"]);
}

#[tokio::test]
async fn a_mistake_in_a_plugins_settings_is_told_with_key_and_remedy() {
    let balancer = |settings: &str| {
        let table = format!("{{ plugin = \"consistent-hash\", config = {{ {settings} }} }}");
        Builder::new().pool(somewhere().with("balancer", &table))
    };
    let words = refusal(balancer("flor = 1")).await;
    let key = "pools.web.balancer.config.flor: plugin \"consistent-hash\": ";
    says(
        &words,
        &[
            "gatewright.toml:",
            key,
            "this key is not known; did you mean \"floor\"?",
        ],
    );
    let words = refusal(balancer("floor = \"much\"")).await;
    let remedy = "\"much\" does not fit here; write a";
    says(&words, &["pools.web.balancer.config.floor: ", remedy]);
    assert!(!words.contains("column"), "{words}");
}

#[tokio::test]
async fn a_missing_plugin_file_is_named() {
    let builder = Builder::new().with("[plugins.mine]\nfile = \"mine.wasm\"");
    let builder = builder.pool(somewhere().with("balancer", "\"mine\""));
    says(&refusal(builder).await, &["gatewright.toml", "mine.wasm"]);
}

#[tokio::test]
async fn a_port_that_another_gateway_has_is_named() {
    let server = Upstream::named("a").await;
    let first = Gateway::before(Pool::of(&[&server])).await;
    let second = Builder::new().listen(first.address()).pool(somewhere());
    let port = first.address().port().to_string();
    says(&refusal(second).await, &["gatewright.toml", &port, "taken"]);
    assert_eq!(first.get("/").await.text(), "a");
}

#[tokio::test]
async fn a_port_that_another_program_has_is_named() {
    let other = Upstream::named("a").await;
    let builder = Builder::new().listen(other.address()).pool(somewhere());
    let port = other.address().port().to_string();
    says(
        &refusal(builder).await,
        &["gatewright.toml", &port, "taken"],
    );
}

#[tokio::test]
async fn components_that_cannot_be_seated_are_refused_with_a_remedy() {
    let greedy = Guest::balancer("(i32.const 0)").importing("store", "remove", "(param i32 i32)");
    for (component, expected) in [
        (
            wat::parse_str("(module)").expect("a module"),
            &["core module", "wasm-tools component new"],
        ),
        (
            Guest::router_that(misdeeds::TRAP).build(),
            &["cannot be a balancer", "balancing@0.1.0"],
        ),
        (greedy.build(), &["store", "grants = [\"store\"]"]),
        (
            Guest::balancer(misdeeds::TRAP).build(),
            &["trapped", "trial"],
        ),
        (
            Guest::balancer(misdeeds::LOOP).build(),
            &["in time", "trial"],
        ),
        (Guest::balancer(misdeeds::EAT).build(), &["memory", "trial"]),
        (
            Guest::balancer("(i32.const 99)").build(),
            &["impossible", "99"],
        ),
    ] {
        let pool = somewhere().with("balancer", "\"mine\"");
        let words = refusal(Builder::new().plugin("mine", component).pool(pool)).await;
        says(&words, &["gatewright.toml", "mine"]);
        says(&words, expected);
    }
}
