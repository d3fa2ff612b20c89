//! What the admin listener answers.

use std::collections::BTreeSet;

use gatewright_control::Gateway;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::{Answer, Folder, Server, ask, eventually, get_path, visit};

/// A gateway with a server that is there and one that is not, once both have
/// been checked.
async fn checked() -> (Gateway, Folder, Server) {
    let server = Server::start("one").await;
    // Bound, though it does not listen: nobody else can take the port.
    let gone = TcpSocket::new_v4().unwrap();
    gone.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = gone.local_addr().unwrap();
    std::mem::forget(gone);
    let folder = Folder::new();
    folder.configure(&format!(
        "[pools.web]\nbalancer = \"round-robin\"\nservers = [\"{}\", \"{refusing}\"]\n",
        server.address
    ));
    let gateway = folder.start(false).await;
    eventually("readiness", async || {
        (get_path(gateway.admin(), "/readyz").await.status == 200).then_some(())
    })
    .await;
    (gateway, folder, server)
}

fn data(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let mut json = answer.json();
    assert_eq!(json["success"], true);
    json["data"].take()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn health_counts_the_servers() {
    let (gateway, _folder, _server) = checked().await;
    let health = data(&get_path(gateway.admin(), "/api/health").await);
    assert_eq!(
        keys(&health),
        BTreeSet::from(["servers", "status", "uptime"])
    );
    assert_eq!(health["status"], "degraded");
    let expected = serde_json::json!({ "total": 2, "healthy": 1, "unhealthy": 1 });
    assert_eq!(health["servers"], expected);
    assert!(health["uptime"].is_u64());
}

#[tokio::test]
async fn servers_are_shown_with_the_fields_of_the_api() {
    let (gateway, _folder, server) = checked().await;
    assert_eq!(visit(&gateway).await, "one");
    let servers = data(&get_path(gateway.admin(), "/api/servers").await);
    let [first, second] = servers.as_array().unwrap().as_slice() else {
        panic!("{servers}");
    };
    let expected = [
        "serverId",
        "pool",
        "host",
        "port",
        "weight",
        "weightInForce",
        "labels",
        "status",
        "circuit",
        "circuitOpenedAt",
        "ejections",
        "warmth",
        "draining",
        "activeConnections",
        "maxActive",
        "totalRequests",
        "failedRequests",
        "responseTime",
        "addedAt",
        "lastHealthCheck",
        "lastSeen",
        "healthCheckPath",
        "healthCheckInterval",
        "source",
    ];
    assert_eq!(keys(first), BTreeSet::from(expected));
    assert_eq!(first["serverId"], server.address.to_string());
    assert_eq!(first["host"], "127.0.0.1");
    assert_eq!(first["port"], server.address.port());
    assert_eq!(first["status"], "healthy");
    assert_eq!(first["circuit"], "closed");
    assert_eq!(first["warmth"], 100);
    assert_eq!(first["totalRequests"], 1);
    assert!(first["responseTime"].as_f64().unwrap() > 0.0);
    assert_eq!(first["healthCheckPath"], "/health");
    assert_eq!(first["healthCheckInterval"], 5.0);
    assert!(first["lastHealthCheck"].as_str().unwrap().ends_with('Z'));
    assert_eq!(second["status"], "unhealthy");
    assert_eq!(second["responseTime"], Value::Null);
    assert_eq!(second["lastSeen"], Value::Null);
}

#[tokio::test]
async fn metrics_count_the_traffic() {
    let (gateway, _folder, _server) = checked().await;
    for _ in 0..20 {
        visit(&gateway).await;
    }
    let metrics = data(&get_path(gateway.admin(), "/api/metrics").await);
    let expected = [
        "totalRequests",
        "requestsPerSecond",
        "averageResponseTime",
        "activeConnections",
        "activeServers",
        "unhealthyServers",
        "algorithm",
        "uptime",
    ];
    assert_eq!(keys(&metrics), BTreeSet::from(expected));
    assert_eq!(metrics["totalRequests"], 20);
    assert!(metrics["averageResponseTime"].as_f64().unwrap() > 0.0);
    assert_eq!(metrics["activeServers"], 1);
    assert_eq!(metrics["unhealthyServers"], 1);
    assert_eq!(metrics["algorithm"], "round_robin");
    assert!(metrics["uptime"].as_str().unwrap().starts_with("0d 0h "));
}

#[tokio::test]
async fn requests_per_second_follow_the_traffic() {
    let (gateway, _folder, _server) = checked().await;
    eventually("a rate", async || {
        visit(&gateway).await;
        let metrics = data(&get_path(gateway.admin(), "/api/metrics").await);
        (metrics["requestsPerSecond"].as_f64().unwrap() > 0.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn prometheus_finds_what_was_counted() {
    let (gateway, _folder, server) = checked().await;
    visit(&gateway).await;
    let answer = get_path(gateway.admin(), "/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let address = server.address;
    for line in [
        "gatewright_requests_total 1".to_owned(),
        "gatewright_responses_total{class=\"2xx\"} 1".to_owned(),
        "gatewright_workers_current 2.0".to_owned(),
        format!("gatewright_server_up{{pool=\"web\",server=\"{address}\"}} 1.0"),
        format!("gatewright_server_requests_total{{pool=\"web\",server=\"{address}\"}} 1"),
    ] {
        let there = answer.body.lines().any(|given| given == line);
        assert!(there, "no {line} in\n{}", answer.body);
    }
    let decided = |line: &str| {
        line.starts_with(
            "gatewright_plugin_decisions_total{plugin=\"round-robin\",role=\"balancer\",version=\"",
        ) && line.ends_with("\",pool=\"web\"} 1")
    };
    assert!(answer.body.lines().any(decided), "{}", answer.body);
}

#[tokio::test]
async fn it_lives_and_is_ready_only_once_every_server_was_checked() {
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let folder = Folder::new();
    let health = "{ interval = \"600s\", timeout = \"600s\" }";
    folder.configure(&format!(
        "[pools.web]\nhealth = {health}\nservers = [\"{}\"]\n",
        silent.local_addr().unwrap()
    ));
    let gateway = folder.start(false).await;
    let (mut check, _) = silent.accept().await.unwrap();
    assert_eq!(get_path(gateway.admin(), "/livez").await.status, 200);
    let answer = get_path(gateway.admin(), "/readyz").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.body,
        "not ready: 1 servers have not been checked yet\n"
    );
    check
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    eventually("readiness", async || {
        (get_path(gateway.admin(), "/readyz").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_envelope() {
    let (gateway, _folder, _server) = checked().await;
    let answer = get_path(gateway.admin(), "/api/nothing").await;
    assert_eq!(answer.status, 404);
    let expected = serde_json::json!({
        "success": false,
        "error": { "code": "not_found", "message": "there is no /api/nothing" },
    });
    assert_eq!(answer.json(), expected);
    for path in ["/api/metrics", "/"] {
        let answer = ask("DELETE", gateway.admin(), path, None).await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.header("allow"), "GET,HEAD");
        assert_eq!(answer.json()["error"]["code"], "method_not_allowed");
    }
}

#[tokio::test]
async fn a_page_of_a_stranger_is_refused_by_the_name_it_came_under() {
    let (gateway, _folder, _server) = checked().await;
    for host in ["shop.example", "localhost.shop.example:9000", "192.0.2.1"] {
        let answer = ask("GET", gateway.admin(), "/api/servers", Some(host)).await;
        assert_eq!(answer.status, 403, "{host}");
        assert_eq!(answer.json()["error"]["code"], "forbidden_host");
    }
    let port = gateway.admin().port();
    let host = format!("localhost:{port}");
    let answer = ask("GET", gateway.admin(), "/api/servers", Some(&host)).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_request_without_a_host_is_refused() {
    let (gateway, _folder, _server) = checked().await;
    let mut stream = TcpStream::connect(gateway.admin()).await.unwrap();
    stream
        .write_all(b"GET /api/servers HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 403 "), "{answer}");
}
