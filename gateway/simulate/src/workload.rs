//! What comes in: the same requests, whichever policy is tried.

use fastrand::Rng;

use crate::arrivals::{Coming, Times};
use crate::error::SimulationError;
use crate::random::{Purpose, stream};
use crate::scenario::{Clients, Gateways, Scenario};
use crate::work::Demand;

/// A request as it comes to a gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Incoming {
    /// Counted from 0.
    pub(crate) number: u64,
    pub(crate) at_ns: u64,
    pub(crate) client: u32,
    /// How long it keeps a server of speed 1 busy.
    pub(crate) work_ns: u64,
    pub(crate) gateway: u32,
    pub(crate) worker: u32,
    /// From 0 to below 1: what settles its pool, where there are several.
    pub(crate) pool_lot: f64,
}

/// All requests of a simulation, one after the other.
#[derive(Debug)]
pub(crate) struct Workload {
    times: Times,
    demand: Demand,
    shares: Shares,
    gateways: Gateways,
    demands: Rng,
    clients: Rng,
    placement: Rng,
    number: u64,
    most: u64,
    until_ns: u64,
}

impl Workload {
    /// What a scenario says.
    ///
    /// # Errors
    ///
    /// When a file that it names cannot be used.
    pub(crate) fn of(scenario: &Scenario, seed: u64) -> Result<Self, SimulationError> {
        let folder = &scenario.folder;
        Ok(Self {
            times: Times::of(&scenario.arrivals, folder, seed)?,
            demand: Demand::of(&scenario.work, folder)?,
            shares: Shares::of(&scenario.clients),
            gateways: scenario.gateways.clone(),
            demands: stream(seed, Purpose::Demands),
            clients: stream(seed, Purpose::Clients),
            placement: stream(seed, Purpose::Placement),
            number: 0,
            most: scenario.requests.unwrap_or(u64::MAX),
            until_ns: scenario.until_ns().unwrap_or(u64::MAX),
        })
    }

    /// The next request; none after the last.
    pub(crate) fn next(&mut self) -> Option<Incoming> {
        if self.number == self.most {
            return None;
        }
        let Coming {
            at_ns,
            client,
            work_ns,
        } = self.times.next()?;
        if at_ns > self.until_ns {
            return None;
        }
        let number = self.number;
        self.number += 1;
        // Drawn whether or not a recording knows better, so that one with less in
        // it draws the same.
        let drawn = self.demand.draw(&mut self.demands);
        let someone = self.shares.draw(&mut self.clients);
        Some(Incoming {
            number,
            at_ns,
            client: client.unwrap_or(someone),
            work_ns: work_ns.unwrap_or(drawn),
            gateway: self.placement.u32(..self.gateways.count),
            worker: self.placement.u32(..self.gateways.workers),
            pool_lot: self.placement.f64(),
        })
    }
}

/// How often each client comes.
#[derive(Debug)]
enum Shares {
    Equal(u32),
    /// The shares of clients up to each, added up.
    Zipf(Vec<f64>),
}

impl Shares {
    fn of(clients: &Clients) -> Self {
        if clients.zipf == 0.0 {
            return Self::Equal(clients.count);
        }
        let mut sum = 0.0;
        let shares = (1..=clients.count).map(|rank| {
            sum += libm::pow(f64::from(rank), -clients.zipf);
            sum
        });
        Self::Zipf(shares.collect())
    }

    fn draw(&self, random: &mut Rng) -> u32 {
        match self {
            Self::Equal(count) => random.u32(..count),
            Self::Zipf(shares) => {
                let all = shares.last().copied().unwrap_or_default();
                let lot = random.f64() * all;
                shares.partition_point(|share| *share <= lot) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_zipfs_clients_comes_twice_as_often_as_the_second() {
        let shares = Shares::of(&Clients {
            count: 100,
            zipf: 1.0,
        });
        let mut random = stream(1, Purpose::Clients);
        let mut counts = [0_u32; 100];
        (0..200_000).for_each(|_| counts[shares.draw(&mut random) as usize] += 1);
        let ratio = |a: usize, b: usize| f64::from(counts[a]) / f64::from(counts[b]);
        assert!((1.9..2.1).contains(&ratio(0, 1)), "{}", ratio(0, 1));
        assert!((9.0..11.0).contains(&ratio(0, 9)), "{}", ratio(0, 9));
        assert!(counts[99] > 0);
    }
}
