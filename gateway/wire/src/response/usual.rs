//! A head in the form in which nearly all servers write it, read in one pass. One of
//! any other form, be it allowed or not, is left to the parser that knows them all:
//! whatever is read here means the same to both.

use http::StatusCode;

use super::survey::Survey;
use super::{HeadLimits, Start};
use crate::fields::MAX_FIELDS;

/// Reads such a head into an empty survey; none if it is another one, or not
/// complete, and then there may be anything in the survey.
pub(super) fn read(buffer: &[u8], limits: HeadLimits, survey: &mut Survey) -> Option<Start> {
    let (first, mut rest) = line(buffer.strip_prefix(b"HTTP/1.1 ")?)?;
    let (code, reason) = first.split_at_checked(3)?;
    if !matches!(reason, [] | [b' ', ..]) {
        return None;
    }
    let status = StatusCode::from_bytes(code).ok()?;
    // As many fields as there may be, and the empty line.
    for _ in 0..=limits.max_headers.min(MAX_FIELDS) {
        let (text, next) = line(rest)?;
        if text.is_empty() {
            let bytes = buffer.len() - next.len();
            return (bytes <= limits.max_bytes).then_some(Start {
                bytes,
                status,
                is_http_11: true,
            });
        }
        let (name, value) = field(text)?;
        survey.add(buffer, name, value).ok()?;
        rest = next;
    }
    None
}

/// The first line and what follows it; none unless it ends in CRLF and has no other
/// control character.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at(control(bytes)?);
    Some((line, rest.strip_prefix(b"\r\n")?))
}

/// Name and value of a field, if there is one space before the value, none behind
/// it, and nothing unusual in the name.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|byte| !IN_NAMES[usize::from(*byte)])?;
    let (name, rest) = line.split_at(end);
    let value = rest.strip_prefix(b": ")?;
    let is_bare = value.first()? != &b' ' && value.last()? != &b' ';
    (is_bare && !name.is_empty()).then_some((name, value))
}

/// Where the first control character of ASCII is; looked for in eight bytes at once.
fn control(bytes: &[u8]) -> Option<usize> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let (eights, rest) = bytes.as_chunks::<8>();
    for (index, eight) in eights.iter().enumerate() {
        let eight = u64::from_le_bytes(*eight);
        // What is subtracted may borrow of a byte behind one that is found, never of
        // one before it: the first that is found is one.
        let is_low = eight.wrapping_sub(EACH * 0x20) & !eight;
        let other = eight ^ (EACH * 0x7f);
        let is_delete = other.wrapping_sub(EACH) & !other;
        let found = (is_low | is_delete) & (EACH * 0x80);
        if found != 0 {
            return Some(index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let start = bytes.len() - rest.len();
    let found = rest.iter().position(u8::is_ascii_control);
    found.map(|at| start + at)
}

/// What usual names consist of.
static IN_NAMES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte as usize] = matches!(byte, b'-' | b'_') || byte.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::control;

    proptest! {
        #[test]
        fn the_first_control_character_is_found_wherever_it_is(
            bytes in prop::collection::vec(
                prop_oneof![8 => 0x20_u8..=0x7e, 4 => 0x80_u8..=0xff, 1 => any::<u8>()],
                0..40,
            ),
        ) {
            prop_assert_eq!(control(&bytes), bytes.iter().position(u8::is_ascii_control));
        }
    }
}
