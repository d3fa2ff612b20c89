//! What a balancer may ask for beside its pick: less than the operator allows, and
//! never more.

use crate::support::{Builder, Gateway, Guest, Pool, Upstream, eventually};

/// A balancer that gives this advice and names the first server, tried or not.
fn advising(function: &str, number: u32) -> Vec<u8> {
    let pick = format!("(call $advise (i32.const {number})) (i32.const 0)");
    let guest = Guest::balancer(&pick);
    guest
        .importing("advice", function, "$advise (param i32)")
        .build()
}

/// A balancer that names the first server and, as its second choice, the third one; asked
/// once more about a request, it names the second one.
fn choosing_ahead() -> Vec<u8> {
    let pick = "(if (i32.eq (call $attempt) (i32.const 1)) \
                (then (call $second (i32.const 2)) (return (i32.const 0)))) (i32.const 1)";
    let guest = Guest::balancer(pick);
    let guest = guest.importing("request", "attempt", "$attempt (result i32)");
    let guest = guest.importing("advice", "second-choice", "$second (param i32)");
    guest.build()
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

#[tokio::test]
async fn the_second_choice_is_asked_next_when_the_first_fails() {
    let failing = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await;
    let [b, c] = [Upstream::named("b").await, Upstream::named("c").await];
    let pool = Pool::of(&[&failing, &b, &c]).with("retries", "{ budget = 1.0 }");
    let gateway = gateway(pool, choosing_ahead()).await;
    assert_eq!(gateway.get("/").await.text(), "c");
    assert_eq!(failing.requests().len(), 1);
    // Asked again, the balancer would have named it; and its turn it would have been.
    assert!(b.requests().is_empty());
}

#[tokio::test]
async fn the_second_choice_takes_what_the_first_cannot() {
    let [b, c] = [Upstream::named("b").await, Upstream::named("c").await];
    let servers = [Upstream::nowhere(), b.address(), c.address()];
    let gateway = gateway(Pool::at(&servers).checked(), choosing_ahead()).await;
    eventually("the first is known to be down", async || {
        gateway.count("unhealthy").await == 1
    })
    .await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.text(), "c");
    }
}

#[tokio::test]
async fn a_plugin_may_have_a_request_end_earlier_and_not_later() {
    // Were it not the lesser of both that ends it, the client would have given up before.
    for (limit, advice) in [("1h", 200), ("0s", 200), ("200ms", 3_600_000)] {
        let silent = Upstream::silent().await;
        let pool = Pool::of(&[&silent])
            .with("request_timeout", format!("\"{limit}\""))
            .with("retries", "{ per_try_timeout = \"1h\" }");
        let gateway = gateway(pool, advising("timeout", advice)).await;
        let status = gateway.get("/").await.status();
        assert_eq!(status, 504, "{advice} ms of {limit}");
    }
}
