//! Smooth weighted round robin: an endpoint of weight 3 gets three requests
//! where one of weight 1 gets one, and they come spread out, not in a row.
//!
//! The turns are those of the SDK's [`Circle`]: any window of as many picks as
//! the weights' sum, wherever it begins, meets every weight exactly. Endpoints
//! come and go, weights change, a successor takes over, and the turns go on
//! from where they were. A pick costs the logarithm of the pool's size.

use gatewright_plugin_sdk::{
    Balancer, Candidate, Circle, ConfigError, Endpoint, Handover, Members, NoConfig, Slot, export,
    hash, mix, request,
};

/// The number that marks our saved state.
const SCHEMA: u32 = 1;

/// The policy for one pool on one worker.
#[derive(Debug, Default)]
pub struct Weighted {
    members: Members,
    circle: Circle,
}

impl Weighted {
    fn place_marks(&mut self) {
        let eligible = self.members.eligible_endpoints();
        let marked = eligible.map(|endpoint| {
            let tie = hash(endpoint.id.as_bytes());
            (Candidate::from(endpoint), tie)
        });
        self.circle.place(marked);
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
        // Workers start at different places, by their first request.
        self.circle.begin(mix(key));
        if request::attempt() > 1 {
            return self.circle.retry(&request::tried());
        }
        self.circle.advance()
    }
}

impl Handover for Weighted {
    fn save(&mut self) -> (u32, Vec<u8>) {
        (SCHEMA, self.circle.to_bytes())
    }

    fn restore(&mut self, schema: u32, state: &[u8]) -> Result<(), String> {
        if schema != SCHEMA {
            return Err(format!(
                "schema {schema} is not {SCHEMA}, the one known here"
            ));
        }
        match self.circle.restore(state) {
            true => Ok(()),
            false => Err("the state is damaged".into()),
        }
    }
}

export!(Weighted: balancer + handover);

#[cfg(test)]
mod tests;
