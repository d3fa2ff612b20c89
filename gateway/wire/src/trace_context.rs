//! The place of a request in a trace: `traceparent` and `tracestate` (W3C Trace
//! Context, Level 1, and the rules of Level 2 for what is newer).

use std::fmt;

/// A trace's id: not all zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

/// The id of a span of a trace: not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub [u8; 8]);

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The span that asked.
    pub span: SpanId,
    /// Whether that span is recorded.
    pub is_sampled: bool,
}

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;

/// The flag of spans that are recorded.
const SAMPLED: u8 = 1;

/// Members that a `tracestate` may have (§3.3.1.1).
const MOST_MEMBERS: usize = 32;

/// Characters of a `tracestate` that are passed on at least (§3.3.1.5), and here
/// at most.
const MOST_STATE: usize = 512;

impl TraceParent {
    /// Read the value of a `traceparent`; none where it is not one. Of a newer
    /// version is read what version 00 has.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = value.split_at_checked(LENGTH)?;
        let [version] = bytes(head.get(..2)?)?;
        let is_divided = [2, 35, 52].iter().all(|at| head[*at] == b'-');
        let is_whole = rest.is_empty() || version > 0 && rest[0] == b'-';
        if version == 0xff || !is_divided || !is_whole {
            return None;
        }
        let trace: [u8; 16] = bytes(&head[3..35])?;
        let span: [u8; 8] = bytes(&head[36..52])?;
        let [flags] = bytes(&head[53..])?;
        (trace != [0; 16] && span != [0; 8]).then_some(Self {
            trace: TraceId(trace),
            span: SpanId(span),
            is_sampled: flags & SAMPLED != 0,
        })
    }
}

/// So many bytes from twice as many hexadecimal digits in lower case.
fn bytes<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != N {
        return None;
    }
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

impl fmt::Display for TraceParent {
    /// As version 00 writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, .. } = self;
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(self.is_sampled))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Whether the values of all `tracestate` headers of a request are one list that
/// may be passed on (§3.3.1).
#[must_use]
pub fn is_state<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let (mut length, mut members) = (0, 0);
    for value in values {
        length += value.len();
        for member in value.split(|byte| *byte == b',') {
            let member = member.trim_ascii();
            if member.is_empty() {
                continue;
            }
            members += 1;
            if !is_member(member) {
                return false;
            }
        }
    }
    length <= MOST_STATE && members <= MOST_MEMBERS
}

fn is_member(member: &[u8]) -> bool {
    let Some(at) = member.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (key, value) = (&member[..at], &member[at + 1..]);
    let starts = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_of_key = |byte: &u8| starts(byte) || b"_-*/@".contains(byte);
    let is_of_value = |byte: &u8| matches!(byte, b' '..=b'~') && !b",=".contains(byte);
    let has_key = key.first().is_some_and(starts) && key.iter().all(is_of_key);
    let has_value = !value.is_empty() && value.iter().all(is_of_value);
    has_key && key.len() <= 256 && has_value && value.len() <= 256
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specifications_example_reads_and_writes_back() {
        let parent = TraceParent::parse(KNOWN.as_bytes()).unwrap();
        assert!(parent.is_sampled);
        assert_eq!(parent.to_string(), KNOWN);
    }

    #[test]
    fn of_a_newer_version_is_read_what_is_known() {
        let newer = KNOWN.replacen("00", "cc", 1);
        for (value, is_one) in [
            (newer.clone(), true),
            (format!("{newer}-what-is-new"), true),
            (format!("{newer}x"), false),
            (format!("{KNOWN}-x"), false),
            (KNOWN.replacen("00", "ff", 1), false),
        ] {
            let read = TraceParent::parse(value.as_bytes());
            assert_eq!(read.is_some(), is_one, "{value}");
        }
    }

    #[test]
    fn what_is_no_traceparent_is_not_believed() {
        for value in [
            "",
            "00",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        ] {
            assert_eq!(TraceParent::parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn a_state_is_a_bounded_list_of_keys_with_values() {
        let many = vec!["a=1"; 33].join(",");
        let long = format!("a={}", "x".repeat(257));
        for (state, is_one) in [
            ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true),
            ("tenant@vendor=x y", true),
            ("a=1, ,b=2", true),
            ("", true),
            ("A=1", false),
            ("a", false),
            ("a=", false),
            ("a=1=2", false),
            ("a=\u{7f}", false),
            (many.as_str(), false),
            (long.as_str(), false),
        ] {
            assert_eq!(is_state([state.as_bytes()]), is_one, "{state}");
        }
        let two = [
            "a=".to_owned() + &"x".repeat(250),
            "b=".to_owned() + &"x".repeat(250),
        ];
        assert!(is_state(two.iter().map(String::as_bytes)));
        let three = [two[0].as_bytes(), two[1].as_bytes(), b"c=0123456789"];
        assert!(!is_state(three), "all values together are one list");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(trace in 1_u128.., span in 1_u64.., is_sampled: bool) {
            let parent = TraceParent {
                trace: TraceId(trace.to_be_bytes()),
                span: SpanId(span.to_be_bytes()),
                is_sampled,
            };
            let read = TraceParent::parse(parent.to_string().as_bytes());
            prop_assert_eq!(read, Some(parent));
        }

        #[test]
        fn no_bytes_make_it_panic(value in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = TraceParent::parse(&value);
            let _ = is_state([value.as_slice()]);
        }
    }
}
