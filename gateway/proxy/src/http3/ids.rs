//! Connection ids that say whose a connection is: the place of the socket that it
//! began on, and the gateway in a row of upgrades. An observer can tell from them
//! which worker serves a client, and nothing more: the rest is random.

use quinn::{ConnectionId, ConnectionIdGenerator};
use rustls::crypto::{SecureRandom, aws_lc_rs};

/// How long an id is: place, generation, and 64 random bits.
const LENGTH: usize = 11;

/// Handshakes, among the packets with a long header (RFC 9000 §17.2).
const HANDSHAKE: u8 = 0b10;

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    /// Which of the listener's sockets it began on.
    pub(super) place: u16,
    /// Which gateway it began with, counted by upgrades.
    pub(super) generation: u8,
}

impl Owner {
    /// Whose connection a datagram is for; none if it begins one, or names none.
    ///
    /// A client chooses the first id itself, so those packets say nothing. They
    /// come from one address, and so to one socket.
    pub(super) fn of(datagram: &[u8]) -> Option<Self> {
        let (first, rest) = datagram.split_first()?;
        let is_long = first & 0x80 != 0;
        let id = match is_long {
            false => rest,
            true if (first >> 4) & 0b11 != HANDSHAKE => return None,
            // Behind the version.
            true => match rest.get(4..)?.split_first()? {
                (length, id) if usize::from(*length) == LENGTH => id,
                _ => return None,
            },
        };
        let [high, low, generation, ..] = *id.get(..LENGTH)? else {
            return None;
        };
        Some(Self {
            place: u16::from_be_bytes([high, low]),
            generation,
        })
    }
}

/// Makes the ids of an owner's connections.
pub(super) struct Ids {
    owner: Owner,
    random: &'static dyn SecureRandom,
}

impl Ids {
    pub(super) fn of(owner: Owner) -> Self {
        Self {
            owner,
            random: aws_lc_rs::default_provider().secure_random,
        }
    }
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let Owner { place, generation } = self.owner;
        let mut id = [0; LENGTH];
        // It has no way to fail on this system; then the id would be a used one,
        // and another be asked for.
        let _ = self.random.fill(&mut id[3..]);
        id[..2].copy_from_slice(&place.to_be_bytes());
        id[2] = generation;
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWNER: Owner = Owner {
        place: 259,
        generation: 7,
    };

    #[test]
    fn an_owner_is_found_in_what_clients_send_it_and_in_nothing_else() {
        let id = Ids::of(OWNER).generate_cid();
        assert_ne!(id, Ids::of(OWNER).generate_cid());
        let short = [&[0x40][..], &id, b"rest"].concat();
        let long =
            |first: u8, length: u8| [&[first, 0, 0, 0, 1, length][..], &id, b"rest"].concat();
        assert_eq!(Owner::of(&short), Some(OWNER));
        assert_eq!(Owner::of(&long(0xe0, 11)), Some(OWNER), "a handshake");
        assert_eq!(Owner::of(&long(0xc0, 11)), None, "an initial packet");
        assert_eq!(Owner::of(&long(0xe0, 8)), None, "another's id");
        assert_eq!(Owner::of(&short[..11]), None, "half an id");
    }

    proptest! {
        #[test]
        fn any_datagram_is_looked_at(datagram in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = Owner::of(&datagram);
        }
    }
}
