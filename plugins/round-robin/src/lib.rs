//! Round robin: the eligible endpoints take turns, whatever their weight.
//!
//! The turn goes round in the order of the slots, and only the slot that had it
//! last is remembered. A slot keeps its number for life, so endpoints may come,
//! go, fail and recover: any two that stay eligible meanwhile never differ by
//! more than one pick.
//!
//! Every worker has a rotation of its own. Where it starts follows from the key
//! of its first request, so that workers do not all begin at the same endpoint.

use gatewright_plugin_sdk::{Balancer, ConfigError, NoConfig, Slot, export, mix, request};

/// Whose turn it is.
#[derive(Debug, Default)]
pub struct RoundRobin {
    /// The slots that may be picked, ascending.
    eligible: Vec<Slot>,
    /// The place in `eligible` that has the next turn.
    next: usize,
    /// The slot that had the last turn; none before the first.
    last: Option<Slot>,
}

impl RoundRobin {
    /// The slot whose turn it is.
    fn take_turn(&mut self) -> Option<Slot> {
        let slot = *self.eligible.get(self.next)?;
        self.last = Some(slot);
        self.next = following(self.next, self.eligible.len());
        Some(slot)
    }

    /// The next slot that is not among `tried`. Turns that were passed over are
    /// not lost: the rotation stays where it was.
    fn retry(&mut self, tried: &[Slot]) -> Option<Slot> {
        let due = self.eligible.get(self.next)?;
        if !tried.contains(due) {
            return self.take_turn();
        }
        let (before, after) = self.eligible.split_at(self.next);
        let mut in_turn = after.iter().chain(before);
        in_turn.find(|slot| !tried.contains(slot)).copied()
    }
}

impl Balancer for RoundRobin {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn eligible(&mut self, mut slots: Vec<Slot>) {
        slots.sort_unstable();
        self.next = match self.last {
            Some(last) => slots.partition_point(|slot| *slot <= last) % slots.len().max(1),
            None => 0,
        };
        self.eligible = slots;
    }

    fn pick(&mut self, key: u64) -> Option<Slot> {
        if self.last.is_none() {
            self.next = start(key, self.eligible.len());
        }
        if request::attempt() > 1 {
            return self.retry(&request::tried());
        }
        self.take_turn()
    }
}

/// Where a rotation over `count` places starts.
fn start(key: u64, count: usize) -> usize {
    (mix(key) % count.max(1) as u64) as usize
}

/// The place after `place` in a ring of `count`; a comparison is cheaper than
/// the remainder.
fn following(place: usize, count: usize) -> usize {
    if place + 1 < count { place + 1 } else { 0 }
}

export!(RoundRobin: balancer);

#[cfg(test)]
mod tests;
