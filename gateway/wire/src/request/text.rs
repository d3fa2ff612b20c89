//! Texts of a head, written so that none can break out of its place.

/// Writes the request target in origin form.
pub(super) fn put_target(out: &mut Vec<u8>, path: &str, query: Option<&str>) {
    put_encoded(out, if path.is_empty() { "/" } else { path });
    if let Some(query) = query {
        out.extend_from_slice(b"?");
        put_encoded(out, query);
    }
}

/// Writes a part of the target; what cannot be in one, or would end it, is
/// percent-encoded. Clients send none of that, but plugins may.
fn put_encoded(out: &mut Vec<u8>, part: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if !has(part, is_foreign) {
        out.extend_from_slice(part.as_bytes());
        return;
    }
    for byte in part.bytes() {
        if is_foreign(byte) {
            out.push(b'%');
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 0xf)]);
        } else {
            out.push(byte);
        }
    }
}

/// Whether a byte cannot be in a target, or would end it.
fn is_foreign(byte: u8) -> bool {
    FOREIGN[usize::from(byte)]
}

static FOREIGN: [bool; 256] = {
    let mut table = [false; 256];
    let mut control = 0;
    while control <= b' ' as usize {
        table[control] = true;
        control += 1;
    }
    let others = b"\"#<>\x7f";
    let mut index = 0;
    while index < others.len() {
        table[others[index] as usize] = true;
        index += 1;
    }
    table
};

/// Whether a text has a byte of a kind. Looking at eight bytes whatever they
/// are, instead of up to the first such one, lets the compiler look at them at
/// once; the last eight may have been looked at in part before.
pub(super) fn has(text: &str, is_kind: impl Fn(u8) -> bool) -> bool {
    let among = |bytes: &[u8]| {
        let found = bytes.iter().map(|byte| is_kind(*byte));
        found.fold(false, |one, other| one | other)
    };
    let bytes = text.as_bytes();
    let Some(last) = bytes.last_chunk::<8>() else {
        return among(bytes);
    };
    let (eights, _) = bytes.as_chunks::<8>();
    eights.iter().any(|eight| among(eight)) || among(last)
}

/// Whether a byte is a control character of ASCII.
pub(super) fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
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
        let mut out = Vec::new();
        put_target(&mut out, "/a b\r\n", Some("x=\n"));
        out.put_text("host\r\nx: y\0");
        assert_eq!(out, b"/a%20b%0D%0A?x=%0Ahostx: y");
    }

    proptest! {
        #[test]
        fn any_path_and_query_make_a_target_that_is_taken_whole(path: String, query: String) {
            let path = format!("/{path}");
            if let Ok(path) = crate::path::normalise(&path) {
                let mut out = Vec::new();
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
