//! Requests that go on to another server over HTTP/2, and what the first one
//! hears of it.

use std::future::poll_fn;
use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn a_server_that_is_overtaken_hears_that_its_answer_is_not_wanted_and_keeps_its_connection() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    let slow = by_hand(100, move |_, _, mut respond| {
        let hearing = Arc::clone(&hearing);
        tokio::spawn(async move {
            let reason = poll_fn(|cx| respond.poll_reset(cx)).await;
            hearing.lock().expect("no panic").push(reason.ok());
        });
        true
    })
    .await;
    let good = by_hand(100, |_, _, respond| {
        answer_whole(respond, "good");
        true
    })
    .await;
    let pool = over_http2(&[&slow, &good])
        .with("balancer", "\"round-robin\"")
        .with("hedge", "{ after = \"20ms\" }");
    let gateway = before(pool).await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.text(), "good");
    }
    let hedges = gateway.metric("gatewright_hedges_total").await as usize;
    assert!(hedges > 1, "{hedges}");
    eventually("all have heard", async || {
        heard.lock().expect("no panic").len() == hedges
    })
    .await;
    let reasons = heard.lock().expect("no panic").clone();
    assert!(
        reasons.iter().all(|reason| *reason == Some(Reason::CANCEL)),
        "{reasons:?}"
    );
    assert_eq!(slow.connections(), 1);
    gateway.settles().await;
}

#[tokio::test]
async fn a_status_that_is_named_leads_elsewhere_with_the_body_and_harms_no_connection() {
    let busy = answering(|_| async {
        let response = Response::builder().status(StatusCode::SERVICE_UNAVAILABLE);
        response.body(whole("busy")).expect("a response")
    })
    .await;
    let good = answering(echo).await;
    let pool = over_http2(&[&busy, &good])
        .with("balancer", "\"round-robin\"")
        .with("retries", "{ budget = 1.0, statuses = [503] }");
    let gateway = before(pool).await;
    for _ in 0..10 {
        let put = "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi";
        assert_eq!(gateway.exchange(put).await.text(), "hi");
    }
    assert!(gateway.metric("gatewright_retries_total").await > 1.0);
    assert_eq!(busy.connections(), 1);
    gateway.settles().await;
}
