//! Heads of HTTP/3 that are none, field by field.

use crate::support::http3::head;
use crate::support::{Builder, Http3, Pool, Upstream, soon};

/// What every request has.
const USUAL: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":path", "/"),
    (":authority", "localhost"),
];

/// A head of the usual fields and one more before or behind them.
fn with(field: (&str, &str), is_first: bool) -> Vec<u8> {
    match is_first {
        true => head(&[&[field], &USUAL[..]].concat()),
        false => head(&[&USUAL[..], &[field]].concat()),
    }
}

#[tokio::test]
async fn pseudo_header_fields_come_once_and_first() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    let mut client = Http3::to(&gateway).await;
    assert!(client.is_served(&head(&USUAL)).await);
    assert!(client.is_served(&with(("x-a", ":path"), false)).await);
    let served = server.requests().len();
    for (field, is_first) in [
        ((":method", "POST"), false),
        ((":method", "GET"), true),
        ((":scheme", "https"), false),
        ((":path", "/other"), false),
        ((":path", "/other"), true),
        ((":authority", "other.example"), false),
        ((":status", "200"), false),
        (("x-a", "1"), true),
        ((":unknown", "1"), false),
    ] {
        let head = with(field, is_first);
        assert!(!client.is_served(&head).await, "{field:?}, {is_first}");
    }
    assert_eq!(server.requests().len(), served);
    assert_eq!(client.get("/").await.body(), "a", "the connection goes on");
}

#[tokio::test]
async fn a_repeated_field_is_the_reason_that_its_stream_is_told() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    let client = Http3::to(&gateway).await;
    let (mut sending, _receiving) = client.quic.open_bi().await.expect("a stream");
    let twice = with((":path", "/other"), false);
    sending.write_all(&twice).await.expect("it goes");
    let reason = soon("a refusal", sending.stopped()).await;
    let reason = reason.expect("no end").expect("a reason");
    assert_eq!(
        reason.into_inner(),
        h3::error::Code::H3_MESSAGE_ERROR.value()
    );
}

#[tokio::test]
async fn names_are_known_by_their_code_too() {
    let server = Upstream::named("a").await;
    let gateway = Builder::new()
        .tls("self_signed = true")
        .tls_listener("http3 = true")
        .pool(Pool::of(&[&server]))
        .start()
        .await;
    let client = Http3::to(&gateway).await;
    // The code for ":path" (RFC 7541 appendix B), and "/" as it is.
    let coded = b"\x2c\xb9\x58\xd3\x3f\x01/";
    let [method, scheme, path, authority] = USUAL;
    for (fields, is_right) in [
        (&[method, scheme, authority][..], true),
        (&[method, scheme, path, authority][..], false),
    ] {
        let mut request = head(fields);
        request.extend_from_slice(coded);
        let length = request.len() - 3;
        request[1] = 0x40 | (length >> 8) as u8;
        request[2] = length as u8;
        assert_eq!(client.is_served(&request).await, is_right, "{fields:?}");
    }
}
