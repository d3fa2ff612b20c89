//! Who may be connected to the admin listener, and who makes room for whom.
//!
//! Nobody is turned away because others came before: whoever comes gets a
//! place, and where there is none left, the oldest connection ends of those that
//! have shown least. So a stranger who opens connections without end ends their
//! own, while an operator's, which is younger than they are or has shown a
//! token, goes on. Descriptors that traffic needs are never taken up by this.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Connections in all: a team with its dashboards and scripts.
const MOST: usize = 512;

/// Connections of one address that have shown no good token.
const MOST_STRANGERS: usize = 64;

/// Connections of one address that are in their TLS handshake.
const MOST_SHAKING: usize = 16;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Its TLS handshake is under way.
    Shaking,
    /// It has shown no good token.
    Stranger,
    /// It was let in to the API.
    Known,
}

/// Everybody's places.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(Arc<Mutex<Guests>>);

#[derive(Debug, Default)]
struct Guests {
    next: u64,
    /// By their numbers, so the oldest first.
    open: BTreeMap<u64, Guest>,
}

#[derive(Debug)]
struct Guest {
    from: IpAddr,
    standing: Standing,
    /// Dropped to have the connection end.
    _stay: oneshot::Sender<()>,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    places: Places,
}

/// Done when the connection is to make room.
pub(super) type Leave = oneshot::Receiver<()>;

impl Places {
    /// A place for a connection from this address.
    pub(super) fn enter(&self, from: IpAddr, standing: Standing) -> (Place, Leave) {
        let (stay, leave) = oneshot::channel();
        let mut guests = self.lock();
        guests.make_room_for(from);
        let number = guests.next;
        guests.next += 1;
        let guest = Guest {
            from,
            standing,
            _stay: stay,
        };
        guests.open.insert(number, guest);
        let places = self.clone();
        (Place { number, places }, leave)
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Note that the connection has come so far.
    pub(super) fn reaches(&self, standing: Standing) {
        if let Some(guest) = self.places.lock().open.get_mut(&self.number) {
            guest.standing = guest.standing.max(standing);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().open.remove(&self.number);
    }
}

impl Guests {
    fn make_room_for(&mut self, from: IpAddr) {
        self.keep_below(MOST_SHAKING, |guest| {
            guest.from == from && guest.standing == Standing::Shaking
        });
        self.keep_below(MOST_STRANGERS, |guest| {
            guest.from == from && guest.standing < Standing::Known
        });
        if self.open.len() >= MOST {
            let is_known = |guest: &Guest| guest.standing == Standing::Known;
            let least = self.open.iter();
            let least = least.min_by_key(|(number, guest)| (is_known(guest), **number));
            if let Some(number) = least.map(|(number, _)| *number) {
                self.open.remove(&number);
            }
        }
    }

    /// Have the oldest of these leave when there are so many.
    fn keep_below(&mut self, most: usize, is_one: impl Fn(&Guest) -> bool) {
        let mut ones = self.open.iter().filter(|(_, guest)| is_one(guest));
        let oldest = ones.next().map(|(number, _)| *number);
        if let Some(oldest) = oldest
            && ones.count() + 1 >= most
        {
            self.open.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn is_to_leave(leave: &mut Leave) -> bool {
        leave.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn the_oldest_stranger_of_an_address_makes_room_for_its_next_one() {
        let places = Places::default();
        let other = places.enter(address(2), Standing::Stranger);
        let known = places.enter(address(1), Standing::Stranger);
        known.0.reaches(Standing::Known);
        let mut strangers: Vec<_> = (0..=MOST_STRANGERS)
            .map(|_| places.enter(address(1), Standing::Stranger))
            .collect();
        for mut stays in [other, known] {
            assert!(!is_to_leave(&mut stays.1));
        }
        let left: Vec<_> = strangers
            .iter_mut()
            .map(|(_, leave)| is_to_leave(leave))
            .collect();
        assert!(left[0]);
        assert!(!left[1..].contains(&true));
    }

    #[test]
    fn those_who_shake_hands_make_room_sooner() {
        let places = Places::default();
        let mut done = places.enter(address(1), Standing::Shaking);
        done.0.reaches(Standing::Stranger);
        let mut shaking: Vec<_> = (0..=MOST_SHAKING)
            .map(|_| places.enter(address(1), Standing::Shaking))
            .collect();
        assert!(!is_to_leave(&mut done.1));
        assert!(is_to_leave(&mut shaking[0].1));
        assert!(!is_to_leave(&mut shaking[1].1));
    }

    #[test]
    fn there_is_a_most_of_all_and_who_was_let_in_makes_room_last() {
        let places = Places::default();
        let mut known = places.enter(address(0), Standing::Known);
        let mut others: Vec<_> = (1..=MOST as u32)
            .map(|number| places.enter(address(number), Standing::Stranger))
            .collect();
        assert_eq!(places.lock().open.len(), MOST);
        assert!(!is_to_leave(&mut known.1));
        assert!(is_to_leave(&mut others[0].1));
        drop((known, others));
        assert!(places.lock().open.is_empty());
    }
}
