//! Flow control (RFC 9113 §6.9).

use h2::Reason;

use super::{Case, check, upstream};
use crate::support::http2::{Frame, Frames, data, get, kind, post, setting, settings, window};
use crate::support::{Gateway, Pool, Upstream};

/// The largest window (§6.9.1).
const LARGEST: u32 = (1 << 31) - 1;

#[tokio::test]
async fn windows_neither_stand_still_nor_overflow() {
    let asked = get(1, "/waits");
    check(&[
        Case::breaks(
            "6.9 an increment of 0",
            Reason::PROTOCOL_ERROR,
            &[&window(0, 0)],
        ),
        Case::breaks(
            "6.9 an increment of 0 on a stream",
            Reason::PROTOCOL_ERROR,
            &[&asked, &window(1, 0)],
        ),
        Case::breaks(
            "6.9.1 a connection's window beyond the largest",
            Reason::FLOW_CONTROL_ERROR,
            &[&window(0, LARGEST)],
        ),
        Case::resets(
            "6.9.1 a stream's window beyond the largest",
            1,
            Reason::FLOW_CONTROL_ERROR,
            &[&asked, &window(1, LARGEST)],
        ),
        Case::breaks(
            "6.9.2 a new initial window takes a stream's beyond the largest",
            Reason::FLOW_CONTROL_ERROR,
            &[
                &asked,
                &window(1, LARGEST - 65_535),
                &settings(&[(setting::INITIAL_WINDOW_SIZE, 65_536)]),
            ],
        ),
    ])
    .await;
}

/// The data of a stream that comes before a ping does.
async fn data_before_a_ping(client: &mut Frames) -> usize {
    let ping = crate::support::http2::frame(kind::PING, 0, 0, b"how much");
    client.send(ping).await;
    let mut length = 0;
    while let Some(frame) = client.next().await {
        match frame.kind {
            kind::PING => break,
            kind::DATA => length += frame.payload.len(),
            _ => {}
        }
    }
    length
}

#[tokio::test]
async fn a_response_keeps_to_its_clients_window() {
    let server = upstream().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let initial = |size| [(setting::INITIAL_WINDOW_SIZE, size)];
    let mut client = Frames::begun(gateway.address(), &initial(0)).await;
    client.send(get(1, "/sound")).await;
    client.find(Frame::is_ok).await;
    assert_eq!(data_before_a_ping(&mut client).await, 0);
    client.send(window(1, 1)).await;
    let first = client.find(|frame| frame.is(kind::DATA)).await;
    assert_eq!(first.payload, b"s");
    // 6.9.2: a new initial window moves those of open streams, here to -1, 0
    // and 4, of which the second does not let anything out.
    for (size, more) in [(3, true), (1, false), (2, false)] {
        client.send(settings(&initial(size))).await;
        if more {
            let next = client.find(|frame| frame.is(kind::DATA)).await;
            assert_eq!(next.payload, b"oun");
        }
        assert_eq!(data_before_a_ping(&mut client).await, 0, "{size}");
    }
    client.send(settings(&initial(4))).await;
    let last = client.find(|frame| frame.is(kind::DATA)).await;
    assert_eq!(last.payload, b"d");
}

#[tokio::test]
async fn a_body_beyond_the_gateways_window_is_an_error() {
    /// Far more than windows and the sockets' buffers together take.
    const FRAMES: usize = 4096;
    let server = Upstream::scripted(|mut peer| async move {
        // It reads the head, and nothing of the body.
        peer.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = Frames::begun(gateway.address(), &[]).await;
    client.send(post(1, "/begun")).await;
    let piece = data(1, &[b'x'; 16 << 10]);
    for _ in 0..FRAMES {
        if !client.send(&piece).await {
            break;
        }
    }
    // The stream's window or that of the connection is the first to overflow.
    let end = client.find(|frame| frame.reason().is_some()).await;
    assert_eq!(end.reason(), Some(Reason::FLOW_CONTROL_ERROR), "{end:?}");
    gateway.settles().await;
}
