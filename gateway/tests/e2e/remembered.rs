//! Sessions and plugins' values outlive the process, whatever ends it.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::{Builder, Gateway, Pool, Upstream, eventually, within};

const FILE: &str = "data/remembered.jsonl";

/// An application that names a session after itself.
async fn application(name: &'static str) -> Upstream {
    Upstream::answering(move |request| {
        let cookie = match request.header("cookie") {
            None => format!("set-cookie: sessionId={name}-secret; Path=/\r\n"),
            Some(_) => String::new(),
        };
        let length = name.len();
        format!("HTTP/1.1 200 OK\r\n{cookie}content-length: {length}\r\n\r\n{name}")
    })
    .await
}

/// A gateway that knows a session of `b`; its balancer alone would send every second
/// request elsewhere.
async fn with_session(a: &Upstream, b: &Upstream) -> Gateway {
    let pool = Pool::of(&[a, b])
        .with("balancer", "\"round-robin\"")
        .with("affinity", "\"sticky-learn\"");
    let gateway = Builder::new().workers(2).pool(pool).start().await;
    while gateway.get("/").await.text() != "b" {}
    assert!(stays(&gateway).await);
    gateway
}

/// Whether the session's requests all come to its server.
async fn stays(gateway: &Gateway) -> bool {
    for _ in 0..8 {
        let request = "GET /shop HTTP/1.1\r\nhost: a\r\ncookie: sessionId=b-secret\r\n\r\n";
        if gateway.exchange(request).await.text() != "b" {
            return false;
        }
    }
    true
}

/// How many sessions there are with a server.
async fn sessions(gateway: &Gateway, server: &Upstream) -> usize {
    let id = server.address().to_string();
    let all = gateway.api("/api/sessions").await;
    let all = all.as_array().expect("sessions").iter();
    all.filter(|one| one["serverId"] == id.as_str()).count()
}

/// End it as a service manager does.
async fn stop(gateway: &Gateway) {
    gateway.terminate();
    assert_eq!(gateway.exit_code().await, 0);
}

#[tokio::test]
async fn a_session_outlives_an_orderly_restart_and_keeps_its_age() {
    let [a, b] = [application("a").await, application("b").await];
    let mut gateway = with_session(&a, &b).await;
    let before = gateway.api("/api/sessions").await;
    stop(&gateway).await;
    let mode = std::fs::metadata(gateway.path(FILE)).expect("it is there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600, "it holds secrets");
    gateway.restart().await;
    gateway.says("sessions and values of before are back").await;
    let after = gateway.api("/api/sessions").await;
    let ids = |list: &Value| {
        let list = list.as_array().expect("sessions").iter();
        let mut ids: Vec<_> = list.map(|one| one["sessionId"].to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&after), ids(&before));
    assert!(stays(&gateway).await);
}

#[tokio::test]
async fn a_session_outlives_a_kill_once_it_was_written() {
    let [a, b] = [application("a").await, application("b").await];
    let mut gateway = with_session(&a, &b).await;
    within(
        std::time::Duration::from_secs(30),
        "it is written",
        async || {
            let text = std::fs::read_to_string(gateway.path(FILE));
            text.is_ok_and(|text| text.contains("b-secret"))
        },
    )
    .await;
    gateway.restart().await;
    assert!(stays(&gateway).await);
}

#[tokio::test]
async fn a_session_outlives_a_restart_and_a_swap_but_not_its_server() {
    let [a, b] = [application("a").await, application("b").await];
    let mut gateway = with_session(&a, &b).await;
    stop(&gateway).await;
    gateway.restart().await;
    gateway.edit(|text| {
        text.replace(
            "\"sticky-learn\"",
            "{ plugin = \"sticky-learn\", config = { idle_s = 60 } }",
        )
    });
    gateway.says("generation 2").await;
    assert!(stays(&gateway).await);
    stop(&gateway).await;
    let server = b.address().to_string();
    let other = Upstream::nowhere().to_string();
    gateway.edit(|text| {
        assert!(text.contains(&server), "{text}");
        text.replace(&server, &other)
    });
    gateway.restart().await;
    assert_eq!(sessions(&gateway, &b).await, 0);
}

#[tokio::test]
async fn a_session_outlives_another_build_of_its_plugin_and_a_restart_with_it() {
    let [a, b] = [application("a").await, application("b").await];
    let mut gateway = with_session(&a, &b).await;
    let seat = "web/affinity";
    let rebuilt = gateway.activate_rebuilt("sticky-learn", seat).await;
    assert_eq!(sessions(&gateway, &b).await, 1);
    assert!(stays(&gateway).await);
    stop(&gateway).await;
    gateway.restart().await;
    gateway.says("sessions and values of before are back").await;
    assert!(gateway.has_seated(&rebuilt, seat).await);
    assert_eq!(sessions(&gateway, &b).await, 1);
    assert!(stays(&gateway).await);
}

#[tokio::test]
async fn a_session_goes_to_the_gateway_that_takes_over() {
    let [a, b] = [application("a").await, application("b").await];
    let mut gateway = with_session(&a, &b).await;
    gateway.upgrade().await;
    eventually("the other one answers", async || {
        gateway.says_how_often("sessions and values of before are back") > 0
    })
    .await;
    assert!(stays(&gateway).await);
}

#[tokio::test]
async fn a_damaged_file_is_told_and_set_aside() {
    let [a, b] = [application("a").await, application("b").await];
    let mut gateway = with_session(&a, &b).await;
    stop(&gateway).await;
    let text = std::fs::read_to_string(gateway.path(FILE)).expect("it is there");
    let damaged = text.replace("b-secret", "c-secret");
    assert_ne!(damaged, text);
    std::fs::write(gateway.path(FILE), &damaged).expect("it is ours");
    gateway.restart().await;
    gateway
        .says("cannot be read; the gateway starts without")
        .await;
    assert_eq!(sessions(&gateway, &b).await, 0);
    let aside = std::fs::read_to_string(gateway.path("data/remembered.unreadable"));
    assert_eq!(aside.expect("it is there"), damaged);
}

#[tokio::test]
async fn what_cannot_be_kept_at_the_end_is_told_though_it_was_told_before() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = with_session(&a, &b).await;
    // A folder where the new file is written first: nobody can write that.
    std::fs::create_dir_all(gateway.path("data/remembered.new")).expect("a folder");
    within(
        std::time::Duration::from_secs(60),
        "it is told that it fails",
        async || gateway.says_how_often("it is told when they are again") == 1,
    )
    .await;
    let at_the_end = "whoever reads the file next has those that were written before";
    assert_eq!(gateway.says_how_often(at_the_end), 0);
    stop(&gateway).await;
    gateway.says(at_the_end).await;
}
