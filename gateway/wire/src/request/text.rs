//! Writing texts into a head so that none can break out of its place.

use bytes::{BufMut, BytesMut};
use http::HeaderMap;

/// Writes a header line.
pub(super) fn put_line(out: &mut BytesMut, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    put_text(out, value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a text as (a part of) a header's value, without control characters.
pub(super) fn put_text(out: &mut BytesMut, text: &str) {
    if has(text, |byte| byte.is_ascii_control()) {
        out.extend(text.bytes().filter(|byte| !byte.is_ascii_control()));
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Begins a header line with all values of that name, joined. The line is left open.
pub(super) fn put_joined(out: &mut BytesMut, name: &str, headers: &HeaderMap, separator: &str) {
    out.extend_from_slice(name.as_bytes());
    let mut before = ": ";
    for value in headers.get_all(name) {
        out.extend_from_slice(before.as_bytes());
        out.extend_from_slice(value.as_bytes());
        before = separator;
    }
}

/// Writes the request target in origin form.
pub(super) fn put_target(out: &mut BytesMut, path: &str, query: Option<&str>) {
    put_encoded(out, if path.is_empty() { "/" } else { path });
    if let Some(query) = query {
        out.extend_from_slice(b"?");
        put_encoded(out, query);
    }
}

/// Writes a part of the target; what would end it is percent-encoded.
fn put_encoded(out: &mut BytesMut, part: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let ends_target = |byte: u8| byte <= b' ' || byte == 0x7f;
    if !has(part, ends_target) {
        out.extend_from_slice(part.as_bytes());
        return;
    }
    for byte in part.bytes() {
        if ends_target(byte) {
            out.put_u8(b'%');
            out.put_u8(DIGITS[usize::from(byte >> 4)]);
            out.put_u8(DIGITS[usize::from(byte & 0xf)]);
        } else {
            out.put_u8(byte);
        }
    }
}

/// Whether a text has a byte of a kind. Looking at eight bytes whatever they
/// are, instead of up to the first such one, lets the compiler look at them at
/// once.
pub(super) fn has(text: &str, is_kind: impl Fn(u8) -> bool) -> bool {
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let among = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(false, |found, byte| found | is_kind(*byte))
    };
    eights.iter().any(|eight| among(eight)) || among(rest)
}

/// Writes a number in decimal.
pub(super) fn put_decimal(out: &mut BytesMut, number: u64) {
    let mut rest = number;
    // The largest number has 20 digits.
    let mut digits = [b'0'; 20];
    let mut start = digits.len() - 1;
    for place in (0..digits.len()).rev() {
        digits[place] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        start = place;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::{put_decimal, put_target, put_text};

    fn decimal(number: u64) -> String {
        let mut out = BytesMut::new();
        put_decimal(&mut out, number);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn the_ends_of_the_range_are_written_whole() {
        assert_eq!(decimal(0), "0");
        assert_eq!(decimal(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn neither_target_nor_text_can_end_their_line() {
        let mut out = BytesMut::new();
        put_target(&mut out, "/a b\r\n", Some("x=\n"));
        put_text(&mut out, "host\r\nx: y\0");
        assert_eq!(out, &b"/a%20b%0D%0A?x=%0Ahostx: y"[..]);
    }

    proptest! {
        #[test]
        fn any_number_reads_as_itself(number: u64) {
            prop_assert_eq!(decimal(number), number.to_string());
        }
    }
}
