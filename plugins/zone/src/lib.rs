//! Zone: requests stay with the endpoints of the gateway's own zone, where the
//! network is quick and costs nothing, for as long as these can bear it.
//!
//! How much stays is told in two ways. By numbers, after Envoy's priority
//! levels: while at least 1 / `overprovisioning` of the zone's weight is
//! eligible (71 % by default), all requests stay; below it the rest go to the
//! other zones in proportion. And by load, after Linkerd's high availability
//! zonal load balancing: where the local endpoint has `busy` requests in flight
//! or more, one of another zone is drawn too, and the less busy of the two
//! takes the request. Within a zone, two are drawn and the less busy one wins,
//! as in `power-of-two`.
//!
//! Choose it where servers stand in several zones with a gateway in each, and
//! the zones' servers are in proportion to their gateways' traffic. It is the
//! wrong one where a zone has a server or two for a gateway with much traffic:
//! `busy` then decides all the time, and `power-of-two` does as well.

mod config;

use gatewright_plugin_sdk::{
    Balancer, Candidate, Candidates, ConfigError, Endpoint, Generator, Members, Slot,
    better_of_two, endpoints, export, load,
};

pub use config::Config;

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct Zone {
    config: Config,
    members: Members,
    /// The slots of the endpoints in the gateway's own zone, in order.
    local: Vec<Slot>,
    near: Candidates,
    far: Candidates,
    /// The share of the requests that stay: 0 to 1.
    staying: f64,
    /// The requests in flight for a unit of weight from which on a local
    /// endpoint is busy.
    busy: f64,
    generator: Generator,
}

impl Zone {
    fn gather(&mut self) {
        let is_local = |endpoint: &&Endpoint| self.local.binary_search(&endpoint.slot).is_ok();
        let eligible = self.members.eligible_endpoints();
        self.near.gather(eligible.filter(is_local));
        let eligible = self.members.eligible_endpoints();
        self.far
            .gather(eligible.filter(|endpoint| !is_local(endpoint)));

        let near = self.near.all().iter().map(|one| f64::from(one.weight));
        let near: f64 = near.sum();
        let all = self.members.endpoints().iter().filter(is_local);
        let all: f64 = all.map(|endpoint| f64::from(endpoint.weight)).sum();
        let count = self.near.all().len();
        self.staying = if count < self.config.minimum as usize {
            0.0
        } else {
            self.config.overprovisioning * near / all
        };
        // An endpoint of average weight is busy from `busy` requests on.
        self.busy = f64::from(self.config.busy) * count as f64 / near;
    }

    fn is_busy(&self, candidate: Candidate) -> bool {
        let active = f64::from(load::active(candidate.slot));
        active >= self.busy * f64::from(candidate.weight)
    }
}

impl Balancer for Zone {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            members: Members::default(),
            local: Vec::new(),
            near: Candidates::default(),
            far: Candidates::default(),
            staying: 0.0,
            busy: 0.0,
            generator: Generator::from_host(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        let slots = endpoints.iter().map(|endpoint| endpoint.slot);
        let zone = Some(&self.config.zone);
        let local =
            slots.filter(|slot| endpoints::label(*slot, &self.config.label).as_ref() == zone);
        self.local = local.collect();
        self.local.sort_unstable();
        self.members.update(endpoints);
        self.gather();
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.gather();
    }

    fn pick(&mut self, _key: u64) -> Option<Slot> {
        let busier = Candidate::is_busier_than;
        let stays = self.staying >= 1.0 || self.generator.fraction() < self.staying;
        let (home, abroad) = if stays {
            (&mut self.near, &mut self.far)
        } else {
            (&mut self.far, &mut self.near)
        };
        let Some(first) = better_of_two(home.for_attempt(), &mut self.generator, busier) else {
            let other = better_of_two(abroad.for_attempt(), &mut self.generator, busier);
            return other.map(|candidate| candidate.slot);
        };
        if !stays || !self.is_busy(first) {
            return Some(first.slot);
        }
        let second = better_of_two(self.far.for_attempt(), &mut self.generator, busier);
        let better = second.filter(|second| first.is_busier_than(*second));
        Some(better.unwrap_or(first).slot)
    }
}

export!(Zone: balancer);

#[cfg(test)]
mod tests;
