//! Configurations that a default plugin does not take: a reload is refused with
//! the key's name, and what was there goes on.

use crate::support::{Builder, Pool, Upstream};

/// A plugin, a configuration that it takes, one that it does not, and the key
/// that it blames.
const MISTAKES: [(&str, &str, &str, &str); 8] = [
    ("rate-limit", "rate = \"100/s\"", "rate = \"often\"", "rate"),
    (
        "headers",
        "request = {}",
        "request = { set = { Host = \"a\" } }",
        "request.set.Host",
    ),
    (
        "access",
        "rules = []",
        "rules = [{ action = \"deny\", network = \"10/99\" }]",
        "rules[0].network[0]",
    ),
    (
        "auth",
        "bearer = { tokens = { ci = \"DIGEST\" } }",
        "bearer = { tokens = { ci = \"secret\" } }",
        "bearer.tokens.ci",
    ),
    (
        "validate",
        "rules = []",
        "rules = [{ methods = \"get\" }]",
        "rules[0].methods",
    ),
    (
        "geo",
        "networks = { eu = [] }",
        "networks = { eu = [\"europe\"] }",
        "networks.eu[0]",
    ),
    (
        "geo",
        "networks = { eu = [] }, default = \"eu\"",
        "networks = { eu = [] }, default = \"ue\"",
        "default",
    ),
    (
        "ab-split",
        "name = \"x\", variants = { a = 1 }",
        "name = \"x\", variants = { a = 0 }",
        "variants",
    ),
];

#[tokio::test]
async fn a_policy_that_would_not_work_is_refused_at_its_key_and_the_old_one_stays() {
    let digest = "ab".repeat(32);
    let server = Upstream::named("a").await;
    for (plugin, right, wrong, key) in MISTAKES {
        let right = right.replace("DIGEST", &digest);
        let policy = format!("[[policy]]\nplugin = \"{plugin}\"\nconfig = {{ {right} }}");
        let builder = Builder::new().with(&policy).pool(Pool::of(&[&server]));
        let gateway = builder.start().await;
        let before = gateway.get("/").await.status();
        gateway.edit(|text| text.replace(&right, wrong));
        gateway.says(&format!("config.{key}: ")).await;
        assert_eq!(
            gateway.metric("gatewright_generation").await,
            1.0,
            "{plugin}"
        );
        assert_eq!(gateway.get("/").await.status(), before, "{plugin}");
    }
}

#[tokio::test]
async fn an_affinity_that_would_not_work_is_refused_at_its_key_and_the_old_one_stays() {
    let server = Upstream::named("a").await;
    for (plugin, wrong, key) in [
        ("sticky-learn", "cookie = \"a b\"", "cookie"),
        ("sticky-learn", "claimed_idle_s = 7200", "claimed_idle_s"),
        ("sticky-ip", "idle_s = 0", "idle_s"),
    ] {
        let pool = Pool::of(&[&server]).with("affinity", format!("\"{plugin}\""));
        let gateway = Builder::new().pool(pool).start().await;
        let now_wrong = format!("{{ plugin = \"{plugin}\", config = {{ {wrong} }} }}");
        gateway.edit(|text| text.replace(&format!("\"{plugin}\""), &now_wrong));
        gateway.says(&format!("config.{key}: ")).await;
        assert_eq!(
            gateway.metric("gatewright_generation").await,
            1.0,
            "{plugin}"
        );
        assert_eq!(gateway.get("/").await.text(), "a");
    }
}
