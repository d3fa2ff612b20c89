//! Components that are replaced while traffic flows: a new file over a watched
//! one decides from then on, and what cannot be seated changes nothing.

use crate::support::{Builder, Gateway, Guest, Load, Pool, Upstream, eventually, misdeeds};

/// Two workers, so that all of them have to change.
async fn picking(slot: u32, servers: [&Upstream; 2]) -> Gateway {
    let component = Guest::balancer(&format!("(i32.const {slot})")).build();
    let pool = Pool::of(&servers).with("balancer", "\"mine\"");
    Builder::new()
        .workers(2)
        .plugin("mine", component)
        .pool(pool)
        .start()
        .await
}

/// Wait until both workers answer by this server alone.
async fn all_decide_for(gateway: &Gateway, name: &str) {
    eventually(&format!("all decide for {name}"), async || {
        for _ in 0..16 {
            if gateway.get("/").await.text() != name {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test]
async fn a_new_component_over_a_watched_file_takes_over_without_a_failed_request() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = picking(0, [&a, &b]).await;
    let load = Load::on(gateway.address(), "/");
    load.goes_on(50).await;
    for (slot, name) in [(1, "b"), (0, "a"), (1, "b")] {
        let component = Guest::balancer(&format!("(i32.const {slot})")).build();
        gateway.put("mine.wasm", component);
        all_decide_for(&gateway, name).await;
        load.goes_on(50).await;
    }
    let totals = load.stop_without_failure().await;
    assert!(
        totals.answers["a"] >= 50 && totals.answers["b"] >= 50,
        "{totals:?}"
    );
}

#[tokio::test]
async fn a_component_written_in_place_takes_over_too() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = picking(0, [&a, &b]).await;
    let load = Load::on(gateway.address(), "/");
    std::fs::write(
        gateway.path("mine.wasm"),
        Guest::balancer("(i32.const 1)").build(),
    )
    .expect("a file");
    all_decide_for(&gateway, "b").await;
    load.stop_without_failure().await;
}

#[tokio::test]
async fn a_component_that_cannot_be_seated_leaves_the_old_one_deciding() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = picking(0, [&a, &b]).await;
    let load = Load::on(gateway.address(), "/");
    let greedy = Guest::balancer("(i32.const 1)").importing("store", "remove", "(param i32 i32)");
    for (component, reason) in [
        (wat::parse_str("(module)").expect("a module"), "core module"),
        (
            Guest::router_that(misdeeds::TRAP).build(),
            "cannot be a balancer",
        ),
        (greedy.build(), "without the grant"),
        (Guest::balancer(misdeeds::TRAP).build(), "in a trial"),
        (b"(component)".to_vec(), "text format"),
        (b"not wasm at all".to_vec(), "not WebAssembly"),
    ] {
        gateway.put("mine.wasm", component);
        gateway.says(reason).await;
        assert_eq!(gateway.get("/").await.text(), "a", "{reason}");
    }
    gateway.put("mine.wasm", Guest::balancer("(i32.const 1)").build());
    all_decide_for(&gateway, "b").await;
    load.stop_without_failure().await;
}
