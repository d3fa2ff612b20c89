//! Texts of a head, written so that none can break out of its place.

use bytes::{BufMut, BytesMut};

/// Writes the request target in origin form.
pub(super) fn put_target(out: &mut BytesMut, path: &str, query: Option<&str>) {
    put_encoded(out, if path.is_empty() { "/" } else { path });
    if let Some(query) = query {
        out.extend_from_slice(b"?");
        put_encoded(out, query);
    }
}

/// Writes a part of the target; what cannot be in one, or would end it, is
/// percent-encoded. Clients send none of that, but plugins may.
fn put_encoded(out: &mut BytesMut, part: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let is_foreign = |byte: u8| matches!(byte, 0..=b' ' | b'"' | b'#' | b'<' | b'>' | 0x7f);
    if !has(part, is_foreign) {
        out.extend_from_slice(part.as_bytes());
        return;
    }
    for byte in part.bytes() {
        if is_foreign(byte) {
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

/// A number in decimal, in the end of `digits`.
pub(super) fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    let mut start = digits.len() - 1;
    for place in (0..digits.len()).rev() {
        digits[place] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        start = place;
        if rest == 0 {
            break;
        }
    }
    &digits[start..]
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use http::uri::PathAndQuery;
    use proptest::prelude::*;

    use super::{decimal, put_target};
    use crate::request::fields::Fields;

    fn text(number: u64) -> String {
        String::from_utf8(decimal(number, &mut [0; 20]).to_vec()).unwrap()
    }

    #[test]
    fn the_ends_of_the_range_are_written_whole() {
        assert_eq!(text(0), "0");
        assert_eq!(text(u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn neither_target_nor_text_can_end_their_line() {
        let mut out = BytesMut::new();
        put_target(&mut out, "/a b\r\n", Some("x=\n"));
        out.put_text("host\r\nx: y\0");
        assert_eq!(out, &b"/a%20b%0D%0A?x=%0Ahostx: y"[..]);
    }

    proptest! {
        #[test]
        fn any_path_and_query_make_a_target_that_is_taken_whole(path: String, query: String) {
            let path = format!("/{path}");
            if let Ok(path) = crate::path::normalise(&path) {
                let mut out = BytesMut::new();
                put_target(&mut out, &path, Some(&query));
                let taken = PathAndQuery::try_from(&out[..]).unwrap();
                prop_assert_eq!(taken.as_str().as_bytes(), &out[..]);
                prop_assert!(taken.query().is_some());
            }
        }

        #[test]
        fn any_number_reads_as_itself(number: u64) {
            prop_assert_eq!(text(number), number.to_string());
        }
    }
}
