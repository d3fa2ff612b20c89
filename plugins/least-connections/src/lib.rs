//! Least connections: the endpoint with the fewest active requests for its
//! weight, `active / weight`, takes the next one.
//!
//! Of several that are equally busy, the first after the endpoint that was
//! picked last wins, going round in the order of the slots: so they take turns,
//! and an idle pool behaves like round robin. (To start each scan one slot
//! further would favour the first free endpoint after a row of busy ones.)

use std::num::NonZeroU32;

use gatewright_plugin_sdk::{
    ConfigError, Endpoint, NoConfig, ScanningBalancer, Slot, UNUSABLE, export,
};

/// What is remembered between two picks.
#[derive(Debug, Default)]
pub struct LeastConnections {
    /// By slot; none where the pool has no endpoint. Empty when all weights are
    /// equal, for then they do not matter and the scan is shorter.
    weights: Vec<Option<NonZeroU32>>,
    /// The slot after the one that was picked last.
    start: usize,
}

impl ScanningBalancer for LeastConnections {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.weights.clear();
        let equal = endpoints
            .windows(2)
            .all(|pair| pair[0].weight == pair[1].weight);
        if equal {
            return;
        }
        for endpoint in endpoints {
            let slot = endpoint.slot as usize;
            if slot >= self.weights.len() {
                self.weights.resize(slot + 1, None);
            }
            self.weights[slot] = NonZeroU32::new(endpoint.weight);
        }
    }

    fn pick(&mut self, _key: u64, load: &[u32]) -> Option<Slot> {
        let start = if self.start < load.len() {
            self.start
        } else {
            0
        };
        let picked = if self.weights.is_empty() {
            least(load, start)
        } else {
            least_for_weight(load, &self.weights, start)
        }?;
        self.start = picked + 1;
        Some(picked as Slot)
    }
}

/// Servers of a pool that are sooner compared one by one.
const FEW: usize = 8;

/// The first smallest entry, going round from `start`.
fn least(load: &[u32], start: usize) -> Option<usize> {
    if load.len() > FEW {
        return least_of_many(load, start);
    }
    let (before, after) = load.split_at(start);
    let (mut least, mut best) = (UNUSABLE, None);
    let mut scan = |part: &[u32], offset: usize| {
        for (at, load) in part.iter().enumerate() {
            if *load < least {
                (least, best) = (*load, Some(offset + at));
            }
        }
    };
    scan(after, start);
    scan(before, 0);
    best
}

/// The same. Apart, so that a pick among few can be short.
#[inline(never)]
fn least_of_many(load: &[u32], start: usize) -> Option<usize> {
    let (before, after) = load.split_at(start);
    let mut best = Best {
        at: None,
        load: UNUSABLE,
    };
    best.scan(after, start);
    if best.load > 0 {
        best.scan(before, 0);
    }
    best.at
}

/// The smallest entry so far, and where it is.
struct Best {
    at: Option<usize>,
    load: u32,
}

impl Best {
    /// Look for a smaller entry in a part of the column that begins at `offset`.
    fn scan(&mut self, part: &[u32], offset: usize) {
        for (number, loads) in part.chunks(LOOKED_AT).enumerate() {
            let load = smallest(loads);
            if load < self.load {
                self.load = load;
                let within = loads.iter().position(|one| *one == load);
                self.at = within.map(|within| offset + number * LOOKED_AT + within);
                // No endpoint is less busy than an idle one.
                if load == 0 {
                    return;
                }
            }
        }
    }
}

/// Entries that are looked at before the next one may be left out.
const LOOKED_AT: usize = 16;

/// The smallest entry, without a branch for each: which one it will be cannot be
/// foretold.
fn smallest(loads: &[u32]) -> u32 {
    let (fours, rest) = loads.as_chunks::<4>();
    let mut least = [UNUSABLE; 4];
    for four in fours {
        for (least, load) in least.iter_mut().zip(four) {
            *least = (*least).min(*load);
        }
    }
    let all = least.iter().chain(rest).copied();
    all.fold(UNUSABLE, u32::min)
}

/// The first entry with the smallest `load / weight`, going round from `start`.
#[inline(never)]
fn least_for_weight(load: &[u32], weights: &[Option<NonZeroU32>], start: usize) -> Option<usize> {
    let mut best: Option<(usize, u64, u64)> = None;
    for at in (start..load.len()).chain(0..start) {
        let active = load[at];
        let Some(Some(weight)) = weights.get(at) else {
            continue;
        };
        if active == UNUSABLE {
            continue;
        }
        let (active, weight) = (u64::from(active), u64::from(weight.get()));
        // a / b < c / d, without dividing: a · d < c · b. The products of an
        // u32 and a weight of at most 65,535 cannot overflow.
        let less = best.is_none_or(|(_, least, its_weight)| active * its_weight < least * weight);
        if less {
            best = Some((at, active, weight));
            if active == 0 {
                break;
            }
        }
    }
    best.map(|(at, _, _)| at)
}

export!(LeastConnections: scanning-balancer);

#[cfg(test)]
mod tests;
