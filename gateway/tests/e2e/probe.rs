//! Servers say how busy they are, and `prequal` goes by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Gateway, Message, Pool, Upstream, eventually, plain};

/// A server that says that it has so many requests in flight, and answers
/// everything else with its name.
async fn reporting(name: &'static str, in_flight: Arc<AtomicU32>) -> Upstream {
    Upstream::answering(move |request: &Message| {
        if request.target() != "/load" {
            return plain(name);
        }
        let in_flight = in_flight.load(Ordering::Relaxed);
        format!(
            "HTTP/1.1 204 No Content\r\nX-Load-In-Flight: {in_flight}\r\nX-Load-Latency-Us: 900\r\n\r\n"
        )
    })
    .await
}

/// A pool whose servers are asked fifty times a second.
fn probed(servers: &[&Upstream]) -> Pool {
    let pool = Pool::of(servers).with("balancer", "\"prequal\"");
    pool.with("probe", "{ path = \"/load\", interval = \"20ms\" }")
}

/// Whether ten requests in a row are all answered by this server.
async fn all_go_to(gateway: &Gateway, name: &str) -> bool {
    for _ in 0..10 {
        if gateway.get("/").await.text() != name {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn requests_follow_what_the_servers_report() {
    let [a, b] = [Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(70))];
    let servers = [
        reporting("a", Arc::clone(&a)).await,
        reporting("b", Arc::clone(&b)).await,
    ];
    let gateway = Gateway::before(probed(&[&servers[0], &servers[1]])).await;
    eventually("all go to a", async || all_go_to(&gateway, "a").await).await;
    a.store(90, Ordering::Relaxed);
    b.store(2, Ordering::Relaxed);
    eventually("all go to b", async || all_go_to(&gateway, "b").await).await;
}

#[tokio::test]
async fn servers_that_report_nothing_are_balanced_by_what_is_seen_of_them() {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = Gateway::before(probed(&[&servers[0], &servers[1]])).await;
    for server in &servers {
        let asked = async || {
            server
                .requests()
                .iter()
                .any(|asked| asked.target() == "/load")
        };
        eventually("it was asked for its load", asked).await;
    }
    for _ in 0..40 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
}
