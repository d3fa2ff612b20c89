//! Credentials that were proved lately, so that proving them again costs one
//! hash.
//!
//! They are known by a tag that is made of the header: SipHash-1-3 with 128 bits
//! (J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT
//! 2012), a twentieth of the work of SHA-256. To be taken for another client, one would
//! have to hit the tag of a header that one does not know, under a key that nobody
//! sees, and with the gateway to ask one guess at a time: fewer rounds than the usual
//! 2-4 are enough for that. The key comes of 64 random bits: too few, were a tag ever
//! shown.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use gatewright_plugin_sdk::random;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// Clients that are remembered; of more, the one who proved itself longest ago is
/// forgotten, and proves itself once more.
const MOST: usize = 1024;

/// Credentials, as they are remembered.
type Tag = u128;

/// Who somebody is, and until when that is proved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) name: String,
    /// Seconds since 1970; the largest for ever.
    pub(crate) until_s: u64,
}

impl Known {
    /// Who has a password or a token, for as long as the configuration says so.
    pub(crate) fn forever(name: &str) -> Self {
        Self {
            name: name.into(),
            until_s: u64::MAX,
        }
    }
}

/// Who was proved to be whom, by the tag of the header: what is wrong is never
/// kept, and what is kept tells no password.
#[derive(Debug)]
pub(crate) struct Memory {
    key: (u64, u64),
    known: HashMap<Tag, Known, BuildHasherDefault<Half>>,
    /// The oldest first.
    order: VecDeque<Tag>,
}

impl Memory {
    /// One that knows nobody, with a key that the host draws.
    pub(crate) fn from_host() -> Self {
        Self {
            key: (random::next(), random::next()),
            known: HashMap::default(),
            order: VecDeque::new(),
        }
    }

    /// Whose credentials these are, if that was proved and still holds.
    /// The time is asked for only where it matters.
    pub(crate) fn recall(&self, header: &str, now_s: impl FnOnce() -> u64) -> Option<&str> {
        if self.known.is_empty() {
            return None;
        }
        let known = self.known.get(&self.tag(header))?;
        let holds = known.until_s == u64::MAX || now_s() <= known.until_s;
        holds.then_some(known.name.as_str())
    }

    /// Remember whose credentials these are.
    pub(crate) fn remember(&mut self, header: &str, known: Known) {
        let tag = self.tag(header);
        if self.known.insert(tag, known).is_none() {
            self.order.push_back(tag);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn tag(&self, header: &str) -> Tag {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write(header.as_bytes());
        hasher.finish128().as_u128()
    }
}

/// The place of a tag in a table: the tag is a hash already.
#[derive(Default)]
struct Half(u64);

impl Hasher for Half {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, tag: u128) {
        self.0 = tag as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use gatewright_plugin_sdk::testing;

    use super::{Known, MOST, Memory};

    fn new() -> Memory {
        testing::reset();
        Memory::from_host()
    }

    #[test]
    fn what_was_proved_is_known_until_it_ends() {
        let mut memory = new();
        let name = "ann".to_owned();
        memory.remember("a", Known { name, until_s: 100 });
        memory.remember("b", Known::forever("bob"));
        assert_eq!(memory.recall("a", || 100), Some("ann"));
        assert_eq!(memory.recall("a", || 101), None);
        assert_eq!(memory.recall("b", || u64::MAX), Some("bob"));
        assert_eq!(memory.recall("c", || 0), None);
    }

    #[test]
    fn of_a_crowd_those_who_came_last_are_remembered() {
        let mut memory = new();
        for number in 0..3 * MOST {
            memory.remember(&number.to_string(), Known::forever("x"));
            memory.remember(&number.to_string(), Known::forever("x"));
            assert_eq!(memory.known.len(), memory.order.len());
            assert!(memory.known.len() <= MOST);
        }
        let is_known = |number: usize| memory.recall(&number.to_string(), || 0).is_some();
        assert!((2 * MOST..3 * MOST).all(is_known));
        assert!(!is_known(2 * MOST - 1));
    }
}
