//! What the gateway keeps of the last minutes, as charts ask for it.

use serde_json::{Value, json};

use crate::support::{Builder, Events, Gateway, Pool, Upstream, eventually};

async fn gateway() -> (Gateway, [Upstream; 2]) {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let pool = Pool::of(&servers.iter().collect::<Vec<_>>());
    let gateway = Builder::new().pool(pool).start().await;
    (gateway, servers)
}

/// The sum of a column; none where nothing is known.
fn sum(series: &Value, column: &str) -> f64 {
    let column = series[column].as_array().expect("a column");
    column.iter().filter_map(Value::as_f64).sum()
}

#[tokio::test]
async fn requests_are_found_in_the_second_in_which_they_came() {
    let (gateway, _servers) = gateway().await;
    let mut events = Events::of(&gateway, None).await;
    events.find("metrics", |_| true).await;
    for _ in 0..20 {
        gateway.get("/").await;
    }
    let counted = events
        .find("metrics", |data| data["totalRequests"] == 20)
        .await;
    let history = gateway.api("/api/metrics/history").await;
    assert_eq!(
        (&history["minutes"], &history["periodSeconds"]),
        (&json!(1), &json!(1))
    );
    let points = history["time"].as_array().expect("times").len();
    for series in [&history["total"], &history["pools"][0]] {
        // A second may have been a little longer, and another a little shorter.
        let requests = sum(series, "requestsPerSecond");
        assert!((15.0..=25.0).contains(&requests), "{series}");
        for column in ["errorsPerSecond", "p50", "p90", "p99", "active"] {
            let length = series[column].as_array().expect("a column").len();
            assert_eq!(length, points, "{column}");
        }
        assert!(sum(series, "p99") > 0.0);
    }
    assert_eq!(history["servers"], json!([]));
    assert!(counted["p99"].as_f64().is_some() || counted["requestsPerSecond"] == 0.0);
}

#[tokio::test]
async fn a_pool_comes_with_its_servers_and_a_server_alone() {
    let (gateway, [a, _b]) = gateway().await;
    let id = a.address().to_string();
    eventually("both servers have a past", async || {
        let history = gateway.api("/api/metrics/history?pool=web").await;
        let servers = history["servers"].as_array().expect("servers").len();
        servers == 2 && history["total"].is_null()
    })
    .await;
    let busiest = gateway.api("/api/metrics/history?pool=web&top=1").await;
    assert_eq!(busiest["servers"].as_array().map(Vec::len), Some(1));
    let path = format!("/api/metrics/history?minutes=15&server={id}");
    let alone = gateway.api(&path).await;
    assert_eq!(alone["servers"][0]["serverId"], id);
    assert_eq!(
        (&alone["pools"], &alone["periodSeconds"]),
        (&json!([]), &json!(15))
    );
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let (gateway, _servers) = gateway().await;
    for (query, status) in [
        ("minutes=7", 400),
        ("pool=web&top=0", 400),
        ("pool=nowhere", 404),
        ("server=127.0.0.1:1", 404),
        ("pool=web&server=127.0.0.1:1", 404),
    ] {
        let path = format!("/api/metrics/history?{query}");
        gateway.call("GET", &path).refused(status).await;
    }
}

#[tokio::test]
async fn listeners_are_told_with_the_ports_that_were_chosen() {
    let server = Upstream::named("a").await;
    let builder = Builder::new()
        .tls("self_signed = true")
        .pool(Pool::of(&[&server]));
    let gateway = builder.tls_listener("http3 = true").start().await;
    let listeners = gateway.api("/api/listeners").await;
    let [plain, secure] = [gateway.address(), gateway.tls_address()];
    let told = json!([
        {
            "name": "plain", "address": plain.to_string(), "tls": false,
            "http3": false, "altSvc": null,
        },
        {
            "name": "tls", "address": secure.to_string(), "tls": true, "http3": true,
            "altSvc": format!("h3=\":{}\"; ma=86400", secure.port()),
        },
    ]);
    assert_eq!(listeners, told);
}

#[tokio::test]
async fn a_plugin_tells_its_times_and_its_memory() {
    let (gateway, _servers) = gateway().await;
    gateway.get("/").await;
    let stats = gateway.api("/api/plugins/least-connections/stats").await;
    let balancer = &stats["bindings"][0];
    assert!(balancer["memoryBytes"].as_u64() > Some(0), "{balancer}");
    // The first decision is always timed.
    assert_eq!(balancer["histogram"][0]["count"], 1);
}
