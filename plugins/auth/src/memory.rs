//! Credentials that were proved lately, so that proving them again costs one
//! hash.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest as _, Sha256};

/// Clients that are remembered; of more, the one who proved itself longest ago is
/// forgotten, and proves itself once more.
const MOST: usize = 1024;

/// Credentials, as they are remembered.
type Digest = [u8; 32];

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
pub(crate) struct Memory {
    known: HashMap<Digest, Known>,
    /// The oldest first.
    order: VecDeque<Digest>,
}

impl Memory {
    /// Whose credentials these are, if that was proved and still holds.
    pub(crate) fn recall(&self, header: &str, now_s: u64) -> Option<&str> {
        if self.known.is_empty() {
            return None;
        }
        let known = self.known.get(&digest(header))?;
        (now_s <= known.until_s).then_some(known.name.as_str())
    }

    /// Remember whose credentials these are.
    pub(crate) fn remember(&mut self, header: &str, known: Known) {
        let digest = digest(header);
        if self.known.insert(digest, known).is_none() {
            self.order.push_back(digest);
        }
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn digest(header: &str) -> Digest {
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
    fn of_a_crowd_those_who_came_last_are_remembered() {
        let mut memory = Memory::default();
        for number in 0..3 * MOST {
            memory.remember(&number.to_string(), Known::forever("x"));
            memory.remember(&number.to_string(), Known::forever("x"));
            assert_eq!(memory.known.len(), memory.order.len());
            assert!(memory.known.len() <= MOST);
        }
        let is_known = |number: usize| memory.recall(&number.to_string(), 0).is_some();
        assert!((2 * MOST..3 * MOST).all(is_known));
        assert!(!is_known(2 * MOST - 1));
    }
}
