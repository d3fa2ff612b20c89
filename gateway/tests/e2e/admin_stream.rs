//! The live stream: what comes, to whom, and that nobody can hold it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Builder, Events, Gateway, Guest, Load, Pool, Upstream, Wire, eventually, misdeeds, plain, soon,
    within,
};

/// Streams that all who need no token may have at once.
const MOST: usize = 56;

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

async fn weigh(gateway: &Gateway, server: &Upstream, weight: u16) {
    let path = format!("/api/servers/{}/weight", server.address());
    gateway
        .change("PUT", &path, json!({ "weight": weight }))
        .await;
}

#[tokio::test]
async fn the_figures_of_each_second_come_with_pools_servers_and_plugins() {
    let (gateway, a) = gateway().await;
    let mut events = Events::of(&gateway, None).await;
    gateway.get("/").await;
    let counted = events
        .find("metrics", |data| data["totalRequests"] == 1)
        .await;
    assert_eq!(counted["pools"][0]["pool"], "web");
    assert_eq!(counted["responses"], json!([0, 1, 0, 0, 0]));
    let server = &counted["servers"][0];
    assert_eq!(server["serverId"], a.address().to_string());
    assert_eq!(server["totalRequests"], 1);
    assert!(
        server["requestsPerSecond"]
            .as_f64()
            .is_some_and(|rate| rate > 0.0)
    );
    let plugins = counted["plugins"].as_array().expect("plugins");
    let balancer = plugins.iter().find(|one| one["role"] == "balancer");
    assert_eq!(balancer.expect("one")["decisions"], 1);
    // The run is the one that tags name.
    let read = gateway.call("GET", "/api/servers").send().await;
    let run = counted["run"].as_str().expect("a run");
    assert_eq!(read.header("etag").expect("a tag"), format!("\"{run}-1\""));
    // The same as whoever asks by hand is told.
    let asked = gateway.api("/api/metrics").await;
    for (field, value) in asked.as_object().expect("an object") {
        assert!(counted.get(field).is_some(), "no {field}, which is {value}");
    }
}

#[tokio::test]
async fn a_servers_change_of_health_comes_at_once() {
    let a = Upstream::named("a").await;
    let pool = Pool::of(&[&a]).checked();
    let gateway = Builder::new().pool(pool).start().await;
    let mut events = Events::of(&gateway, None).await;
    let address = a.address().to_string();
    drop(a);
    let health = events.find("health", |_| true).await;
    assert_eq!(health["serverId"], address);
    assert_eq!(
        (&health["pool"], &health["status"]),
        (&json!("web"), &json!("unhealthy"))
    );
}

#[tokio::test]
async fn changes_and_audit_entries_come_and_can_be_caught_up_with() {
    let (gateway, a) = gateway().await;
    let mut events = Events::of(&gateway, None).await;
    weigh(&gateway, &a, 3).await;
    let audit = events.find("audit", |_| true).await;
    assert_eq!(audit["who"], "anonymous");
    assert_eq!(audit["action"], "server.weight");
    let listed = gateway.api("/api/audit").await;
    assert_eq!(listed[0], audit);
    let change = events.find("change", |_| true).await;
    assert_eq!(
        (&change["outcome"], &change["generation"]),
        (&json!("applied"), &json!(2))
    );
    let last = events.last.take().expect("an id");
    drop(events);
    weigh(&gateway, &a, 4).await;
    let mut back = Events::of(&gateway, Some(&last)).await;
    let change = back.find("change", |_| true).await;
    assert_eq!(change["generation"], 3);
    // What it knows of another run tells nothing of this one.
    let mut stranger = Events::of(&gateway, Some("1-100")).await;
    let change = stranger
        .find("change", |data| data["generation"] == 2)
        .await;
    assert_eq!(change["outcome"], "applied");
}

#[tokio::test]
async fn a_refused_reload_is_told() {
    let (gateway, _server) = gateway().await;
    let mut events = Events::of(&gateway, None).await;
    gateway.edit(|text| text + "[nonsense]\n");
    let change = events
        .find("change", |data| data["outcome"] == "refused")
        .await;
    assert!(
        change["reason"]
            .as_str()
            .expect("a reason")
            .contains("nonsense")
    );
}

#[tokio::test]
async fn a_plugins_fault_and_its_quarantine_are_told() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let component = Guest::balancer_that(misdeeds::TRAP).build();
    let pool = Pool::of(&[&a, &b]).with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", component).pool(pool);
    let gateway = builder.start().await;
    let mut events = Events::of(&gateway, None).await;
    let load = Load::on(gateway.address(), "/");
    let fault = events.find("plugin", |_| true).await;
    assert_eq!(
        (&fault["plugin"], &fault["role"]),
        (&json!("mine"), &json!("balancer"))
    );
    assert_eq!(
        (&fault["happening"], &fault["pool"]),
        (&json!("faulted"), &json!("web"))
    );
    assert_eq!(fault["fault"], "the plugin trapped");
    let is_quarantine = |data: &Value| data["happening"] == "quarantined";
    let quarantine = events.find("plugin", is_quarantine).await;
    assert_eq!(quarantine["version"], fault["version"]);
    load.stop_without_failure().await;
}

/// How the event begins that tells of missed ones.
const MISSED: &[u8] = b"event: missed";

/// How much of a stream is read at a time, in bytes.
const PIECE: usize = 4096;

/// A reader that asks and takes next to nothing.
async fn stuck(gateway: &Gateway) -> Wire {
    let mut wire = gateway.connect_admin_narrow(4096).await;
    wire.send("GET /api/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    wire.head().await.expect("a response");
    wire
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_nobody_up_and_is_kept_nothing_for() {
    // Servers that change their minds at every check make events in plenty.
    let mut servers = Vec::new();
    for _ in 0..40 {
        let is_well = Arc::new(AtomicBool::new(true));
        let answer = move |_: &_| match is_well.fetch_xor(true, Ordering::Relaxed) {
            true => plain("well"),
            false => "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_owned(),
        };
        servers.push(Upstream::answering(answer).await);
    }
    let pool = Pool::of(&servers.iter().collect::<Vec<_>>()).checked();
    let gateway = Builder::new().pool(pool).start().await;
    let mut idle = stuck(&gateway).await;
    let mut events = Events::of(&gateway, None).await;
    let before = gateway.memory();
    let reading = async {
        let mut told = 0;
        while told < 3000 {
            let (name, _) = events.next().await.expect("it goes on");
            told += usize::from(name == "health");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading)
        .await
        .expect("events");
    let grown = gateway.memory().saturating_sub(before);
    assert!(grown < 16 << 20, "it grew by {grown} bytes");
    drop(servers);
    let mut text = Vec::new();
    let catching_up = async {
        loop {
            let newest = text.len().saturating_sub(MISSED.len());
            text.extend(idle.bytes(PIECE).await);
            let mut windows = text[newest..].windows(MISSED.len());
            if windows.any(|window| window == MISSED) {
                return;
            }
        }
    };
    soon("the idle reader is told what it missed", catching_up).await;
}

#[tokio::test]
async fn nobody_has_all_streams_and_each_gives_its_place_back() {
    let (gateway, _server) = gateway().await;
    let mut streams = Vec::new();
    for _ in 0..MOST {
        streams.push(Events::of(&gateway, None).await);
    }
    let error = gateway.call("GET", "/api/stream").refused(503).await;
    assert_eq!(error["code"], "too_many_streams");
    drop(streams);
    eventually("a stream is let in again", async || {
        let mut wire = gateway.connect_admin_narrow(4096).await;
        wire.send("GET /api/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await;
        wire.head().await.expect("a response").contains(" 200 ")
    })
    .await;
}

/// The longest that the kernel may hold what is sent to a reader that does not
/// read, and wait for it.
const GIVEN_UP: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_reader_that_never_reads_loses_its_place() {
    let (gateway, _server) = gateway().await;
    let mut stuck_ones = Vec::new();
    for _ in 0..MOST {
        stuck_ones.push(stuck(&gateway).await);
    }
    within(GIVEN_UP, "a stream is let in again", async || {
        let answer = gateway.call("GET", "/api/stream").head().await;
        answer.status() == 200
    })
    .await;
}

#[tokio::test]
async fn a_stream_takes_a_token_and_ends_with_it() {
    let (gateway, _server) = gateway().await;
    let mut open = Events::of(&gateway, None).await;
    let wanted = json!({ "name": "deploy", "role": "deploy" });
    gateway.change("POST", "/api/tokens", wanted).await;
    for call in [
        gateway.call("GET", "/api/stream"),
        gateway.call("GET", "/api/stream").token("gw_wrong"),
    ] {
        assert_eq!(call.refused(401).await["code"], "unauthorized");
    }
    // It was let in when nobody needed a token.
    let ending = async { while open.next().await.is_some() {} };
    soon("the stream ends", ending).await;
}

#[tokio::test]
async fn the_stream_ends_when_the_gateway_does() {
    let (gateway, _server) = gateway().await;
    let mut events = Events::of(&gateway, None).await;
    gateway.terminate();
    // Its end is a whole one: reading on fails the test if it breaks off.
    let ending = async { while events.next().await.is_some() {} };
    soon("the stream ends", ending).await;
    assert_eq!(gateway.exit_code().await, 0);
}
