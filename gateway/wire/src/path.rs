//! One form for a path, so that what a router or a policy judges is what the
//! server gets.
//!
//! The normal form follows RFC 3986 §6.2.2 and goes further where servers are
//! known to differ in what they make of a path:
//!
//! - dot segments are resolved, also when their dots are percent-encoded;
//! - runs of slashes become one, before dot segments are resolved;
//! - percent-encoded unreserved characters are decoded, other percent codes
//!   written in upper case, and raw bytes that a path may not hold encoded;
//! - `%2F` and `%5C` stay encoded: they are data, not structure.
//!
//! Refused is what has no meaning that all servers share: a path that climbs
//! above its root, a raw backslash, control characters, NUL in any form, a
//! percent sign without two digits, and `..` disguised by an encoded slash or a
//! path parameter (`/a/..%2Fb`, `/a/..;/b`).

use std::borrow::Cow;

use thiserror::Error;

#[cfg(test)]
mod tests;

/// Why a path has no normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    /// It neither begins with a slash nor is the `*` of `OPTIONS`.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// Its dot segments lead out of the root.
    #[error("the path climbs above its root")]
    AboveRoot,
    /// A `..` hides behind an encoded slash or a path parameter.
    #[error("the path disguises a `..` segment")]
    DisguisedDotSegment,
    /// A percent sign is not followed by two hexadecimal digits.
    #[error("the path has a malformed percent code")]
    MalformedPercent,
    /// It holds NUL, as `%00`.
    #[error("the path holds an encoded NUL")]
    EncodedNul,
    /// It holds a byte that may not even be encoded on the sender's behalf: a
    /// control character, a backslash, or a `?` or `#` that would end the path.
    #[error("the path holds the forbidden byte 0x{0:02x}")]
    ForbiddenByte(u8),
}

/// The normal form of a path, without its query.
///
/// Nothing is allocated for a path that is already normal, and normalising is
/// idempotent. The empty path is `/`; `*` (the target of `OPTIONS *`) is itself.
///
/// # Errors
///
/// See [`PathError`]. Such a request should be answered with 400.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, PathError> {
    if is_plainly_normal(path.as_bytes()) || path == "*" {
        return Ok(Cow::Borrowed(path));
    }
    if path.is_empty() {
        return Ok(Cow::Borrowed("/"));
    }
    let normal = rebuild(path)?;
    if normal == path {
        return Ok(Cow::Borrowed(path));
    }
    Ok(Cow::Owned(normal))
}

/// A quick look that recognises nearly all normal paths, and no others.
fn is_plainly_normal(path: &[u8]) -> bool {
    if path.first() != Some(&b'/') {
        return false;
    }
    let mut rest = path;
    loop {
        let plain = rest.iter().position(|&byte| !is_path_character(byte));
        rest = match &rest[plain.unwrap_or(rest.len())..] {
            [] => return true,
            [b'/', tail @ ..] if !needs_resolving(tail) => tail,
            [b'%', high, low, tail @ ..] if is_plain_code(*high, *low) => tail,
            _ => return false,
        };
    }
}

/// Whether what follows a slash is another one, or could be or disguise a dot segment.
fn needs_resolving(segment: &[u8]) -> bool {
    matches!(segment, [b'/', ..] | [b'.'] | [b'.', b'.' | b'/', ..])
}

/// Whether a percent code is in normal form and takes part in no disguise.
fn is_plain_code(high: u8, low: u8) -> bool {
    let is_upper_digit = |digit: u8| matches!(digit, b'0'..=b'9' | b'A'..=b'F');
    let Some(byte) = decode(high, low) else {
        return false;
    };
    is_upper_digit(high)
        && is_upper_digit(low)
        && !is_unreserved(byte)
        && !matches!(byte, 0 | b'/' | b'\\')
}

/// The normal form, built segment by segment.
fn rebuild(path: &str) -> Result<String, PathError> {
    let relative = path.strip_prefix('/').ok_or(PathError::NotAbsolute)?;
    let mut normal = String::with_capacity(path.len());
    let mut ends_in_directory = false;
    for segment in relative.split('/') {
        let parent = normal.len();
        normal.push('/');
        push_segment(&mut normal, segment)?;
        let written = &normal[parent + 1..];
        ends_in_directory = matches!(written, "" | "." | "..");
        match written {
            "" | "." => normal.truncate(parent),
            ".." => {
                normal.truncate(parent);
                let grandparent = normal.rfind('/').ok_or(PathError::AboveRoot)?;
                normal.truncate(grandparent);
            }
            _ if disguises_dots(written) => return Err(PathError::DisguisedDotSegment),
            _ => {}
        }
    }
    if ends_in_directory {
        normal.push('/');
    }
    Ok(normal)
}

/// Whether a normal segment becomes `..` for a server that decodes slashes
/// before it resolves dot segments, or that cuts off path parameters.
fn disguises_dots(segment: &str) -> bool {
    segment
        .split("%2F")
        .flat_map(|part| part.split("%5C"))
        .any(|part| part == ".." || part.starts_with("..;"))
}

fn push_segment(normal: &mut String, segment: &str) -> Result<(), PathError> {
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match *first {
            b'%' => {
                let [high, low, after @ ..] = tail else {
                    return Err(PathError::MalformedPercent);
                };
                rest = after;
                push_decoded(normal, *high, *low)?;
            }
            byte if is_path_character(byte) => normal.push(char::from(byte)),
            byte if byte.is_ascii_control() || matches!(byte, b'\\' | b'?' | b'#') => {
                return Err(PathError::ForbiddenByte(byte));
            }
            byte => push_encoded(normal, byte),
        }
    }
    Ok(())
}

fn push_decoded(normal: &mut String, high: u8, low: u8) -> Result<(), PathError> {
    match decode(high, low).ok_or(PathError::MalformedPercent)? {
        0 => return Err(PathError::EncodedNul),
        byte if is_unreserved(byte) => normal.push(char::from(byte)),
        byte => push_encoded(normal, byte),
    }
    Ok(())
}

fn push_encoded(normal: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    normal.push('%');
    normal.push(char::from(DIGITS[usize::from(byte >> 4)]));
    normal.push(char::from(DIGITS[usize::from(byte & 0xf)]));
}

fn decode(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// `unreserved` of RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986 §3.3 without the percent codes.
fn is_path_character(byte: u8) -> bool {
    PATH_CHARACTERS[usize::from(byte)]
}

static PATH_CHARACTERS: [bool; 256] = {
    let mut table = [false; 256];
    let characters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\
        0123456789-._~!$&'()*+,;=:@";
    let mut index = 0;
    while index < characters.len() {
        table[characters[index] as usize] = true;
        index += 1;
    }
    table
};
