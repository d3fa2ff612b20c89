//! What is understood of a server's response, and what is refused.

use bytes::BytesMut;
use http::{HeaderMap, Method, StatusCode, header};
use proptest::prelude::*;

use super::{Asked, HeadError, HeadLimits, HeadParser, ResponseFraming, ResponseHead};

/// Parses a head that is in the buffer as a whole, if it is.
pub(super) fn parse_head(
    buffer: &mut BytesMut,
    to: &Method,
    limits: HeadLimits,
) -> Result<Option<ResponseHead>, HeadError> {
    HeadParser::new(limits).parse(buffer, to.into())
}

fn parse_to(method: &Method, head: &str) -> Result<ResponseHead, HeadError> {
    let mut buffer = BytesMut::from(head);
    let parsed = parse_head(&mut buffer, method, HeadLimits::DEFAULT)?;
    Ok(parsed.expect("the head is complete"))
}

pub(super) fn parse(head: &str) -> Result<ResponseHead, HeadError> {
    parse_to(&Method::GET, head)
}

/// A 200 response of HTTP/1.1 with these header lines.
fn ok_with(lines: &str) -> Result<ResponseHead, HeadError> {
    parse(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"))
}

#[track_caller]
fn is_refused(lines: &str, error: HeadError) {
    assert_eq!(ok_with(lines).unwrap_err(), error, "{lines:?}");
}

#[test]
fn a_head_is_taken_off_the_buffer_and_shares_its_memory() {
    let mut buffer = BytesMut::from("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nhi");
    let memory = buffer.as_ptr_range();
    let head = parse_head(&mut buffer, &Method::GET, HeadLimits::DEFAULT)
        .unwrap()
        .unwrap();
    assert_eq!(buffer, "hi");
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.headers[header::SERVER], "x");
    assert_eq!(head.headers[header::CONTENT_LENGTH], "2");
    assert_eq!(head.framing, ResponseFraming::Length(2));
    assert!(head.reusable);
    assert!(memory.contains(&head.headers[header::SERVER].as_bytes().as_ptr()));
}

#[test]
fn hop_by_hop_headers_and_those_that_connection_lists_are_gone() {
    let head = ok_with(
        "X-Secret: s\r\nConnection: keep-alive\r\nconnection: X-Secret, \r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n\
         Proxy-Authentication-Info: x\r\nTransfer-Encoding: chunked\r\n\
         Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nTrailer: x-sum\r\nX-Empty:\r\n",
    )
    .unwrap();
    let mut names: Vec<_> = head.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["set-cookie", "trailer", "x-empty"]);
    assert_eq!(head.headers.get_all(header::SET_COOKIE).iter().count(), 2);
}

#[test]
fn the_body_is_framed_by_the_rules_of_the_standard() {
    let framing = |lines: &str| ok_with(lines).unwrap().framing;
    assert_eq!(framing("Content-Length: 7\r\n"), ResponseFraming::Length(7));
    assert_eq!(
        framing("transfer-encoding: Chunked\r\n"),
        ResponseFraming::Chunked
    );
    assert_eq!(framing(""), ResponseFraming::UntilClose);
}

#[test]
fn responses_that_cannot_have_a_body_have_none() {
    for head in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    ] {
        let head = parse(head).unwrap();
        assert_eq!(head.framing, ResponseFraming::None);
        assert!(head.reusable);
    }
    for lines in [
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "",
    ] {
        let head = parse_to(&Method::HEAD, &format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).unwrap();
        assert_eq!(head.framing, ResponseFraming::None);
        assert!(head.reusable);
    }
}

#[test]
fn the_length_of_an_absent_body_is_told_only_where_it_may_be() {
    let head = parse_to(
        &Method::HEAD,
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    )
    .unwrap();
    assert_eq!(head.headers[header::CONTENT_LENGTH], "5");
    let head = parse("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert!(!head.headers.contains_key(header::CONTENT_LENGTH));
    assert!(head.reusable);
}

#[test]
fn a_body_announced_where_there_can_be_none_ends_the_connection() {
    for line in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let head = parse(&format!("HTTP/1.1 204 No Content\r\n{line}\r\n\r\n")).unwrap();
        assert_eq!(head.framing, ResponseFraming::None);
        assert!(!head.reusable, "{line}");
    }
}

#[test]
fn a_repeated_length_is_one_length() {
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5 ,05\r\n",
    ] {
        let head = ok_with(lines).unwrap();
        assert_eq!(head.framing, ResponseFraming::Length(5));
        let lengths = head.headers.get_all(header::CONTENT_LENGTH);
        assert_eq!(lengths.iter().collect::<Vec<_>>(), ["5"]);
    }
}

#[test]
fn lengths_that_leave_doubt_are_refused() {
    is_refused(
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        HeadError::ConflictingLengths,
    );
    is_refused("Content-Length: 5, 6\r\n", HeadError::ConflictingLengths);
    for length in [
        "",
        "+5",
        "-5",
        "5x",
        "0x5",
        "5,",
        "5 5",
        "18446744073709551616",
    ] {
        is_refused(
            &format!("Content-Length: {length}\r\n"),
            HeadError::MalformedLength,
        );
    }
}

#[test]
fn transfer_encodings_that_leave_doubt_are_refused() {
    is_refused(
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        HeadError::LengthAndTransferEncoding,
    );
    for lines in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
    ] {
        let error = ok_with(lines).unwrap_err();
        assert!(
            matches!(
                error,
                HeadError::UnsupportedTransferEncoding | HeadError::Malformed(_)
            ),
            "{lines:?} {error}"
        );
    }
    let error = parse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap_err();
    assert_eq!(error, HeadError::UnsupportedTransferEncoding);
}

#[test]
fn a_connection_is_reused_only_when_the_server_keeps_it() {
    for (version, connection, reusable) in [
        ("1.1", "", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
    ] {
        let head = format!("HTTP/{version} 200 OK\r\n{connection}Content-Length: 0\r\n\r\n");
        assert_eq!(parse(&head).unwrap().reusable, reusable, "{head}");
    }
    assert!(!ok_with("").unwrap().reusable);
}

#[test]
fn an_upgrade_that_was_not_asked_for_is_refused() {
    let error = parse("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").unwrap_err();
    assert_eq!(error, HeadError::UnexpectedUpgrade);
}

#[test]
fn a_server_switches_to_what_it_was_asked_to_and_to_nothing_else() {
    let asked = Asked {
        method: &Method::GET,
        upgrade: Some("websocket"),
    };
    let switch = |to: &str| {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {to}\r\n\r\n");
        HeadParser::default().parse(&mut BytesMut::from(&*head), asked)
    };
    let head = switch("WebSocket").unwrap().unwrap();
    assert_eq!(head.headers[header::UPGRADE], "WebSocket");
    assert_eq!(head.headers[header::CONNECTION], "upgrade");
    assert_eq!(switch("h2c").unwrap_err(), HeadError::UnexpectedUpgrade);
}

#[test]
fn interim_heads_are_returned_one_by_one() {
    let mut buffer =
        BytesMut::from("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n");
    let mut parser = HeadParser::default();
    let interim = parser
        .parse(&mut buffer, (&Method::GET).into())
        .unwrap()
        .unwrap();
    assert!(interim.status.is_informational());
    let head = parser
        .parse(&mut buffer, (&Method::GET).into())
        .unwrap()
        .unwrap();
    assert_eq!(head.status, StatusCode::OK);
    assert!(buffer.is_empty());
}

#[test]
fn bytes_that_two_readers_could_read_differently_are_refused() {
    for head in [
        "HTTP/1.1 200 OK\nA: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n\n",
        "HTTP/1.1 200 OK\r\nA:\nC: d\r\n\r\n",
        "HTTP/1.1 200 OK\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(parse(head).unwrap_err(), HeadError::LineEnd, "{head:?}");
    }
    for head in [
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\n A: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        let error = parse(head).unwrap_err();
        assert!(matches!(error, HeadError::Malformed(_)), "{head:?} {error}");
    }
    assert_eq!(
        parse("HTTP/1.1 099 Low\r\n\r\n").unwrap_err(),
        HeadError::Status
    );
}

#[test]
fn limits_hold_for_whole_and_for_unfinished_heads() {
    let limits = HeadLimits {
        max_bytes: 64,
        max_headers: 2,
    };
    let parse = |head: String| parse_head(&mut BytesMut::from(&*head), &Method::GET, limits);
    let too_large = Err(HeadError::TooLarge { limit: 64 });
    let long = "x".repeat(64);
    assert_eq!(
        parse(format!("HTTP/1.1 200 OK\r\nA: {long}\r\n\r\n")).map(|_| ()),
        too_large
    );
    assert_eq!(
        parse(format!("HTTP/1.1 200 OK\r\nA: {long}")).map(|_| ()),
        too_large
    );
    let fields = |lines: &str| parse(format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
    assert!(fields("A: 1\r\nB: 2\r\n").is_ok());
    assert_eq!(
        fields("A: 1\r\nB: 2\r\nC: 3\r\n").map(|_| ()),
        Err(HeadError::TooManyHeaders { limit: 2 })
    );
}

#[test]
fn a_head_that_arrives_byte_by_byte_is_the_same_head() {
    let bytes = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\n";
    let mut buffer = BytesMut::new();
    let mut parser = HeadParser::default();
    for (index, byte) in bytes.iter().enumerate() {
        buffer.extend_from_slice(&[*byte]);
        let parsed = parser.parse(&mut buffer, (&Method::GET).into()).unwrap();
        assert_eq!(parsed.is_some(), index + 1 == bytes.len(), "{index}");
    }
}

#[test]
fn the_headers_are_put_into_the_map_that_is_given() {
    let mut parser = HeadParser::default();
    let mut unfinished = BytesMut::from("HTTP/1.1 200 OK\r\nServer: x\r\n");
    let waits = parser.parse_with(&mut unfinished, (&Method::GET).into(), false, || {
        unreachable!("there are no headers yet")
    });
    assert!(matches!(waits, Ok(None)));
    unfinished.extend_from_slice(b"\r\n");
    let head = parser.parse_with(&mut unfinished, (&Method::GET).into(), false, || {
        HeaderMap::with_capacity(96)
    });
    let headers = head.unwrap().unwrap().headers;
    assert_eq!(headers[header::SERVER], "x");
    assert!(headers.capacity() >= 96);
}

/// Heads of lines out of which some come close to being valid, and more are.
pub(super) fn near_heads() -> impl Strategy<Value = String> {
    let usual = prop::sample::select(vec![
        "Content-Length: 5",
        "content-length: 6",
        "Transfer-Encoding: chunked",
        "Connection: close",
        "Connection: keep-alive",
        "Keep-Alive: timeout=5",
        "Server: x",
        "Set-Cookie: a=b",
        "A: b\tc",
        "X_Y: \u{e9}",
    ]);
    let other = prop::sample::select(vec![
        "Connection: close, a",
        "Connection: CLOSE",
        "Content-Length: 5 ",
        "Content-Length: 5, 5",
        "Upgrade: h2c",
        "Keep-Alive: a\u{1}",
        "X_Y:  b\tc",
        "A: \tb",
        "A: b\t",
        "A: \u{e9}\u{7f}",
        "A: b\nServer: y",
        "A :b",
        "A:",
        "\u{e9}: b",
        " folded",
        "bad",
    ]);
    let line = prop_oneof![4 => usual, 1 => other];
    let end = prop_oneof![19 => Just("\r\n"), 1 => Just("\n")];
    let status = prop_oneof![Just("200 OK"), Just("204"), Just("101 x"), Just("304 ")];
    (status, prop::collection::vec((line, end), 0..5)).prop_map(|(status, lines)| {
        let lines: String = lines.iter().flat_map(|(line, end)| [*line, *end]).collect();
        format!("HTTP/1.1 {status}\r\n{lines}\r\n")
    })
}

/// A result in a form that can be compared.
pub(super) fn summary(result: &Result<Option<ResponseHead>, HeadError>) -> String {
    format!("{result:?}")
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        let _ = parse_head(&mut BytesMut::from(&*bytes), &Method::GET, HeadLimits::DEFAULT);
    }

    #[test]
    fn a_head_means_the_same_wherever_its_reads_were_cut(
        text in near_heads(),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut whole = BytesMut::from(&*text);
        let expected = summary(&parse_head(&mut whole, &Method::GET, HeadLimits::DEFAULT));

        let mut parser = HeadParser::default();
        let mut buffer = BytesMut::new();
        let mut rest = text.as_bytes();
        let mut cuts = cuts.iter().cycle();
        let mut result = Ok(None);
        while !rest.is_empty() && matches!(result, Ok(None)) {
            let (read, unread) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            buffer.extend_from_slice(read);
            rest = unread;
            result = parser.parse(&mut buffer, (&Method::GET).into());
        }
        prop_assert_eq!(summary(&result), expected);
    }

    #[test]
    fn a_copied_head_is_the_same_and_leaves_the_same(text in near_heads(), behind in "[a-z]{0,9}") {
        let text = text + &behind;
        let parse = |is_copied| {
            let mut buffer = BytesMut::from(&*text);
            let asked = (&Method::GET).into();
            let head = HeadParser::default().parse_with(&mut buffer, asked, is_copied, HeaderMap::new);
            (summary(&head), buffer)
        };
        prop_assert_eq!(parse(true), parse(false));
    }

    #[test]
    fn no_accepted_head_has_two_framings(text in near_heads()) {
        let Ok(Some(head)) = parse_head(&mut BytesMut::from(&*text), &Method::GET, HeadLimits::DEFAULT)
        else {
            return Ok(());
        };
        prop_assert!(!head.headers.contains_key(header::TRANSFER_ENCODING));
        prop_assert!(!head.headers.contains_key(header::CONNECTION));
        let lengths = head.headers.get_all(header::CONTENT_LENGTH).iter().count();
        prop_assert!(lengths <= 1);
        if head.framing == ResponseFraming::Chunked {
            prop_assert_eq!(lengths, 0);
        }
    }
}
