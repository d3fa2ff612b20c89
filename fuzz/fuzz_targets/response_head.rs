//! A server's response head: the same whether it arrives whole or byte by byte and
//! whichever parser reads it, and never with two framings.
#![no_main]

use bytes::BytesMut;
use gatewright_wire::{HeadError, HeadParser, ResponseFraming};
use http::{Method, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|rest: &[u8]| {
    // The version is given, so that the time goes into what follows it.
    let bytes = [b"HTTP/1.1 ", rest].concat();
    let mut whole = BytesMut::from(&*bytes);
    let parsed = HeadParser::default().parse(&mut whole, (&Method::GET).into());
    if let Ok(Some(head)) = &parsed {
        assert!(!head.headers.contains_key(header::TRANSFER_ENCODING));
        assert!(!head.headers.contains_key(header::CONNECTION));
        let lengths = head.headers.get_all(header::CONTENT_LENGTH).iter().count();
        assert!(lengths <= usize::from(head.framing != ResponseFraming::Chunked));
    }

    // A field that has to be read by the parser that knows all forms, and is dropped.
    let first_end = bytes.windows(2).position(|pair| pair == b"\r\n");
    if let (Ok(Some(_)), Some(first_end)) = (&parsed, first_end) {
        let (first, fields) = bytes.split_at(first_end);
        let mut other = BytesMut::from(&*[first, b"\r\nUpgrade: x", fields].concat());
        let other = HeadParser::default().parse(&mut other, (&Method::GET).into());
        let is_beyond_limits = matches!(
            other,
            Err(HeadError::TooLarge { .. } | HeadError::TooManyHeaders { .. })
        );
        assert!(is_beyond_limits || format!("{parsed:?}") == format!("{other:?}"));
    }

    let mut parser = HeadParser::default();
    let mut buffer = BytesMut::new();
    let mut piecewise = Ok(None);
    for byte in &bytes {
        buffer.extend_from_slice(&[*byte]);
        piecewise = parser.parse(&mut buffer, (&Method::GET).into());
        if !matches!(piecewise, Ok(None)) {
            break;
        }
    }
    // An error may be noticed later when the bytes come one by one, but a head
    // that is understood is understood as the same.
    if let (Ok(Some(_)), _) | (_, Ok(Some(_))) = (&parsed, &piecewise) {
        assert_eq!(format!("{parsed:?}"), format!("{piecewise:?}"));
    }
});
