//! Servers that a pool has in a file of their own, which others write.

use std::net::SocketAddr;

use crate::support::{Builder, Gateway, Upstream, eventually};

fn list(servers: &[SocketAddr]) -> String {
    let servers = servers.iter().map(|server| {
        let (host, port) = (server.ip(), server.port());
        format!("{{\"host\": \"{host}\", \"port\": {port}}}")
    });
    let servers = servers.collect::<Vec<_>>().join(", ");
    format!("{{\"backends\": [{servers}]}}")
}

async fn with_file(text: &str) -> Gateway {
    let pool = "[pools.web]\nservers_file = \"servers.json\"\nhealth = false";
    let builder = Builder::new().file("servers.json", text);
    builder.with(pool).start().await
}

#[tokio::test]
async fn servers_come_and_go_with_the_file() {
    let (one, other) = (Upstream::named("one").await, Upstream::named("other").await);
    let gateway = with_file(&list(&[one.address()])).await;
    assert_eq!(gateway.get("/").await.text(), "one");
    gateway.put("servers.json", list(&[other.address()]));
    eventually("the other answers", async || {
        gateway.get("/").await.text() == "other"
    })
    .await;
    let servers = gateway.servers().await;
    assert_eq!(servers.len(), 1);
    assert_eq!(servers[0]["source"], "file");
    gateway.put("servers.json", list(&[]));
    eventually("nobody answers", async || {
        gateway.get("/").await.status() == 503
    })
    .await;
    gateway.put("servers.json", list(&[one.address(), other.address()]));
    eventually("both are there", async || {
        gateway.servers().await.len() == 2
    })
    .await;
}

#[tokio::test]
async fn a_file_that_does_not_read_changes_nothing() {
    let server = Upstream::named("one").await;
    let gateway = with_file(&list(&[server.address()])).await;
    for (text, said) in [
        ("{\"backends\": [", "servers.json"),
        ("{\"servers\": \"a:1\"}", "no list of servers"),
        ("{\"backends\": [{\"host\": \"a\"}]}", "port"),
        ("{\"backends\": [\"a:99999\"]}", "99999"),
    ] {
        gateway.put("servers.json", text);
        gateway.says(said).await;
        assert_eq!(gateway.get("/").await.text(), "one", "{text}");
    }
}
