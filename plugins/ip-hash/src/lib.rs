//! IP hash: a client keeps its server for as long as that server can take
//! requests, without a cookie and without a table of clients.
//!
//! Weighted rendezvous hashing (D. Thaler and C. Ravishankar, 1998; weights
//! after J. Schindelhauer and G. Schomaker, 2005): every endpoint bids for a
//! key, and the highest bid wins. When a server leaves or fails, its keys alone
//! move, each to its second highest bidder, and so they spread over all others
//! by weight; when it comes back, they return. Every worker and every gateway
//! comes to the same answer.
//!
//! Keys are gathered into 65,536 buckets, and a bucket's winner is remembered
//! until the pool changes: a pick is one look into a table, but for the first
//! of its bucket, which hears all the bids.

mod bids;

use gatewright_plugin_sdk::{
    Balancer, ConfigError, Endpoint, Members, NoConfig, Slot, export, mix, request,
};

use bids::Bidders;

/// The bits of a key that choose its bucket. More buckets share the keys out
/// more evenly and take four bytes each.
const BUCKET_BITS: u32 = 16;

/// A bucket whose winner is not known yet. Winners are kept as their slot plus
/// one, so that a new table is all zeros and costs nothing until it is used.
const UNKNOWN: u32 = 0;

/// The policy for one pool.
#[derive(Debug, Default)]
pub struct IpHash {
    members: Members,
    bidders: Bidders,
    /// By bucket: the winner's slot plus one, or [`UNKNOWN`]. Empty until the
    /// first pick.
    winners: Vec<u32>,
}

impl IpHash {
    fn invite(&mut self) {
        self.bidders = Bidders::of(self.members.eligible_endpoints());
        self.winners.fill(UNKNOWN);
    }
}

impl Balancer for IpHash {
    type Config = NoConfig;

    fn configure(_: NoConfig) -> Result<Self, ConfigError> {
        Ok(Self::default())
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.members.update(endpoints);
        self.invite();
    }

    fn eligible(&mut self, slots: Vec<Slot>) {
        self.members.set_eligible(&slots);
        self.invite();
    }

    fn pick(&mut self, key: u64) -> Option<Slot> {
        let bucket = mix(key) >> (u64::BITS - BUCKET_BITS);
        if request::attempt() > 1 {
            return self.bidders.winner(bucket, &request::tried());
        }
        if self.winners.is_empty() {
            self.winners = vec![UNKNOWN; 1 << BUCKET_BITS];
        }
        let known = &mut self.winners[bucket as usize];
        if *known == UNKNOWN {
            *known = self.bidders.winner(bucket, &[])? + 1;
        }
        Some(*known - 1)
    }
}

export!(IpHash: balancer);

#[cfg(test)]
mod tests;
