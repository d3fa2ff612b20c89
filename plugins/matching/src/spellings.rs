//! What servers may take a path for, so that no spelling leads around a rule.
//!
//! The gateway's normal form leaves to servers what only they can know: whether
//! `%2F` is a slash, whether `;` begins a parameter (RFC 3986, 3.3), whether the
//! case of letters counts. So one path has several readings. What protects a
//! path holds if it holds for any of them; what lets a request past a protection
//! holds only if it holds for the path as it stands and for every reading.
//!
//! Beyond that a server is its own master: this knows nothing of dots at the end
//! of names, of Unicode's other forms, or of files that have two names.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// How often a path is decoded: servers behind other servers decode twice. One
/// that still has percent codes then hides something.
const MOST_DECODINGS: usize = 3;

/// Bytes of a path that is read in several ways, so that what clients send does
/// not decide how long a decision takes. A longer one hides something, unless
/// all servers take it for itself.
const LONGEST: usize = 4096;

/// A path with what servers may take it for.
#[derive(Debug)]
pub struct Spellings<'p> {
    /// As the gateway sends it.
    plain: &'p str,
    /// None besides `plain`, if that is all that it can be taken for.
    readings: Vec<Reading>,
    /// Whether it cannot be said what it will be taken for.
    is_disguised: bool,
}

/// What a server may take a path for: decoded, in one case, without empty
/// segments.
#[derive(Debug)]
struct Reading {
    /// With the parameters of its segments.
    whole: String,
    /// Without them.
    bare: String,
}

impl<'p> Spellings<'p> {
    /// Those of a normalised path, or of the `*` of `OPTIONS`, which is of the
    /// whole server and so read as `/`.
    pub fn of(path: &'p str) -> Self {
        let mut spellings = Self {
            plain: path,
            readings: Vec::new(),
            is_disguised: false,
        };
        if !is_unambiguous(path) {
            spellings.read();
        }
        spellings
    }

    fn read(&mut self) {
        if self.plain.len() > LONGEST {
            self.is_disguised = true;
            return;
        }
        if self.plain.contains("%2F") || self.plain.contains("%5C") {
            // Who splits a path before decoding it has slashes within segments.
            let kept = self.plain.replace("%2F", "%252F").replace("%5C", "%255C");
            self.add(&decoded(&kept));
        }
        let mut text = match self.plain {
            "*" => Cow::Borrowed("/"),
            path => decoded(path),
        };
        for _ in 0..MOST_DECODINGS {
            self.add(&text);
            match decoded(&text) {
                Cow::Borrowed(_) => return,
                Cow::Owned(again) => text = Cow::Owned(again),
            }
        }
        self.is_disguised = true;
    }

    fn add(&mut self, text: &str) {
        let reading = Reading {
            whole: folded(text),
            bare: bare(text),
        };
        let climbs = |path: &str| path.split('/').any(|segment| segment == "..");
        self.is_disguised |= climbs(&reading.whole) || climbs(&reading.bare);
        self.readings.push(reading);
    }

    /// The path as it stands.
    pub(crate) fn plain(&self) -> &'p str {
        self.plain
    }

    /// Whether it cannot be said what a server will take it for.
    pub(crate) fn is_disguised(&self) -> bool {
        self.is_disguised
    }

    /// What servers may take it for, each with and without parameters.
    pub(crate) fn readings(&self) -> impl Iterator<Item = (&str, &str)> {
        let alone = self.readings.is_empty().then_some((self.plain, self.plain));
        let readings = self.readings.iter();
        let readings = readings.map(|reading| (&*reading.whole, &*reading.bare));
        alone.into_iter().chain(readings)
    }
}

/// Bytes of a path that all servers take for themselves.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        let is_special = matches!(byte, b'%' | b';' | b'\\' | b'*');
        plain[byte as usize] = !is_special && !byte.is_ascii_uppercase();
        byte += 1;
    }
    plain
};

/// Whether all servers take a normalised path for itself.
fn is_unambiguous(path: &str) -> bool {
    path.bytes().all(|byte| PLAIN[usize::from(byte)]) && (path.len() == 1 || !path.ends_with('/'))
}

/// A path with every percent code decoded that there is; borrowed if there is
/// none. Bytes that are no UTF-8 then become U+FFFD.
pub(crate) fn decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8_lossy()
}

/// A decoded path in one case, backslashes as slashes, without empty segments.
pub(crate) fn folded(path: &str) -> String {
    assembled(path, |segment| segment)
}

/// The same, and without its segments' parameters.
pub(crate) fn bare(path: &str) -> String {
    assembled(path, |segment| {
        segment.split_once(';').map_or(segment, |(name, _)| name)
    })
}

fn assembled(path: &str, shown: fn(&str) -> &str) -> String {
    let segments = path.split(['/', '\\']).map(shown);
    let mut text = String::with_capacity(path.len());
    for segment in segments.filter(|segment| !matches!(*segment, "" | ".")) {
        text.push('/');
        if segment.is_ascii() {
            let start = text.len();
            text.push_str(segment);
            text[start..].make_ascii_lowercase();
            continue;
        }
        // Each letter by itself, so that a part of a path is always folded alike.
        let upper = segment.chars().flat_map(char::to_uppercase);
        text.extend(upper.flat_map(char::to_lowercase));
    }
    if text.is_empty() {
        text.push('/');
    }
    text
}

#[cfg(test)]
mod tests;
