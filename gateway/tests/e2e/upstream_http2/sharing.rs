//! What the requests that share a connection to a server do to each other.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use super::*;
use crate::support::http2::{self as wire, Frames, flag, kind};
use crate::support::{get as get_over_http1, http2_by_hand};

/// How many requests are cut off in their response.
const CUT: usize = 2000;

/// A server that sends a piece of each response, and another for each that is
/// cut off: too late, as it happens on any network. The first response goes on
/// to its end when so many were.
async fn late(cut: usize) -> Upstream {
    Upstream::speaking(move |stream| async move {
        let mut frames = Frames::serving(stream).await;
        let mut resets = 0;
        while let Some(frame) = frames.next().await {
            let answer = match frame.kind {
                kind::PING if frame.flags & flag::ACK == 0 => {
                    wire::frame(kind::PING, flag::ACK, 0, &frame.payload)
                }
                kind::HEADERS => {
                    [wire::ok(frame.stream), wire::data(frame.stream, b"begun ")].concat()
                }
                kind::RST_STREAM => {
                    resets += 1;
                    let mut late = wire::data(frame.stream, b"late");
                    if resets == cut {
                        late.extend(wire::frame(kind::DATA, flag::END_STREAM, 1, b"and ended"));
                    }
                    late
                }
                _ => continue,
            };
            if !frames.send(answer).await {
                return;
            }
        }
    })
    .await
}

#[tokio::test]
async fn responses_that_clients_cut_off_leave_the_others_alone() {
    let server = late(CUT).await;
    let gateway = before(over_http2(&[&server])).await;
    let mut long = gateway.connect().await;
    long.send(get_over_http1("/")).await;
    let head = long.head().await.expect("a response");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let cut = async || {
        let mut client = gateway.connect().await;
        client.send(get_over_http1("/")).await;
        assert!(client.head().await.is_some());
    };
    for _ in 0..CUT / 8 {
        join_all((0..8).map(|_| cut())).await;
    }
    let rest = long.rest_of_chunks().await;
    assert_eq!(rest, "begun and ended");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn clients_that_take_nothing_leave_the_others_their_room() {
    const STALLED: usize = 160;
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    let length = large.len();
    let server = answering(move |_| {
        let large = large.clone();
        async move { Response::new(whole(large)) }
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    let mut sender = http2_by_hand(gateway.tls_address()).await;
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        sender = soon("room for a stream", sender.ready())
            .await
            .expect("room");
        let request = Request::get("https://localhost/").body(());
        let request = request.expect("a request");
        stalled.push(sender.send_request(request, true).expect("a stream").0);
    }
    let begun = soon("all begin", join_all(stalled)).await;
    assert!(begun.iter().all(Result::is_ok));
    for _ in 0..8 {
        assert_eq!(gateway.get("/").await.body.len(), length);
    }
}

#[tokio::test]
async fn those_who_waited_for_a_shared_connection_connect_together_when_there_is_none() {
    const WAITING: usize = 20;
    let authority = Authority::new();
    let shown = acceptor(&authority.sign("127.0.0.1"), &["http/1.1"], None);
    let first = Arc::new(Semaphore::new(0));
    let others = Arc::new(Barrier::new(WAITING - 1));
    let is_first = Arc::new(AtomicBool::new(true));
    let gate = Arc::clone(&first);
    let server = Upstream::speaking(move |stream| {
        let (shown, gate, others) = (shown.clone(), Arc::clone(&gate), Arc::clone(&others));
        let is_first = is_first.swap(false, Ordering::Relaxed);
        async move {
            match is_first {
                true => _ = gate.acquire().await,
                false => _ = others.wait().await,
            }
            let stream = shown.accept(stream).await.expect("a handshake");
            let mut wire = crate::support::Wire::new(stream);
            while wire.request().await.is_some() {
                wire.send(crate::support::plain("one by one")).await;
            }
        }
    })
    .await;
    let builder = Builder::new().file("ca.pem", authority.certificate());
    let pool = Pool::of(&[&server])
        .with("protocol", "\"auto\"")
        .with("tls", "{ ca = \"ca.pem\" }");
    let gateway = builder.pool(pool).start().await;
    let release = async {
        eventually("all wait", async || {
            gateway.metric("gatewright_requests_in_flight").await == WAITING as f64
        })
        .await;
        first.add_permits(1);
    };
    let asking = join_all((0..WAITING).map(|_| gateway.get("/")));
    let (responses, ()) = soon("all answers", futures_util::future::join(asking, release)).await;
    assert!(
        responses
            .iter()
            .all(|response| response.text() == "one by one")
    );
}

#[tokio::test]
async fn a_response_without_a_body_is_not_reset_when_its_end_comes_late() {
    let (told, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let server = by_hand(100, move |_, _, mut respond| {
        let head = Response::builder().header("content-length", "7");
        let head = head.body(()).expect("a response");
        let mut stream = respond.send_response(head, false).expect("room");
        let told = told.clone();
        tokio::spawn(async move {
            let cut = std::future::poll_fn(|cx| stream.poll_reset(cx));
            let cut = tokio::time::timeout(std::time::Duration::from_millis(200), cut).await;
            let ended = stream.send_data(Bytes::new(), true);
            told.send(cut.is_err() && ended.is_ok())
                .expect("the test waits");
        });
        true
    })
    .await;
    let gateway = before(over_http2(&[&server])).await;
    let mut client = gateway.connect().await;
    client.send("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.response_to_head().await.status(), 200);
    assert_eq!(soon("the end", ends.recv()).await, Some(true));
    gateway.settles().await;
}
