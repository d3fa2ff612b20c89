//! Servers that refuse, go away, break off or say nothing over HTTP/2.

use super::*;
use crate::support::Peer;

async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut h2::server::Connection<S, Bytes>,
) -> (Request<RecvStream>, Respond) {
    let accepted = connection.accept().await;
    accepted.expect("a request").expect("a sound one")
}

/// A server that refuses each request without a look at it.
async fn refusing() -> Upstream {
    by_hand(100, |_, _, mut respond| {
        respond.send_reset(Reason::REFUSED_STREAM);
        true
    })
    .await
}

async fn taking() -> Upstream {
    by_hand(100, |_, _, respond| {
        answer_whole(respond, "taken");
        true
    })
    .await
}

const POST: &str = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx";

#[tokio::test]
async fn a_server_that_says_goodbye_after_each_answer_loses_no_request() {
    let server = by_hand(100, |_, _, respond| {
        answer_whole(respond, "once");
        false
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    for _ in 0..30 {
        let response = gateway.exchange(POST);
        assert_eq!(response.await.text(), "once");
    }
    assert!(server.connections() > 1);
}

#[tokio::test]
async fn a_refused_stream_is_asked_elsewhere_whatever_its_method() {
    let (refusing, other) = (refusing().await, taking().await);
    let pool = over_http2(&[&refusing, &other]).with("balancer", "\"round-robin\"");
    let gateway = before(pool).await;
    for _ in 0..10 {
        assert_eq!(gateway.exchange(POST).await.text(), "taken");
    }
    assert_eq!(refusing.connections(), 1, "it is not dialled for each");
}

#[tokio::test]
async fn refusals_are_not_passed_on_to_others_without_end() {
    let (refusing, other) = (refusing().await, taking().await);
    let pool = over_http2(&[&refusing, &other])
        .with("balancer", "\"round-robin\"")
        .with("retries", "{ budget = 0.0 }");
    let gateway = before(pool).await;
    let asking = (0..200).map(|_| gateway.exchange(POST));
    let responses = soon("all answers", join_all(asking)).await;
    let refused = |response: &&crate::support::Message| response.status() == 502;
    let refused = responses.iter().filter(refused).count();
    // A hundred meet the one that refuses, and ten a second may turn elsewhere.
    assert!((20..100).contains(&refused), "{refused}");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_cut_off_for_the_client() {
    let server = by_hand(100, |_, _, mut respond| {
        let head = Response::builder().header("content-length", "10");
        let head = head.body(()).expect("a response");
        let mut stream = respond.send_response(head, false).expect("room");
        stream.send_data("hello".into(), false).expect("room");
        tokio::spawn(async move {
            // After the data has gone out.
            tokio::task::yield_now().await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        });
        true
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    let response = https(&gateway).await.send(get("/")).await;
    if let Ok(response) = response {
        assert!(body_of(response.into_body()).await.is_err());
    }
    let mut client = gateway.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let response = client.try_response().await;
    assert!(response.is_none_or(|response| !response.is_whole || response.status() == 502));
}

#[tokio::test]
async fn a_connection_that_has_gone_silent_is_given_up() {
    let server = Upstream::speaking(|stream| async {
        let mut connection = h2::server::handshake(stream).await.expect("a handshake");
        let (_, respond) = accept(&mut connection).await;
        answer_whole(respond, "first");
        let _unanswered = accept(&mut connection).await;
        // Not even its pings are answered.
        std::future::pending::<()>().await;
    })
    .await;
    let pool =
        over_http2(&[&server]).with("retries", "{ attempts = 1, per_try_timeout = \"100ms\" }");
    let gateway = before(pool).await;
    assert_eq!(gateway.get("/").await.text(), "first");
    assert_eq!(gateway.get("/").await.status(), 504);
    eventually("a new connection is made", async || {
        gateway.get("/").await.status() == 200
    })
    .await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_request_that_is_never_answered_leaves_the_connection_in_use() {
    let server = by_hand(100, |_, request, respond| {
        match request.uri().path() {
            "/stuck" => std::mem::forget(respond),
            _ => answer_whole(respond, "fine"),
        }
        true
    })
    .await;
    let retries = "{ attempts = 1, per_try_timeout = \"50ms\" }";
    let gateway = before(over_http2(&[&server]).with("retries", retries)).await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/stuck").await.status(), 504);
        assert_eq!(gateway.get("/").await.text(), "fine");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_callers_own_deadline_says_nothing_of_the_server() {
    let server = by_hand(100, |_, request, respond| {
        match request.uri().path() {
            "/" => answer_whole(respond, "fine"),
            _ => std::mem::forget(respond),
        }
        true
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    assert_eq!(gateway.get("/").await.text(), "fine");
    let mut client = https(&gateway).await;
    for _ in 0..5 {
        let call = Request::post("https://localhost/sleep")
            .header("content-type", "application/grpc")
            .header("grpc-timeout", "1n");
        let call = call.body(empty()).expect("a request");
        let response = client.send(call).await.expect("a response");
        assert_eq!(response.headers()["grpc-status"], "4");
    }
    assert_eq!(gateway.get("/").await.text(), "fine");
    assert_eq!(
        gateway.metric("gatewright_server_requests_total").await,
        7.0
    );
    for figure in [
        "gatewright_server_failures_total",
        "gatewright_retries_total",
    ] {
        assert_eq!(gateway.metric(figure).await, 0.0, "{figure}");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_caller_that_does_not_wait_for_a_connection_is_no_failure_to_connect() {
    // It accepts connections and never says a word.
    let server = Upstream::scripted(Peer::stall).await;
    let gateway = before(over_http2(&[&server])).await;
    let call = Request::post("https://localhost/")
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "1m");
    let call = call.body(empty()).expect("a request");
    let response = https(&gateway).await.send(call).await.expect("a response");
    assert_eq!(response.headers()["grpc-status"], "4");
    let figure = "gatewright_server_connect_failures_total";
    assert_eq!(gateway.metric(figure).await, 0.0);
}
