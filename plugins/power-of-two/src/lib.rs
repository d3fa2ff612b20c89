//! Power of two choices: draw two eligible endpoints at random, take the one
//! with fewer active requests for its weight.
//!
//! After M. Mitzenmacher, "The power of two choices in randomized load
//! balancing" (2001): the longest queue is exponentially shorter than by one
//! draw, gateways that know nothing of each other do not all rush to the same
//! idle server, and a pick costs the same at any size of the pool.

use gatewright_plugin_sdk::{
    Balancer, ConfigError, Endpoint, Generator, Members, NoConfig, Slot, export, load, request,
};

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct PowerOfTwo {
    members: Members,
    /// The eligible endpoints, ready to be drawn from.
    candidates: Vec<Candidate>,
    generator: Generator,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    slot: Slot,
    weight: u32,
}

impl PowerOfTwo {
    fn gather(&mut self) {
        let eligible = self.members.eligible().iter();
        let endpoints = eligible.filter_map(|slot| self.members.endpoint(*slot));
        let candidates = endpoints.map(|endpoint| Candidate {
            slot: endpoint.slot,
            weight: endpoint.weight,
        });
        self.candidates = candidates.collect();
    }
}

impl Balancer for PowerOfTwo {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            members: Members::default(),
            candidates: Vec::new(),
            generator: Generator::from_host(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.members.update(endpoints);
        self.gather();
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.gather();
    }

    fn pick(&mut self, _key: u64) -> Option<Slot> {
        if request::attempt() > 1 {
            let tried = request::tried();
            let mut untried = self.candidates.clone();
            untried.retain(|candidate| !tried.contains(&candidate.slot));
            return better_of_two(&untried, &mut self.generator);
        }
        better_of_two(&self.candidates, &mut self.generator)
    }
}

/// Draw two different candidates and take the less busy; of two equally busy
/// ones the first drawn, so that chance decides.
fn better_of_two(candidates: &[Candidate], generator: &mut Generator) -> Option<Slot> {
    let count = candidates.len() as u32;
    if count < 2 {
        return candidates.first().map(|candidate| candidate.slot);
    }
    let first = generator.below(count);
    // One of the others: those from the first on are one place further.
    let second = generator.below(count - 1);
    let second = second + u32::from(second >= first);
    let (first, second) = (candidates[first as usize], candidates[second as usize]);
    let less_busy = if is_busier(first, second) {
        second
    } else {
        first
    };
    Some(less_busy.slot)
}

/// Whether `one` has more active requests for its weight than `other`.
fn is_busier(one: Candidate, other: Candidate) -> bool {
    let load = |candidate: Candidate| u64::from(load::active(candidate.slot));
    // a / b > c / d, without dividing: a · d > c · b.
    load(one) * u64::from(other.weight) > load(other) * u64::from(one.weight)
}

export!(PowerOfTwo: balancer);

#[cfg(test)]
mod tests;
