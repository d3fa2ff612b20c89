//! How a connection begins and is kept (RFC 9113 §3.4, §6.5, §6.7).

use super::upstream;
use crate::support::http2::{Frames, PREFACE, flag, frame, get, kind, setting, settings};
use crate::support::{Builder, Gateway, Pool, connect_tls, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_preface_may_come_byte_by_byte() {
    let server = upstream().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = Frames::silent(gateway.address()).await;
    for byte in [PREFACE, &settings(&[])].concat() {
        client.send([byte]).await;
        // So that it is read by itself.
        gateway.admin("/healthz").await;
    }
    client.is_answered(1, "/sound").await;
}

#[tokio::test]
async fn a_wrong_preface_ends_the_connection() {
    let server = upstream().await;
    let builder = Builder::new().tls("self_signed = true");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let wrong = b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n";
    let request = [&wrong[..], &settings(&[]), &get(1, "/bad")].concat();
    let mut client = Frames::silent(gateway.address()).await;
    client.send(&request).await;
    let mut rest = Vec::new();
    let reading = client.stream().read_to_end(&mut rest);
    // It may be reset with the rest of the request unread.
    let _ = soon("an end", reading).await;
    let mut client = connect_tls(gateway.tls_address(), "localhost", &["h2"]).await;
    client.write_all(&request).await.expect("it is sent");
    let _ = soon("an end", client.read_to_end(&mut rest)).await;
    gateway.settles().await;
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn settings_are_acknowledged_and_pings_come_back() {
    let server = upstream().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = Frames::begun(gateway.address(), &[]).await;
    let is_ack = |kind| move |frame: &_| is_ack_of(frame, kind);
    client.find(is_ack(kind::SETTINGS)).await;
    client
        .send(settings(&[(setting::HEADER_TABLE_SIZE, 0), (0xf0f0, 1)]))
        .await;
    let ack = client.find(is_ack(kind::SETTINGS)).await;
    assert_eq!((ack.stream, ack.payload.len()), (0, 0));
    // One that is an answer itself is not answered.
    client
        .send(frame(kind::PING, flag::ACK, 0, b"notasked"))
        .await;
    client.send(frame(kind::PING, 0xfe, 0, b"question")).await;
    let pong = client.find(is_ack(kind::PING)).await;
    assert_eq!((pong.stream, &pong.payload[..]), (0, &b"question"[..]));
}

#[tokio::test]
async fn whoever_says_goodbye_for_an_unknown_reason_is_answered_what_was_asked_before() {
    let server = upstream().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut client = Frames::begun(gateway.address(), &[]).await;
    let reason = [0, 0, 0xab, 0xcd];
    let goodbye = frame(kind::GOAWAY, 0, 0, &[[0; 4], reason].concat());
    client.send([get(1, "/sound"), goodbye].concat()).await;
    client
        .find(|frame| frame.stream == 1 && frame.is_ok())
        .await;
}

fn is_ack_of(frame: &crate::support::http2::Frame, kind: u8) -> bool {
    frame.is(kind) && frame.flags & flag::ACK != 0
}
