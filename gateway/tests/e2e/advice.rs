//! What a balancer may ask for beside its pick: less than the operator allows, and
//! never more.

use crate::support::{Builder, Gateway, Guest, Pool, Upstream};

/// A balancer that gives this advice and names the first server, tried or not.
fn advising(function: &str, number: u32) -> Vec<u8> {
    let pick = format!("(call $advise (i32.const {number})) (i32.const 0)");
    let guest = Guest::balancer(&pick);
    guest
        .importing("advice", function, "$advise (param i32)")
        .build()
}

async fn gateway(pool: Pool, component: Vec<u8>) -> Gateway {
    let pool = pool.with("balancer", "\"mine\"");
    let builder = Builder::new().plugin("mine", component);
    builder.pool(pool).start().await
}

#[tokio::test]
async fn a_plugin_may_have_fewer_servers_tried_and_not_more() {
    for (advice, attempts) in [(0, 1.0), (1, 2.0), (7, 3.0)] {
        let nowhere: Vec<_> = (0..4).map(|_| Upstream::nowhere()).collect();
        let pool = Pool::at(&nowhere).with("retries", "{ attempts = 3 }");
        let gateway = gateway(pool, advising("retries", advice)).await;
        assert_eq!(gateway.get("/").await.status(), 502);
        let asked = gateway.metric("gatewright_server_requests_total").await;
        assert_eq!(asked, attempts, "{advice} more are enough");
    }
}

#[tokio::test]
async fn a_plugin_may_have_a_second_server_asked_later_and_not_sooner() {
    let silent = || {
        Upstream::scripted(|mut peer| async move {
            peer.request().await;
            peer.stall().await;
        })
    };
    for (after, advice, hedges) in [("20ms", u32::MAX, 0.0), ("20ms", 40, 1.0), ("1m", 1, 0.0)] {
        let servers = [silent().await, silent().await];
        let pool = Pool::of(&[&servers[0], &servers[1]])
            .with("hedge", format!("{{ after = \"{after}\" }}"))
            .with("request_timeout", "\"300ms\"");
        let gateway = gateway(pool, advising("hedge-after", advice)).await;
        assert_eq!(gateway.get("/").await.status(), 504);
        let asked = gateway.metric("gatewright_hedges_total").await;
        assert_eq!(asked, hedges, "after {after}, or {advice} ms");
    }
}
