//! One look over the fields of a response head: those for the gateway are
//! understood, those for the client are noted by their place.

use smallvec::SmallVec;

use super::HeadError;
use crate::fields::{Span, Spans};
use crate::hop::{ConnectionOptions, is_hop_by_hop_name};

/// What the fields of a head say.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The fields for the client, without `Content-Length`.
    pub(super) fields: Spans,
    /// What they say of the body and of the connection.
    pub(super) said: Said,
    /// One mention of the body's length.
    pub(super) length: Option<Span>,
    /// The `Connection` fields that may list names of other fields.
    pub(super) connections: SmallVec<[Span; 1]>,
    /// The first `Upgrade` field.
    pub(super) upgrade: Option<Span>,
}

/// What a head says of its body and of its connection.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Said {
    /// The length of the body in bytes, if one is given.
    pub(super) length: Option<u64>,
    /// The codings of the body for its transfer.
    pub(super) coding: Coding,
    /// What `Connection` says.
    pub(super) options: ConnectionOptions,
}

/// What `Transfer-Encoding` says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// There is none.
    #[default]
    Absent,
    /// `chunked`, once and alone.
    Chunked,
    /// Something that we do not understand.
    Unsupported,
}

impl Survey {
    /// Fills an empty survey. It is large, so it is filled in place, not returned.
    pub(super) fn read(
        &mut self,
        section: &[u8],
        fields: &[httparse::Header<'_>],
    ) -> Result<(), HeadError> {
        let mut fields = fields.iter();
        fields.try_for_each(|field| self.add(section, field.name.as_bytes(), field.value))
    }

    /// Adds a field, whose name and value are slices of the section.
    fn add(&mut self, section: &[u8], name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        let span = || Span::new(section, name, value);
        match Role::of(name) {
            Role::ForClient => self.fields.push(span()),
            Role::Length => self.add_length(section, name, value)?,
            Role::TransferEncoding => self.add_coding(value),
            Role::Connection => {
                self.said.options.add(value);
                if self.said.options.lists_names {
                    self.connections.push(span());
                }
            }
            Role::Upgrade => {
                self.upgrade.get_or_insert_with(span);
            }
            Role::HopByHop => {}
        }
        Ok(())
    }

    /// A length may be repeated, in one field or several, as long as it stays the same.
    fn add_length(&mut self, section: &[u8], name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        for member in value.split(|&byte| byte == b',') {
            let member = member.trim_ascii();
            let bytes = parse_length(member).ok_or(HeadError::MalformedLength)?;
            match self.said.length {
                Some(known) if known != bytes => return Err(HeadError::ConflictingLengths),
                Some(_) => {}
                None => {
                    self.said.length = Some(bytes);
                    self.length = Some(Span::new(section, name, member));
                }
            }
        }
        Ok(())
    }

    fn add_coding(&mut self, value: &[u8]) {
        let is_first = self.said.coding == Coding::Absent;
        let is_chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
        self.said.coding = if is_first && is_chunked {
            Coding::Chunked
        } else {
            Coding::Unsupported
        };
    }
}

/// Digits only: no sign, no space, nothing that overflows.
pub(super) fn parse_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |length, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// For whom a field of a response is.
pub(super) enum Role {
    ForClient,
    Length,
    TransferEncoding,
    Connection,
    Upgrade,
    HopByHop,
}

impl Role {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            // As they are nearly always written: no byte is looked at alone.
            b"Content-Length" | b"content-length" => Self::Length,
            b"Connection" | b"connection" => Self::Connection,
            _ => Self::in_any_case(name),
        }
    }

    fn in_any_case(name: &[u8]) -> Self {
        // Comparing looks at lengths first, which tells most names apart.
        if name.eq_ignore_ascii_case(b"content-length") {
            Self::Length
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            Self::TransferEncoding
        } else if name.eq_ignore_ascii_case(b"connection") {
            Self::Connection
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            Self::Upgrade
        } else if is_hop_by_hop_name(name) {
            Self::HopByHop
        } else {
            Self::ForClient
        }
    }
}
