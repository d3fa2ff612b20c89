//! Consistent hash: equal keys go to the same endpoint, few keys move when
//! endpoints come and go, and no endpoint gets much more than its share.
//!
//! What the key is a hash of is the pool's `hash_key`: the client's address, a
//! header, a cookie, the path. A Maglev table (D. Eisenbud and others, "Maglev:
//! A Fast and Reliable Software Network Load Balancer", NSDI 2016) says whose it
//! is. Keys of an endpoint that cannot be used walk on in the table, so nobody
//! else's move, and theirs spread over all others; they return with it.
//!
//! Loads are bounded (V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent
//! Hashing with Bounded Loads", SODA 2018): of m requests in flight on the n
//! endpoints that can be used, the new one among them, each has at most
//! ⌈`balance` × m / n⌉, or its share of that by weight; the key of one that has as
//! many walks on. Where little is in flight that is one or two, and keys would move
//! without need: so an endpoint may always have `floor` requests, 4 by default.
//! Loads are those of all workers, so all come to the same answer.
//!
//! Choose it where servers hold what they have served, such as caches and
//! shards, and one popular key must not drown its server. `ip-hash` (rendezvous
//! hashing) moves still fewer keys when the list of servers changes and knows
//! no bound. Where servers hold nothing, `least-connections` is better.
//!
//! With the usual 16,381 places, where one of 10, 100 or 1,000 equal servers is
//! taken off the list, 0.5 to 1.5 % of the others' keys move as well; where it
//! only fails, none do.

mod config;
mod maglev;

use gatewright_plugin_sdk::{
    ConfigError, Endpoint, ScanningBalancer, Slot, UNUSABLE, export, hash, mix,
};

pub use config::Config;
use maglev::{Maglev, Member};

/// The policy for one pool.
#[derive(Debug)]
pub struct ConsistentHash {
    /// How many places the table has.
    table_size: u32,
    /// What is allowed of the mean load; none: anything.
    balance: Option<f64>,
    /// What is allowed whatever the mean is.
    floor: u32,
    /// By slot; of weight 0 where there is no endpoint.
    members: Vec<Member>,
    /// Of all of them together.
    weight: u64,
    table: Maglev,
}

/// How many places a key walks on to before all endpoints are looked at, so
/// that a pick has a bound where most of a large pool cannot be used.
const WALK: usize = 64;

/// How many requests in flight are too many.
#[derive(Clone, Copy)]
struct Cap {
    for_each_weight: f64,
}

impl Cap {
    const NONE: Self = Self {
        for_each_weight: f64::INFINITY,
    };

    /// ⌈`balance` × (requests in flight + 1) × weight / sum of weights⌉, over
    /// the endpoints that can be used.
    fn of(balance: f64, (members, whole_weight): (&[Member], u64), load: &[u32]) -> Self {
        let load = &load[..load.len().min(members.len())];
        // One more than each: what cannot be used is then 0, and the sum needs no
        // branch. One in a thousand is one too many to foretell.
        let (mut more, mut unusable) = (0_u64, 0_u32);
        for one in load {
            more += u64::from(one.wrapping_add(1));
            unusable += u32::from(*one == UNUSABLE);
        }
        let usable = load.len() as u64 - u64::from(unusable);
        let active = more - usable + 1;
        let weight = match unusable {
            0 if load.len() == members.len() => whole_weight,
            _ => usable_weight(members, load),
        };
        Self {
            for_each_weight: balance * active as f64 / weight as f64,
        }
    }

    /// Whether one more is allowed beside so many. A whole number is below the
    /// next whole one of a bound where it is below the bound itself.
    fn allows(self, active: u32, weight: u32) -> bool {
        f64::from(active) < self.for_each_weight * f64::from(weight)
    }
}

/// The weights together of those that can be used.
fn usable_weight(members: &[Member], load: &[u32]) -> u64 {
    let weights = members.iter().zip(load);
    weights
        .map(|(member, one)| u64::from(*one != UNUSABLE) * u64::from(member.weight))
        .sum()
}

impl ConsistentHash {
    /// Where the key belongs among all that can take it, however few they are:
    /// the highest bidder, as in rendezvous hashing.
    fn highest_bidder(&self, lot: u64, load: &[u32], cap: Cap) -> Option<Slot> {
        let endpoints = (0..).zip(self.members.iter().zip(load));
        let can_take = endpoints.filter(|(_, (member, active))| {
            let is_allowed = **active < self.floor || cap.allows(**active, member.weight);
            **active != UNUSABLE && is_allowed
        });
        let bids = can_take.map(|(slot, (member, _))| (mix(member.seed ^ lot), slot));
        bids.max().map(|(_, slot)| slot)
    }
}

impl ScanningBalancer for ConsistentHash {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            balance: config.check()?,
            table_size: config.table_size,
            floor: config.floor,
            members: Vec::new(),
            weight: 0,
            table: Maglev::default(),
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        let highest = endpoints.iter().map(|endpoint| endpoint.slot).max();
        let width = highest.map_or(0, |slot| slot as usize + 1);
        self.members.clear();
        self.members.resize(width, Member::NOBODY);
        for endpoint in endpoints {
            self.members[endpoint.slot as usize] = Member {
                seed: hash(endpoint.id.as_bytes()),
                weight: endpoint.weight,
            };
        }
        let weights = self.members.iter().map(|member| u64::from(member.weight));
        self.weight = weights.sum();
        self.table = Maglev::of(self.table_size, &self.members);
    }

    fn pick(&mut self, key: u64, load: &[u32]) -> Option<Slot> {
        let lot = mix(key);
        let mut cap = self.balance.is_none().then_some(Cap::NONE);
        for slot in self.table.walk(lot).take(WALK) {
            let active = load.get(slot as usize).copied().unwrap_or(UNUSABLE);
            if active == UNUSABLE {
                continue;
            }
            // No sum is needed below what everybody may have.
            if active < self.floor {
                return Some(slot);
            }
            let balance = self.balance.unwrap_or_default();
            let cap =
                *cap.get_or_insert_with(|| Cap::of(balance, (&self.members, self.weight), load));
            let weight = self.members.get(slot as usize)?.weight;
            if cap.allows(active, weight) {
                return Some(slot);
            }
        }
        let balance = self.balance.unwrap_or_default();
        let cap = cap.unwrap_or_else(|| Cap::of(balance, (&self.members, self.weight), load));
        self.highest_bidder(lot, load, cap)
    }
}

export!(ConsistentHash: scanning-balancer);

#[cfg(test)]
mod tests;
