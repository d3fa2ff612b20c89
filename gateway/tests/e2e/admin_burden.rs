//! Plugins that take much of their workers' time: what is measured of them, and
//! who is told.

use std::time::Duration;

use serde_json::json;

use crate::support::{Builder, Events, Gateway, Guest, Load, Pool, Upstream, eventually, within};

const SEAT: &str = "/api/bindings/web/balancer";

/// Code of a balancer that is busy for some tens of microseconds with each pick.
const BUSY: &str = "(local $turn i32)
    (loop $on
        (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
        (br_if $on (i32.lt_u (local.get $turn) (i32.const 100000))))
    (i32.const 0)";

/// The busy balancer on one worker, bound with another key.
async fn gateway(upstream: &Upstream, key: &str) -> Gateway {
    let balancer = format!("{{ plugin = \"mine\", {key} }}");
    let pool = Pool::of(&[upstream]).with("balancer", &balancer);
    let builder = Builder::new().workers(1);
    let builder = builder.plugin("mine", Guest::balancer(BUSY).build());
    builder.pool(pool).start().await
}

#[tokio::test]
async fn a_plugin_beyond_its_share_is_reported_once_and_counted_apart() {
    let a = Upstream::named("a").await;
    let gateway = gateway(&a, "cpu_share = 1").await;
    let mut events = Events::of(&gateway, None).await;
    let load = Load::on(gateway.address(), "/");
    let told = events.find("plugin", |data| data["happening"] == "capped");
    let told = told.await;
    assert_eq!(told["binding"], "web/balancer");
    assert_eq!(told["part"], "active");
    let stats = gateway.api("/api/plugins/mine/stats").await;
    let stats = &stats["bindings"][0];
    assert!(stats["capped"].as_u64() > Some(0), "{stats}");
    assert_eq!(stats["faults"]["trapped"], 0);
    let bound = gateway.api(SEAT).await;
    assert_eq!(bound["capping"], true);
    assert_eq!(bound["heavy"], false);
    assert_eq!(
        (&bound["cpuShare"], &bound["cpuAlarm"]),
        (&json!(1), &json!(25))
    );
    load.goes_on(50).await;
    load.stop_without_failure().await;
    let warnings = gateway.log().matches("has used up its cpu_share").count();
    assert_eq!(warnings, 1, "{}", gateway.log());
}

#[tokio::test]
async fn a_plugin_that_takes_much_of_a_worker_for_long_is_reported_as_heavy() {
    let a = Upstream::named("a").await;
    let gateway = gateway(&a, "cpu_alarm = 1").await;
    assert_eq!(gateway.api(SEAT).await["heavy"], false);
    let load = Load::on(gateway.address(), "/");
    let patience = Duration::from_secs(60);
    within(patience, "it is heavy", async || {
        gateway.api(SEAT).await["heavy"] == true
    })
    .await;
    let stats = gateway.api("/api/plugins/mine/stats").await;
    let share = stats["bindings"][0]["cpuPercentBusiest"].as_f64();
    assert!(share > Some(1.0), "{stats}");
    gateway.says("of its cpu_alarm").await;
    let log = gateway.log();
    let warnings = log.lines().filter(|line| line.contains("of its cpu_alarm"));
    let warnings: Vec<_> = warnings.collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("WARN"), "{log}");
    load.stop_without_failure().await;
    let metrics = gateway.admin("/metrics").await;
    assert!(
        metrics
            .text()
            .contains("gatewright_plugin_heavy{plugin=\"mine\"")
    );
}

#[tokio::test]
async fn the_alarm_is_set_without_another_instance() {
    let a = Upstream::named("a").await;
    let gateway = gateway(&a, "cpu_share = 50").await;
    gateway.get("/").await;
    let bound = gateway.change("PUT", SEAT, json!({ "cpuAlarm": 60 })).await;
    assert_eq!(bound["cpuAlarm"], 60);
    assert_eq!(
        bound["history"],
        json!([]),
        "the same version decides alike"
    );
    let stats = gateway.api("/api/plugins/mine/stats").await;
    assert_eq!(stats["bindings"][0]["decisions"], 1, "it goes on counting");
    let call = gateway.call("PUT", SEAT).json(&json!({ "cpuAlarm": 101 }));
    assert_eq!(call.refused(422).await["field"], "cpuAlarm");
    eventually("it is looked at", async || {
        gateway.api(SEAT).await["cpuPercent"].is_number()
    })
    .await;
}
