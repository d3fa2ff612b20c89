//! Credentials that were proved lately, so that proving them again costs one
//! hash.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

/// Clients that are remembered; beyond that all are forgotten, and prove
/// themselves once more.
const MOST: usize = 1024;

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

/// Who was proved to be whom, by the digest of the header: what is wrong is
/// never kept, and what is kept tells no password.
#[derive(Debug, Default)]
pub(crate) struct Memory(HashMap<[u8; 32], Known>);

impl Memory {
    /// Whose credentials these are, if that was proved and still holds.
    pub(crate) fn recall(&self, header: &str, now_s: u64) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let known = self.0.get(&digest(header))?;
        (now_s <= known.until_s).then_some(known.name.as_str())
    }

    /// Remember whose credentials these are.
    pub(crate) fn remember(&mut self, header: &str, known: Known) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(digest(header), known);
    }
}

fn digest(header: &str) -> [u8; 32] {
    Sha256::digest(header).into()
}

#[cfg(test)]
mod tests {
    use super::{Known, MOST, Memory};

    #[test]
    fn what_was_proved_is_known_until_it_ends() {
        let mut memory = Memory::default();
        let name = "ann".to_owned();
        memory.remember("a", Known { name, until_s: 100 });
        memory.remember("b", Known::forever("bob"));
        assert_eq!(memory.recall("a", 100), Some("ann"));
        assert_eq!(memory.recall("a", 101), None);
        assert_eq!(memory.recall("b", u64::MAX), Some("bob"));
        assert_eq!(memory.recall("c", 0), None);
    }

    #[test]
    fn a_crowd_does_not_fill_the_memory() {
        let mut memory = Memory::default();
        for number in 0..3 * MOST {
            memory.remember(&number.to_string(), Known::forever("x"));
            assert!(memory.0.len() <= MOST);
        }
    }
}
