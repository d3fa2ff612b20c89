//! Room in the memory for bodies that are on their way into it: what streams is taken
//! along until its end, which a slow client may hold up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The share of the memory that such bodies may take.
const SHARE: u64 = 8;

/// What is left of so much memory for what is kept.
pub(super) fn beside(memory: u64) -> u64 {
    memory - memory / SHARE
}

/// What there is for all of them.
#[derive(Debug)]
pub(super) struct Rooms {
    memory: AtomicU64,
    taken: AtomicU64,
}

impl Rooms {
    /// Those in so much memory.
    pub(super) fn new(memory: u64) -> Arc<Self> {
        Arc::new(Self {
            memory: AtomicU64::new(memory),
            taken: AtomicU64::new(0),
        })
    }

    /// How much memory there is for everything, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    /// There is another amount of it from now on; returns what it was.
    pub(super) fn resize(&self, memory: u64) -> u64 {
        self.memory.swap(memory, Ordering::Relaxed)
    }

    /// What is taken, in bytes.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Room for so many bytes; none if there is not as much.
    pub(super) fn take(self: &Arc<Self>, bytes: usize) -> Option<Room> {
        let mut room = Room {
            rooms: Arc::clone(self),
            bytes: 0,
        };
        room.extend(bytes).then_some(room)
    }
}

/// The guard of what one body takes.
#[derive(Debug)]
pub(super) struct Room {
    rooms: Arc<Rooms>,
    bytes: u64,
}

impl Room {
    /// Take so many bytes more, if there are as many.
    pub(super) fn extend(&mut self, more: usize) -> bool {
        let more = more as u64;
        let most = self.rooms.memory() / SHARE;
        let taken = self.rooms.taken.fetch_add(more, Ordering::Relaxed);
        if taken.saturating_add(more) > most {
            self.rooms.taken.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.bytes += more;
        true
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.rooms.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_a_share_of_the_memory_and_it_is_given_back() {
        let rooms = Rooms::new(800);
        assert_eq!(beside(800), 700);
        let mut one = rooms.take(60).expect("there is room");
        assert!(rooms.take(41).is_none());
        assert!(!one.extend(41) && one.extend(40));
        assert_eq!(rooms.taken(), 100);
        assert!(rooms.take(1).is_none());
        drop(one);
        assert_eq!(rooms.taken(), 0);
        assert_eq!(rooms.resize(80), 800);
        assert!(rooms.take(11).is_none() && rooms.take(10).is_some());
    }
}
