//! The rate limit as clients meet it, whichever worker they meet.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Builder, Gateway, Pool, Upstream, Wire, get};

/// A gateway with this limit.
async fn limited(workers: usize, config: &str, server: &Upstream) -> Gateway {
    Builder::new()
        .workers(workers)
        .with(&format!(
            "[[policy]]\nplugin = \"rate-limit\"\nconfig = {{ {config} }}"
        ))
        .pool(Pool::of(&[server]))
        .start()
        .await
}

/// The status of a request on a connection of its own.
async fn status(address: SocketAddr) -> u16 {
    let stream = TcpStream::connect(address).await.expect("it accepts");
    let mut wire = Wire::new(stream);
    wire.send(get("/")).await;
    wire.response().await.status()
}

#[tokio::test]
async fn four_workers_let_exactly_the_burst_through() {
    let server = Upstream::named("a").await;
    let gateway = limited(4, "rate = \"1/h\", burst = 50", &server).await;
    let address = gateway.address();
    let clients: JoinSet<u16> = (0..200).map(|_| status(address)).collect();
    let statuses = clients.join_all().await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(429)), (50, 150));
    assert_eq!(server.requests().len(), 50);
}

#[tokio::test]
async fn a_client_is_told_where_it_stands_and_when_to_come_back() {
    let server = Upstream::named("a").await;
    let gateway = limited(1, "rate = \"60/h\", burst = 2, name = \"slow\"", &server).await;
    let first = gateway.get("/").await;
    assert_eq!(first.status(), 200);
    assert_eq!(first.header("ratelimit-policy"), Some("\"slow\";q=2;w=120"));
    assert!(
        first
            .header("ratelimit")
            .expect("a limit")
            .starts_with("\"slow\";r=1;t=")
    );
    assert_eq!(gateway.get("/").await.status(), 200);
    let refused = gateway.get("/").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.error(), "too many requests");
    let wait: u32 = refused
        .header("retry-after")
        .expect("a time")
        .parse()
        .expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(
        refused
            .header("ratelimit")
            .expect("a limit")
            .starts_with("\"slow\";r=0;t=")
    );
}

#[tokio::test]
async fn clients_with_keys_of_their_own_do_not_share_a_limit() {
    let server = Upstream::named("a").await;
    let config = "rate = \"1/h\", key = \"header:x-api-key\", exempt = { paths = [\"/free\"] }";
    let gateway = limited(2, config, &server).await;
    let ask = |key: &str| format!("GET / HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n");
    for (key, status) in [("one", 200), ("one", 429), ("two", 200), ("two", 429)] {
        assert_eq!(gateway.exchange(ask(key)).await.status(), status, "{key}");
    }
    for _ in 0..3 {
        assert_eq!(gateway.get("/free").await.status(), 200);
    }
}

#[tokio::test]
async fn long_keys_that_begin_alike_do_not_share_a_limit() {
    let server = Upstream::named("a").await;
    let gateway = limited(2, "rate = \"1/h\", key = \"cookie:id\"", &server).await;
    let long = "k".repeat(1000);
    for (end, status) in [("1", 200), ("2", 200), ("1", 429), ("2", 429)] {
        let ask = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: id={long}{end}\r\n\r\n");
        assert_eq!(gateway.exchange(ask).await.status(), status, "{end}");
    }
}

#[tokio::test]
async fn a_limit_outlives_a_reload() {
    let server = Upstream::named("a").await;
    let gateway = limited(2, "rate = \"1/h\"", &server).await;
    assert_eq!(gateway.get("/").await.status(), 200);
    gateway.edit(|text| text.replace("health = false", "health = false\nmax_active = 100"));
    gateway.says("generation 2").await;
    assert_eq!(gateway.get("/").await.status(), 429);
}
