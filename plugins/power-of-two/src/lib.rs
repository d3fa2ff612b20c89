//! Power of two choices: draw two eligible endpoints at random, take the one
//! with fewer active requests for its weight.
//!
//! After M. Mitzenmacher, "The power of two choices in randomized load
//! balancing" (2001): the longest queue is exponentially shorter than by one
//! draw, gateways that know nothing of each other do not all rush to the same
//! idle server, and a pick costs the same at any size of the pool.

use gatewright_plugin_sdk::{
    Balancer, Candidate, Candidates, ConfigError, Endpoint, Generator, Members, NoConfig, Slot,
    better_of_two, export,
};

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct PowerOfTwo {
    members: Members,
    candidates: Candidates,
    generator: Generator,
}

impl Balancer for PowerOfTwo {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            members: Members::default(),
            candidates: Candidates::default(),
            generator: Generator::from_host(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.members.update(endpoints);
        self.candidates.gather(self.members.eligible_endpoints());
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.candidates.gather(self.members.eligible_endpoints());
    }

    fn pick(&mut self, _key: u64) -> Option<Slot> {
        let picked = better_of_two(
            self.candidates.for_attempt(),
            &mut self.generator,
            Candidate::is_busier_than,
        );
        picked.map(|candidate| candidate.slot)
    }
}

export!(PowerOfTwo: balancer);

#[cfg(test)]
mod tests;
