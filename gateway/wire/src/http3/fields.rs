//! The names in a head as QPACK writes it (RFC 9204 §4.5), as far as pseudo-header
//! fields go: each may be there once, in a request's head alone, and before all other
//! fields (RFC 9114 §4.3), but `:protocol` nowhere, since extended CONNECT (RFC 9220)
//! is not offered. Values are passed over, and nothing is kept but a name
//! that may be one. What only a dynamic table could tell, which is not offered, is
//! left to whoever decodes the head, to be refused.

use super::Malformed;

/// The longest name of a pseudo-header field.
const LONGEST: usize = b":authority".len();

/// Pseudo-header fields by their names, as they are and by Huffman's code
/// (RFC 7541 appendix B).
const NAMES: [(Pseudo, &[u8], &[u8]); 6] = [
    (Pseudo::Method, b":method", b"\xb9\x49\x53\x39\xe4"),
    (Pseudo::Scheme, b":scheme", b"\xb8\x82\x4e\x5a\x4b"),
    (
        Pseudo::Authority,
        b":authority",
        b"\xb8\x3b\x53\x39\xec\x32\x7d\x7f",
    ),
    (Pseudo::Path, b":path", b"\xb9\x58\xd3\x3f"),
    (
        Pseudo::Protocol,
        b":protocol",
        b"\xb9\x5d\x87\x49\xc8\x7a\x3f",
    ),
    (Pseudo::Status, b":status", b"\xb8\x84\x8d\x36\xa3"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pseudo {
    Method,
    Scheme,
    Authority,
    Path,
    Protocol,
    Status,
}

impl Pseudo {
    /// The one at an index of the static table (RFC 9204 appendix A).
    fn at(index: u64) -> Option<Self> {
        Some(match index {
            0 => Self::Authority,
            1 => Self::Path,
            15..=21 => Self::Method,
            22 | 23 => Self::Scheme,
            24..=28 | 63..=71 => Self::Status,
            _ => return None,
        })
    }

    fn named(name: &[u8], is_coded: bool) -> Option<Self> {
        let found = NAMES.iter().find(|(_, plain, coded)| match is_coded {
            true => *coded == name,
            false => *plain == name,
        });
        found.map(|(pseudo, ..)| *pseudo)
    }
}

/// A head, or trailers, as much as has come.
#[derive(Clone, Debug)]
pub(super) struct FieldSection {
    /// The pseudo-header fields that have come, by bits.
    seen: u8,
    /// Whether no more of them may come.
    is_closed: bool,
    step: Step,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The beginning of something.
    First(First),
    /// The rest of an integer (RFC 7541 §5.1).
    Integer { of: Of, value: u64, shift: u32 },
    /// A name that may be one.
    Name {
        is_coded: bool,
        held: [u8; LONGEST],
        length: usize,
        left: usize,
    },
    /// So many bytes that do not matter.
    Skipped { left: u64, then: First },
    /// What cannot be told from here.
    Unknown,
}

/// What begins with the next byte.
#[derive(Clone, Copy, Debug)]
enum First {
    InsertCount,
    Base,
    Line,
    Value,
}

/// What an integer says.
#[derive(Clone, Copy, Debug)]
enum Of {
    InsertCount,
    Base,
    /// A field of the static table.
    Field,
    /// The name of one.
    Name,
    NameLength {
        is_coded: bool,
    },
    ValueLength,
}

impl FieldSection {
    /// The beginning of a request's head.
    pub(super) fn head() -> Self {
        Self {
            seen: 0,
            is_closed: false,
            step: Step::First(First::InsertCount),
        }
    }

    /// The beginning of its trailers.
    pub(super) fn trailers() -> Self {
        Self {
            is_closed: true,
            ..Self::head()
        }
    }

    /// Look at what comes of it.
    ///
    /// # Errors
    ///
    /// When a pseudo-header field is where none may be, or an integer is longer than
    /// any has to be.
    pub(super) fn look(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while let Some((byte, rest)) = bytes.split_first() {
            bytes = rest;
            match &mut self.step {
                Step::First(first) => match first.begin(*byte) {
                    Some((of, mask)) if byte & mask < mask => {
                        self.told(of, u64::from(byte & mask))?;
                    }
                    Some((of, mask)) => {
                        self.step = Step::Integer {
                            of,
                            value: u64::from(mask),
                            shift: 0,
                        };
                    }
                    None => self.step = Step::Unknown,
                },
                // No length is that long, and none needs to be written so: whoever does
                // hides what follows.
                Step::Integer { shift, .. } if *shift > 28 => return Err(Malformed),
                Step::Integer { of, value, shift } => {
                    *value += u64::from(byte & 0x7f) << *shift;
                    *shift += 7;
                    if byte & 0x80 == 0 {
                        let (of, value) = (*of, *value);
                        self.told(of, value)?;
                    }
                }
                Step::Name {
                    is_coded,
                    held,
                    length,
                    left,
                } => {
                    held[*length] = *byte;
                    *length += 1;
                    *left -= 1;
                    if *left == 0 {
                        let pseudo = Pseudo::named(&held[..*length], *is_coded);
                        self.step = Step::First(First::Value);
                        self.field(pseudo)?;
                    }
                }
                Step::Skipped { left, then } => {
                    // This byte, and what there is of the others.
                    let wanted = usize::try_from(*left - 1);
                    let more = wanted.map_or(bytes.len(), |wanted| wanted.min(bytes.len()));
                    *left -= 1 + more as u64;
                    let next = (*left == 0).then_some(*then);
                    bytes = &bytes[more..];
                    if let Some(next) = next {
                        self.step = Step::First(next);
                    }
                }
                Step::Unknown => return Ok(()),
            }
        }
        Ok(())
    }

    /// An integer has come.
    fn told(&mut self, of: Of, value: u64) -> Result<(), Malformed> {
        self.step = match of {
            Of::InsertCount if value > 0 => Step::Unknown,
            Of::InsertCount => Step::First(First::Base),
            Of::Base => Step::First(First::Line),
            Of::Field => {
                self.field(Pseudo::at(value))?;
                Step::First(First::Line)
            }
            Of::Name => {
                self.field(Pseudo::at(value))?;
                Step::First(First::Value)
            }
            Of::NameLength { is_coded } => match usize::try_from(value) {
                Ok(left @ 1..=LONGEST) => Step::Name {
                    is_coded,
                    held: [0; LONGEST],
                    length: 0,
                    left,
                },
                _ => {
                    self.field(None)?;
                    skipped(value, First::Value)
                }
            },
            Of::ValueLength => skipped(value, First::Line),
        };
        Ok(())
    }

    /// A field has come, which may be one of them.
    fn field(&mut self, pseudo: Option<Pseudo>) -> Result<(), Malformed> {
        let Some(pseudo) = pseudo else {
            self.is_closed = true;
            return Ok(());
        };
        let bit = 1 << pseudo as u8;
        let is_for_none = matches!(pseudo, Pseudo::Protocol | Pseudo::Status);
        if self.is_closed || is_for_none || self.seen & bit != 0 {
            return Err(Malformed);
        }
        self.seen |= bit;
        Ok(())
    }
}

fn skipped(left: u64, then: First) -> Step {
    match left {
        0 => Step::First(then),
        left => Step::Skipped { left, then },
    }
}

impl First {
    /// What begins with a byte, and which of its bits belong to the integer; none if
    /// the dynamic table would tell.
    fn begin(self, byte: u8) -> Option<(Of, u8)> {
        match self {
            Self::InsertCount => Some((Of::InsertCount, 0xff)),
            Self::Base => Some((Of::Base, 0x7f)),
            Self::Value => Some((Of::ValueLength, 0x7f)),
            Self::Line if byte & 0xc0 == 0xc0 => Some((Of::Field, 0x3f)),
            Self::Line if byte & 0xd0 == 0x50 => Some((Of::Name, 0x0f)),
            Self::Line if byte & 0xe0 == 0x20 => {
                let is_coded = byte & 0x08 != 0;
                Some((Of::NameLength { is_coded }, 0x07))
            }
            Self::Line => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A string behind its length, which takes so many bits of the first byte.
    fn string(first: u8, bits: u32, text: &[u8]) -> Vec<u8> {
        let most = (1 << bits) - 1;
        let mut bytes = match text.len() {
            length if length < most => vec![first | length as u8],
            length => vec![first | most as u8, (length - most) as u8],
        };
        bytes.extend_from_slice(text);
        bytes
    }

    fn literal(name: &str) -> Vec<u8> {
        [string(0x20, 3, name.as_bytes()), string(0, 7, b"value")].concat()
    }

    fn coded(name: &[u8]) -> Vec<u8> {
        [string(0x28, 3, name), string(0x80, 7, b"coded")].concat()
    }

    /// A section of these lines, in pieces of every size.
    fn look(mut section: FieldSection, lines: &[Vec<u8>]) -> Result<(), Malformed> {
        let bytes = [&[0, 0][..], &lines.concat()].concat();
        let begun = section.clone();
        let whole = section.look(&bytes);
        for step in 1..bytes.len() {
            let mut section = begun.clone();
            let looked = bytes.chunks(step).try_for_each(|part| section.look(part));
            assert_eq!(looked, whole, "pieces of {step}");
        }
        whole
    }

    #[test]
    fn a_head_has_each_pseudo_header_field_once_and_before_all_others() {
        // GET, https and "/" of the static table, and a name from it.
        let [get, https, root] = [0xc0 | 17, 0xc0 | 23, 0xc0 | 1].map(|line| vec![line]);
        let authority = [vec![0x50], string(0, 7, b"localhost")].concat();
        let usual = [get.clone(), https, root.clone(), authority.clone()];
        let with = |line: Vec<u8>| [&usual[..], &[line]].concat();
        assert_eq!(look(FieldSection::head(), &usual), Ok(()));
        for (_, plain, code) in NAMES {
            let plain = std::str::from_utf8(plain).unwrap();
            for line in [literal(plain), coded(code)] {
                let looked = look(FieldSection::head(), &with(line.clone()));
                assert_eq!(looked, Err(Malformed), "{plain}");
                assert_eq!(look(FieldSection::trailers(), &[line]), Err(Malformed));
            }
        }
        for line in [get, root, authority, vec![0xc0 | 25], vec![0xff, 0]] {
            assert_eq!(look(FieldSection::head(), &with(line)), Err(Malformed));
        }
        let accept = vec![0xc0 | 29];
        let late = [&usual[..3], &[accept.clone(), usual[3].clone()]].concat();
        assert_eq!(look(FieldSection::head(), &late), Err(Malformed));
        for name in ["x-a", "content-length", "a-name-that-is-longer-than-them"] {
            assert_eq!(
                look(FieldSection::head(), &with(literal(name))),
                Ok(()),
                "{name}"
            );
            let late = [&usual[..3], &[literal(name), usual[3].clone()]].concat();
            assert_eq!(look(FieldSection::head(), &late), Err(Malformed), "{name}");
        }
        let trailers = [literal("x-sum"), accept];
        assert_eq!(look(FieldSection::trailers(), &trailers), Ok(()));
    }

    #[test]
    fn no_protocol_is_connected_to_in_another_one() {
        let authority = [vec![0x50], string(0, 7, b"localhost")].concat();
        // CONNECT and GET of the static table.
        for method in [0xc0 | 15, 0xc0 | 17] {
            let usual = [vec![method], authority.clone()];
            assert_eq!(look(FieldSection::head(), &usual), Ok(()));
            for line in [literal(":protocol"), coded(b"\xb9\x5d\x87\x49\xc8\x7a\x3f")] {
                let lines = [&[line][..], &usual].concat();
                assert_eq!(look(FieldSection::head(), &lines), Err(Malformed));
            }
        }
    }

    #[test]
    fn a_value_is_no_name() {
        let long = string(0, 7, &b":path".repeat(30));
        let line = [string(0x20, 3, b"x-a"), long].concat();
        let root = vec![0xc0 | 1];
        assert_eq!(look(FieldSection::head(), &[root, line]), Ok(()));
    }

    #[test]
    fn an_integer_that_is_padded_hides_nothing() {
        // A value of 127 bytes and no more, however long that takes to say.
        let value = |padding: usize| {
            let length = [vec![0x7f], vec![0x80; padding], vec![0]].concat();
            [string(0x20, 3, b"x-a"), length, vec![b'x'; 127]].concat()
        };
        let root = vec![0xc0 | 1];
        for padding in 0..9 {
            let is_short = padding < 5;
            let looked = look(FieldSection::head(), &[root.clone(), value(padding)]);
            assert_eq!(looked.is_ok(), is_short, "{padding}");
            let lines = [root.clone(), value(padding), root.clone()];
            let looked = look(FieldSection::head(), &lines);
            assert_eq!(looked, Err(Malformed), "{padding}");
        }
    }

    #[test]
    fn what_the_dynamic_table_would_tell_is_not_judged() {
        let root = vec![0xc0 | 1];
        for line in [0x80, 0x40, 0x10, 0x00] {
            let lines = [root.clone(), vec![line], root.clone()];
            assert_eq!(look(FieldSection::head(), &lines), Ok(()), "{line:#x}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_looked_at(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = FieldSection::head().look(&bytes);
            let zeros = [&[0, 0][..], &bytes].concat();
            let _ = FieldSection::head().look(&zeros);
        }
    }
}
