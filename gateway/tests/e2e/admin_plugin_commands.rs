//! Bringing plugins in and trying them from the command line.

use serde_json::Value;

use crate::support::{
    Builder, Gateway, Guest, Pool, Upstream, calling_itself, ends, eventually, misdeeds, spawn,
};

/// Two servers, a and b, and a component that picks the second beside the
/// configuration.
async fn gateway() -> (Gateway, [Upstream; 2]) {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&servers.each_ref()).with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", Guest::always(0, 0));
    let builder = builder.file("my_own.wasm", Guest::always(1, 1));
    (builder.pool(pool).start().await, servers)
}

#[tokio::test]
async fn a_component_is_pushed_listed_activated_and_taken_back() {
    let (gateway, _servers) = gateway().await;
    let said = ends(&gateway, 0, &["plugin", "push", "my_own.wasm"]).await;
    assert!(
        said.starts_with("my-own ") && said.contains("decides nothing yet"),
        "{said}"
    );
    let listed = ends(&gateway, 0, &["plugin", "list"]).await;
    assert!(
        listed.starts_with("PLUGIN") && listed.contains("my-own"),
        "{listed}"
    );
    let versions = ends(&gateway, 0, &["plugin", "versions", "my-own", "--json"]).await;
    let versions: Value = serde_json::from_str(&versions).expect("JSON");
    let version = versions["versions"][0]["version"].as_str().expect("one");
    let seat = "web/balancer";
    let activate = ["plugin", "activate", seat, "my-own", &version[..8]];
    let said = ends(&gateway, 0, &activate).await;
    assert!(said.contains("1 of 1 workers"), "{said}");
    assert_eq!(gateway.get("/").await.text(), "b");
    let bound = ends(&gateway, 0, &["plugin", "bindings"]).await;
    assert!(
        bound.contains("web/balancer") && bound.contains(&version[..12]),
        "{bound}"
    );
    let said = ends(&gateway, 1, &["plugin", "delete", "my-own"]).await;
    assert!(said.contains("web/balancer"), "{said}");
    ends(&gateway, 0, &["plugin", "rollback", seat]).await;
    assert_eq!(gateway.get("/").await.text(), "a");
    ends(&gateway, 1, &["plugin", "rollback", seat]).await;
    ends(&gateway, 0, &["plugin", "delete", "my-own"]).await;
    ends(&gateway, 1, &["plugin", "versions", "my-own"]).await;
}

#[tokio::test]
async fn what_is_pushed_and_cannot_decide_is_said_to_be_there() {
    let (gateway, _servers) = gateway().await;
    let push = [
        "plugin",
        "push",
        "my_own.wasm",
        "--activate",
        "lost/balancer",
    ];
    let said = ends(&gateway, 1, &push).await;
    for words in [
        "is uploaded and not activated",
        "gatewright plugin activate lost/balancer my-own ",
        "gatewright plugin delete my-own ",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(gateway.get("/").await.text(), "a");
    ends(&gateway, 0, &["plugin", "delete", "my-own"]).await;
}

#[tokio::test]
async fn grants_of_the_default_set_are_the_same_bound_or_not() {
    let (gateway, _servers) = gateway().await;
    let plugins = gateway.api("/api/plugins").await;
    let plugins = plugins["plugins"].as_array().expect("a list");
    let of_default = plugins.iter().filter(|one| one["source"] == "default");
    let grants: Vec<_> = of_default.map(|one| &one["grants"]).collect();
    assert!(grants.len() > 10, "{grants:?}");
    assert!(grants[0].is_array(), "{grants:?}");
    assert!(grants.iter().all(|one| *one == grants[0]), "{grants:?}");
}

#[tokio::test]
async fn a_canary_is_set_promoted_and_ended_and_a_shadow_is_compared() {
    let (gateway, _servers) = gateway().await;
    let push = ["plugin", "push", "my_own.wasm", "--name", "mine", "--json"];
    let pushed = ends(&gateway, 0, &push).await;
    let pushed: Value = serde_json::from_str(&pushed).expect("JSON");
    let version = &pushed["version"].as_str().expect("a digest")[..10];
    let seat = "web/balancer";
    let said = ends(&gateway, 0, &["plugin", "canary", seat, version, "100"]).await;
    assert!(said.contains("at 100 %"), "{said}");
    assert_eq!(gateway.get("/").await.text(), "b");
    let said = ends(&gateway, 0, &["plugin", "canary", seat, version, "0"]).await;
    assert!(said.contains("has no canary"), "{said}");
    ends(&gateway, 1, &["plugin", "promote", seat]).await;
    ends(&gateway, 0, &["plugin", "shadow", seat, version]).await;
    eventually("decisions are compared", async || {
        gateway.get("/").await;
        let stats = ends(&gateway, 0, &["plugin", "stats", "mine"]).await;
        stats.contains("shadow") && stats.contains("1.000")
    })
    .await;
    ends(&gateway, 0, &["plugin", "canary", seat, version, "5"]).await;
    ends(&gateway, 0, &["plugin", "promote", seat]).await;
    assert_eq!(gateway.get("/").await.text(), "b");
}

#[tokio::test]
async fn what_is_asked_wrongly_or_refused_ends_with_its_code() {
    let (gateway, _servers) = gateway().await;
    gateway.put("bad.wasm", "no component");
    let said = ends(&gateway, 1, &["plugin", "push", "bad.wasm"]).await;
    assert!(said.contains("not WebAssembly"), "{said}");
    ends(&gateway, 2, &["plugin", "push", "nothing.wasm"]).await;
    ends(
        &gateway,
        2,
        &["plugin", "push", "bad.wasm", "--activate", "web"],
    )
    .await;
    ends(
        &gateway,
        2,
        &["plugin", "canary", "web/balancer", "ab", "101"],
    )
    .await;
    ends(&gateway, 2, &["plugin"]).await;
    let said = ends(
        &gateway,
        1,
        &["plugin", "activate", "web/balancer", "nobody"],
    )
    .await;
    assert!(said.contains("no plugin is named"), "{said}");
}

#[tokio::test]
async fn a_plugin_s_log_is_shown() {
    let servers = [Upstream::named("a").await];
    let pool = Pool::of(&servers.each_ref()).with("balancer", "\"mine\"");
    let component = Guest::balancer_that(misdeeds::TRAP).build();
    let builder = Builder::new().plugin("mine", component).pool(pool);
    let gateway = builder.start().await;
    gateway.get("/").await;
    let said = ends(&gateway, 0, &["plugin", "logs", "mine", "-n", "1"]).await;
    assert!(
        said.contains("error web/balancer: the plugin trapped"),
        "{said}"
    );
}

#[tokio::test]
async fn a_watched_component_decides_after_each_build() {
    let (gateway, _servers) = gateway().await;
    let admin = format!("http://{}", gateway.admin_address());
    let push = [
        "plugin",
        "push",
        "my_own.wasm",
        "--activate",
        "web/balancer",
    ];
    let watch = [&push[..], &["--watch", "--admin", &admin]].concat();
    let (mut child, said) = spawn(&watch, &gateway.path(""));
    let decides = async |name: &str| {
        eventually(&format!("{name} answers"), async || {
            gateway.get("/").await.text() == name
        })
        .await;
    };
    decides("b").await;
    gateway.put("my_own.wasm", "half a build");
    eventually("it says what is wrong", async || {
        said.lock().expect("no panic").contains("not WebAssembly")
    })
    .await;
    gateway.put("my_own.wasm", Guest::always(0, 2));
    decides("a").await;
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    let said = said.lock().expect("no panic").clone();
    assert!(
        said.contains("decides at web/balancer on 1 of 1 workers after"),
        "{said}"
    );
}

#[tokio::test]
async fn a_component_is_called_after_its_file_before_it_names_itself() {
    let (gateway, _servers) = gateway().await;
    let component = calling_itself("near", "1.2.0", &Guest::always(1, 2));
    gateway.put("Build.v2.wasm", &component);
    gateway.put("2.wasm", component);
    let push = ["plugin", "push", "Build.v2.wasm"];
    let said = ends(&gateway, 0, &push).await;
    assert!(said.starts_with("build-v2 "), "{said}");
    let said = ends(&gateway, 0, &["plugin", "push", "2.wasm"]).await;
    assert!(said.starts_with("near "), "{said}");
    let listed = ends(&gateway, 0, &["plugin", "list"]).await;
    let line = listed.lines().find(|line| line.starts_with("near "));
    assert!(line.is_some_and(|line| line.contains("1.2.0")), "{listed}");
    let said = ends(&gateway, 0, &[&push[..], &["--name", "far"]].concat()).await;
    assert!(said.starts_with("far "), "{said}");
    let checked = ends(&gateway, 0, &["plugin", "check", "Build.v2.wasm"]).await;
    for part in [
        "release   1.2.0",
        "https://plugins.example/",
        "[plugins.build-v2]",
    ] {
        assert!(checked.contains(part), "{part} is not in:\n{checked}");
    }
}

#[tokio::test]
async fn no_component_makes_itself_a_version_of_the_operator_s_own_plugins() {
    let (gateway, _servers) = gateway().await;
    let component = Guest::always(1, 3);
    for name in ["round-robin", "mine"] {
        let posing = calling_itself(name, "9.9.9", &component);
        gateway.put("2.wasm", &posing);
        let said = ends(&gateway, 1, &["plugin", "push", "2.wasm"]).await;
        assert!(said.contains(&format!("--name {name}")), "{said}");
        let meant = ["plugin", "push", "2.wasm", "--name", name];
        ends(&gateway, 0, &meant).await;
    }
    gateway.put("weighted.wasm", component);
    let said = ends(&gateway, 2, &["plugin", "push", "weighted.wasm"]).await;
    assert!(said.contains("--name weighted"), "{said}");
}
