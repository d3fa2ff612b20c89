//! Counting the heads of HTTP/1.1 requests in the bytes that come, as long as none has
//! a body.

use memchr::memchr;

/// The heads that have come of which no exchange has begun.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    whole: usize,
    at: At,
}

/// Where the bytes have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before a head.
    #[default]
    Start,
    InLine,
    LineStart,
    /// Behind a carriage return at a line's start.
    Return,
}

impl Heads {
    /// More has come.
    pub(crate) fn come(&mut self, come: &[u8]) {
        let mut rest = come;
        while let Some((byte, behind)) = rest.split_first() {
            rest = behind;
            self.at = match (self.at, byte) {
                // Empty lines before a head are passed over.
                (At::Start, b'\r' | b'\n') => At::Start,
                (At::LineStart, b'\r') => At::Return,
                (At::LineStart | At::Return, b'\n') => {
                    self.whole += 1;
                    At::Start
                }
                (At::InLine, b'\n') => At::LineStart,
                _ => At::InLine,
            };
            if self.at == At::InLine {
                // A body may lie behind a head, and be one long line.
                let Some(end) = memchr(b'\n', rest) else {
                    return;
                };
                self.at = At::LineStart;
                rest = &rest[end + 1..];
            }
        }
    }

    /// The exchange of the first of them begins.
    pub(crate) fn begins(&mut self) {
        self.whole = self.whole.saturating_sub(1);
    }

    /// Whether there are any, the last of them perhaps in part.
    pub(crate) fn any(&self) -> bool {
        self.whole > 0 || self.at != At::Start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn bytes_at_once_are_what_they_are_one_by_one(come in "(a|b|\r\n|\r|\n){0,40}") {
            let one_by_one: Vec<_> = come.as_bytes().chunks(1).collect();
            prop_assert_eq!(count(&[come.as_bytes()]), count(&one_by_one));
        }
    }

    /// How many exchanges begin before no head is left; the last has come in part.
    fn count(pieces: &[&[u8]]) -> usize {
        let mut heads = Heads::default();
        for piece in pieces {
            heads.come(piece);
        }
        heads.whole + usize::from(heads.at != At::Start)
    }

    #[test]
    fn heads_are_counted_wherever_they_are_cut() {
        for (head, bare) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", "\r\n"),
            ("GET / HTTP/1.1\nhost: a\n\n", "\n"),
        ] {
            let two = [head, head].concat();
            let and_part = [head, "GET"].concat();
            let after_blank = [bare, head].concat();
            let other_ends = [head, "GET / HTTP/1.0\n\n", "GET / HTTP/1.0\n\r\n"].concat();
            for (text, heads) in [
                (head, 1),
                (&two, 2),
                (&and_part, 2),
                (&after_blank, 1),
                (&other_ends, 3),
                ("GET", 1),
                (bare, 0),
                (&bare.repeat(2), 0),
            ] {
                for cut in 0..text.len() {
                    let (before, behind) = text.as_bytes().split_at(cut);
                    assert_eq!(count(&[before, behind]), heads, "{text:?} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn none_are_left_when_as_many_exchanges_have_begun() {
        let mut heads = Heads::default();
        heads.come(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
        heads.begins();
        assert!(heads.any());
        heads.begins();
        assert!(!heads.any());
    }
}
