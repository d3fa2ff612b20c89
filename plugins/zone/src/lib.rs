//! Zone: requests stay with the endpoints of the gateway's own zone, where the
//! network is quick and costs nothing, for as long as these can bear it.
//!
//! How much stays is told in two ways. By numbers, after Envoy's zone aware
//! routing: the zone should take the share of the requests that it has of all
//! weight. While its share of the *eligible* weight is as large, all stay; where
//! it is smaller, the fraction that is missing goes elsewhere, so that eligible
//! servers of all zones have about as much to do. Where the other zones are as
//! hard hit, nothing is won by leaving and all stay. (Envoy knows how many
//! gateways are in each zone; here the zones' servers stand for them.) As with
//! Envoy's priority levels, a zone is `overprovisioning` times as large as it need
//! be, 1.4 times by default. What leaves is spread over the servers of other zones
//! by their eligible weight. And by load, after Linkerd's high availability zonal
//! load balancing: where the local endpoint has `busy` requests in flight or more,
//! one of another zone is drawn too, and the less busy of the two takes the
//! request. Two are drawn each time and the less busy one wins, as in
//! `power-of-two`: in the gateway's zone evenly, elsewhere by weight.
//!
//! Choose it where servers stand in several zones with a gateway in each, and
//! the zones' servers are in proportion to their gateways' traffic. It is the
//! wrong one where a zone has a server or two for a gateway with much traffic:
//! `busy` then decides all the time, and `power-of-two` does as well.

mod config;

use gatewright_plugin_sdk::{
    Balancer, Candidate, Candidates, ConfigError, Endpoint, Generator, Members, Slot,
    better_of_two, endpoints, export, load, request,
};

pub use config::Config;

/// The policy for one pool on one worker.
#[derive(Debug)]
pub struct Zone {
    config: Config,
    members: Members,
    /// The slots of the endpoints in the gateway's own zone, in order.
    local: Vec<Slot>,
    /// Their share of all weight, eligible or not.
    share: f64,
    near: Candidates,
    far: Candidates,
    /// The weights of those in `far`, added up one after the other.
    reach: Vec<u64>,
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

        let far = self.far.all().iter();
        self.reach.clear();
        self.reach.extend(far.scan(0, |sum, one| {
            *sum += u64::from(one.weight);
            Some(*sum)
        }));
        let near = self.near.all().iter().map(|one| f64::from(one.weight));
        let near: f64 = near.sum();
        let count = self.near.all().len();
        self.staying = if count < self.config.minimum as usize {
            0.0
        } else {
            let eligible = near + self.reach.last().map_or(0.0, |sum| *sum as f64);
            self.config.overprovisioning * (near / eligible) / self.share
        };
        // An endpoint of average weight is busy from `busy` requests on.
        self.busy = f64::from(self.config.busy) * count as f64 / near;
    }

    fn pick_far(&mut self) -> Option<Slot> {
        self.draw_far().map(|candidate| candidate.slot)
    }

    /// The less busy of two of other zones, drawn by weight; for a later attempt
    /// of those that were not tried, drawn evenly.
    fn draw_far(&mut self) -> Option<Candidate> {
        let busier = Candidate::is_busier_than;
        if request::attempt() > 1 {
            let untried = self.far.for_attempt();
            return better_of_two(untried, &mut self.generator, busier);
        }
        let all = *self.reach.last()?;
        let mut draw = || {
            let mark = (self.generator.fraction() * all as f64) as u64;
            let place = self.reach.partition_point(|sum| *sum <= mark);
            self.far.all().get(place).copied()
        };
        let (first, second) = (draw()?, draw()?);
        Some(match first.is_busier_than(second) {
            true => second,
            false => first,
        })
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
            share: 0.0,
            near: Candidates::default(),
            far: Candidates::default(),
            reach: Vec::new(),
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
        let weight = |endpoint: &Endpoint| f64::from(endpoint.weight);
        let is_local = |endpoint: &&Endpoint| self.local.binary_search(&endpoint.slot).is_ok();
        let near: f64 = endpoints.iter().filter(is_local).map(weight).sum();
        self.share = near / endpoints.iter().map(weight).sum::<f64>();
        self.members.update(endpoints);
        self.gather();
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.gather();
    }

    fn pick(&mut self, _key: u64) -> Option<Slot> {
        let stays = self.staying >= 1.0 || self.generator.fraction() < self.staying;
        if !stays && let Some(slot) = self.pick_far() {
            return Some(slot);
        }
        let busier = Candidate::is_busier_than;
        let near = better_of_two(self.near.for_attempt(), &mut self.generator, busier);
        match near {
            None => self.pick_far(),
            Some(near) if stays && self.is_busy(near) => {
                let far = self.draw_far().filter(|far| near.is_busier_than(*far));
                Some(far.unwrap_or(near).slot)
            }
            Some(near) => Some(near.slot),
        }
    }
}

export!(Zone: balancer);

#[cfg(test)]
mod tests;
