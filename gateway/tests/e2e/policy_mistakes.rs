//! Configurations that a default plugin does not take: a reload, or a change by the
//! API, is refused with the key's name, and what was there goes on.

use serde_json::Value;

use crate::support::{Builder, Gateway, Pool, Upstream, eventually};

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

/// A seat as a configuration names it, and as the API does.
struct Seat {
    key: &'static str,
    path: &'static str,
}

const ROUTER: Seat = Seat {
    key: "router",
    path: "/api/bindings/-/router",
};

const AFFINITY: Seat = Seat {
    key: "pools.web.affinity",
    path: "/api/bindings/web/affinity",
};

const BALANCER: Seat = Seat {
    key: "pools.web.balancer",
    path: "/api/bindings/web/balancer",
};

/// A plugin with a configuration, as a file binds it.
fn bound(plugin: &str, config: &str) -> String {
    format!("{{ plugin = \"{plugin}\", config = {{ {config} }} }}")
}

impl Seat {
    /// Ask by the API, and in the file in the place of the right one, for configurations
    /// that the plugin here does not take; each must be refused at its key.
    async fn refuses(
        &self,
        gateway: &Gateway,
        (plugin, right): (&str, &str),
        mistakes: &[(&str, &str)],
    ) {
        let blamed = |key: &str| format!("{}.config.{key}", self.key);
        for &(wrong, key) in mistakes {
            let wanted = toml::from_str::<Value>(&format!("config = {{ {wrong} }}"));
            let call = gateway.call("PUT", self.path);
            let error = call.json(&wanted.expect("a table")).refused(422).await;
            assert_eq!(error["field"], blamed(key), "{error}");
        }
        let mut written = bound(plugin, right);
        for &(wrong, key) in mistakes {
            let wanted = bound(plugin, wrong);
            gateway.edit(|text| text.replace(&written, &wanted));
            written = wanted;
            // The log tells of refusals by the API, too.
            let named = format!("{}: ", blamed(key));
            eventually(&format!("the file is refused for {named}"), async || {
                let last = gateway.api("/api/config").await["lastReload"].take();
                let error = last["error"].as_str().unwrap_or_default();
                last["outcome"] == "refused" && error.contains(&named)
            })
            .await;
        }
        let generation = gateway.metric("gatewright_generation").await;
        assert_eq!(generation, 1.0, "{plugin}");
    }
}

#[tokio::test]
async fn routes_that_would_not_work_are_refused_at_their_key_and_the_old_ones_stay() {
    let [web, api] = [Upstream::named("web").await, Upstream::named("api").await];
    let right = "routes = [{ path = \"/api/*\", pool = \"api\" }, { pool = \"web\" }]";
    let router = format!("router = {}", bound("path-router", right));
    let builder = Builder::new().top(&router).pool(Pool::of(&[&web]));
    let gateway = builder.pool(Pool::of(&[&api]).named("api")).start().await;
    let mistakes = [
        (
            "routes = [{ path = \"api\", pool = \"api\" }]",
            "routes[0].path",
        ),
        ("routes = [{ path = \"/api/*\" }]", "routes[0]"),
        (
            "routes = [{ pool = \"web\" }, { answer = { status = 99 } }]",
            "routes[1].answer.status",
        ),
        (
            "routes = [{ redirect = { to = \"/\", status = 200 } }]",
            "routes[0].redirect.status",
        ),
        ("routes = [{ pool = 1 }]", "routes[0].pool"),
    ];
    let router = ("path-router", right);
    ROUTER.refuses(&gateway, router, &mistakes).await;
    assert_eq!(gateway.get("/api/items").await.text(), "api");
    assert_eq!(gateway.get("/items").await.text(), "web");
}

#[tokio::test]
async fn a_cookie_that_would_not_work_is_refused_at_its_key_and_the_old_one_stays() {
    let server = Upstream::named("a").await;
    let right = "name = \"shop\"";
    let pool = Pool::of(&[&server]).with("affinity", bound("sticky-cookie", right));
    let gateway = Builder::new().pool(pool).start().await;
    let mistakes = [
        ("name = \"a b\"", "name"),
        ("path = \"shop\"", "path"),
        ("domain = \"\"", "domain"),
        ("same_site = \"none\", secure = false", "secure"),
        ("secret = \"too short\"", "secret"),
    ];
    let affinity = ("sticky-cookie", right);
    AFFINITY.refuses(&gateway, affinity, &mistakes).await;
    let answer = gateway.get("/").await;
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("shop="), "{cookie}");
}

/// The balancers that take a configuration, and one that each takes.
const BALANCERS: [(&str, &str); 6] = [
    ("adaptive", "interval_ms = 500"),
    ("consistent-hash", "floor = 2"),
    ("first", "limit = 3"),
    ("peak-ewma", "decay_s = 5"),
    ("prequal", "choices = 2"),
    ("zone", "zone = \"eu\""),
];

/// Configurations that they do not take, and the key that each blames.
const MISTAKEN: [(&str, &str, &str); 17] = [
    ("adaptive", "interval_ms = 99", "interval_ms"),
    ("adaptive", "min_share = 2.0", "min_share"),
    ("adaptive", "max_share = 0.5", "max_share"),
    ("consistent-hash", "table_size = 1010", "table_size"),
    ("consistent-hash", "balance = 0.5", "balance"),
    ("consistent-hash", "floor = 0", "floor"),
    ("first", "limit = 0", "limit"),
    ("first", "label = 1", "label"),
    ("peak-ewma", "decay_s = 0", "decay_s"),
    ("peak-ewma", "penalty_ms = 0", "penalty_ms"),
    ("prequal", "choices = 1", "choices"),
    ("prequal", "hot_quantile = 1.5", "hot_quantile"),
    ("prequal", "max_age_ms = 9", "max_age_ms"),
    ("zone", "zone = \"\"", "zone"),
    ("zone", "zone = \"eu\", label = 1", "label"),
    ("zone", "zone = \"eu\", minimum = 0", "minimum"),
    ("zone", "zone = \"eu\", busy = 0", "busy"),
];

/// Have a balancer refuse configurations, and the one with the right one decide on.
async fn balances_on(plugin: &str, right: &str, mistakes: &[(&str, &str)]) {
    let server = Upstream::named("a").await;
    let pool = Pool::of(&[&server]).with("balancer", bound(plugin, right));
    let gateway = Builder::new().pool(pool).start().await;
    assert_eq!(gateway.get("/").await.text(), "a");
    BALANCER.refuses(&gateway, (plugin, right), mistakes).await;
    assert_eq!(gateway.get("/").await.text(), "a");
    let stats = gateway.api(&format!("/api/plugins/{plugin}/stats")).await;
    // Counted from when it took its seat.
    let figures = &stats["bindings"][0];
    assert_eq!(figures["decisions"], 2, "{plugin}: {figures}");
    assert_eq!(figures["fallbacks"], 0, "{plugin}: {figures}");
}

#[tokio::test]
async fn a_balancer_that_would_not_work_is_refused_at_its_key_and_the_old_one_stays() {
    for (plugin, right) in BALANCERS {
        let own = MISTAKEN.iter().filter(|mistake| mistake.0 == plugin);
        let own: Vec<_> = own.map(|(_, wrong, key)| (*wrong, *key)).collect();
        assert!(!own.is_empty(), "{plugin}");
        balances_on(plugin, right, &own).await;
    }
}

#[tokio::test]
async fn a_balancer_that_takes_no_configuration_refuses_every_key_and_stays() {
    for plugin in gatewright_host::defaults() {
        let mut roles = plugin.roles().iter();
        let is_balancer = roles.any(|role| role.to_string() == "balancer");
        let takes_some = BALANCERS.iter().any(|(name, _)| *name == plugin.name);
        if is_balancer && !takes_some {
            balances_on(plugin.name, "", &[("limit = 1", "limit")]).await;
        }
    }
}
