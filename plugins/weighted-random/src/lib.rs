//! Weighted random: every pick is an independent draw, and an endpoint of
//! weight 3 is drawn three times as often as one of weight 1.
//!
//! The draws come from an alias table (A. J. Walker, 1977; built in linear time
//! after M. D. Vose, "A linear algorithm for generating random numbers with a
//! given distribution", 1991): one random number and one look-up a pick, at any
//! size of the pool and for any weights.
//!
//! Choose it where nobody may foretell or influence who is next, or where many
//! gateways with little traffic each would otherwise go round in step. Where
//! one gateway has the traffic, `weighted` meets the same shares without the
//! clumps of chance, and `power-of-two` looks at how busy endpoints are, too.

mod alias;

use gatewright_plugin_sdk::{
    Balancer, Candidate, Candidates, ConfigError, Endpoint, Generator, Members, NoConfig, Slot,
    export, request,
};

use alias::Alias;

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct WeightedRandom {
    members: Members,
    candidates: Candidates,
    /// Over the candidates, by their places.
    table: Alias,
    generator: Generator,
}

impl WeightedRandom {
    fn gather(&mut self) {
        self.candidates.gather(self.members.eligible_endpoints());
        let weights = self.candidates.all().iter().map(|one| one.weight);
        self.table = Alias::of(&weights.collect::<Vec<_>>());
    }
}

impl Balancer for WeightedRandom {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            members: Members::default(),
            candidates: Candidates::default(),
            table: Alias::default(),
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
            let untried = self.candidates.without(&request::tried());
            return draw(untried, &mut self.generator);
        }
        let place = self.table.draw(&mut self.generator)?;
        Some(self.candidates.all().get(place)?.slot)
    }
}

/// A draw without a table: for the few attempts that have endpoints to avoid.
fn draw(candidates: &[Candidate], generator: &mut Generator) -> Option<Slot> {
    let weights = candidates
        .iter()
        .map(|candidate| f64::from(candidate.weight));
    let mut left = generator.fraction() * weights.sum::<f64>();
    let drawn = candidates.iter().find(|candidate| {
        left -= f64::from(candidate.weight);
        left < 0.0
    });
    // Rounding may leave a last crumb, which is the last one's.
    let drawn = drawn.or(candidates.last())?;
    Some(drawn.slot)
}

export!(WeightedRandom: balancer);

#[cfg(test)]
mod tests;
