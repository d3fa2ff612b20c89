//! Smooth weighted round robin: an endpoint of weight 3 gets three requests
//! where one of weight 1 gets one, and they come spread out, not in a row.
//!
//! Picture a circle. An endpoint of weight `w` has `w` marks on it, evenly
//! spread, at (2k − 1) / 2w of the way round. A hand goes round and stops at
//! every mark; the endpoint whose mark it is takes the request. (This is
//! earliest-deadline-first scheduling, as Envoy's weighted round robin does it,
//! but on exact fractions.) One round is the sum of the weights, so any window
//! of that many picks, wherever it begins, meets every weight exactly.
//!
//! The hand's place is the whole state: endpoints come and go, weights change,
//! a successor takes over, and the hand goes on from where it is. A heap finds
//! the next mark, so a pick costs the logarithm of the pool's size.

mod circle;

use std::collections::BinaryHeap;

use gatewright_plugin_sdk::{
    Balancer, ConfigError, Endpoint, Handover, Members, NoConfig, Slot, export, hash, mix, request,
};

use circle::{Hand, Mark};

/// The number that marks our saved state.
const SCHEMA: u32 = 1;

/// The policy for one pool on one worker.
#[derive(Debug, Default)]
pub struct Weighted {
    members: Members,
    /// The next mark of every eligible endpoint, the nearest on top.
    marks: BinaryHeap<Mark>,
    /// The mark that was stopped at last; none before the first request.
    hand: Option<Hand>,
}

impl Weighted {
    /// Find every eligible endpoint's next mark.
    fn place_marks(&mut self) {
        let hand = self.hand.unwrap_or_default();
        let endpoints = self.members.endpoints().iter();
        let eligible = endpoints.filter(|endpoint| self.members.is_eligible(endpoint.slot));
        self.marks = eligible.map(|endpoint| mark(endpoint, hand)).collect();
    }

    /// Go on to the next mark.
    fn advance(&mut self) -> Option<Slot> {
        let mut mark = self.marks.peek_mut()?;
        let slot = mark.slot;
        self.hand = Some(mark.hand());
        mark.advance();
        Some(slot)
    }

    /// The endpoint of the next mark that was not tried. When that is not the
    /// very next one, the hand stays, so that nobody loses a turn.
    fn retry(&mut self, tried: &[Slot]) -> Option<Slot> {
        if !tried.contains(&self.marks.peek()?.slot) {
            return self.advance();
        }
        let untried = self.marks.iter().filter(|mark| !tried.contains(&mark.slot));
        // Of two marks the greater is the nearer.
        untried.max().map(|mark| mark.slot)
    }
}

impl Balancer for Weighted {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.members.update(endpoints);
        self.place_marks();
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.place_marks();
    }

    fn pick(&mut self, key: u64) -> Option<Slot> {
        if self.hand.is_none() {
            // Workers start at different places, by their first request.
            self.hand = Some(Hand::at(mix(key)));
            self.place_marks();
        }
        if request::attempt() > 1 {
            return self.retry(&request::tried());
        }
        self.advance()
    }
}

impl Handover for Weighted {
    fn save(&mut self) -> (u32, Vec<u8>) {
        (
            SCHEMA,
            self.hand
                .map_or_else(Vec::new, |hand| hand.to_bytes().to_vec()),
        )
    }

    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<(), String> {
        if schema != SCHEMA {
            return Err(format!(
                "schema {schema} is not {SCHEMA}, the one known here"
            ));
        }
        if state.is_empty() {
            return Ok(());
        }
        self.hand = Some(Hand::from_bytes(state).ok_or("the state is damaged")?);
        self.place_marks();
        Ok(())
    }
}

fn mark(endpoint: &Endpoint, hand: Hand) -> Mark {
    Mark::after(
        hand,
        endpoint.slot,
        endpoint.weight,
        hash(endpoint.id.as_bytes()),
    )
}

export!(Weighted: balancer + handover);

#[cfg(test)]
mod tests;
