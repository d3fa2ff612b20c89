//! Who bids how much for a bucket.

use gatewright_plugin_sdk::{Endpoint, Slot, hash, mix};

/// The eligible endpoints of a pool.
#[derive(Debug)]
pub(crate) struct Bidders {
    bidders: Vec<Bidder>,
    /// Whether all weights are equal: the bids then need no logarithm.
    equal: bool,
}

#[derive(Clone, Copy, Debug)]
struct Bidder {
    slot: Slot,
    /// Made of the endpoint's id, so a bid does not depend on slots, on the
    /// order of the list or on this process.
    seed: u64,
    weight: u32,
}

impl Default for Bidders {
    fn default() -> Self {
        Self {
            bidders: Vec::new(),
            equal: true,
        }
    }
}

impl Bidders {
    /// Invite these endpoints.
    pub(crate) fn of<'e>(endpoints: impl Iterator<Item = &'e Endpoint>) -> Self {
        let bidders: Vec<_> = endpoints
            .map(|endpoint| Bidder {
                slot: endpoint.slot,
                seed: hash(endpoint.id.as_bytes()),
                weight: endpoint.weight,
            })
            .collect();
        let equal = bidders
            .windows(2)
            .all(|pair| pair[0].weight == pair[1].weight);
        Self { bidders, equal }
    }

    /// The highest bidder for a bucket, but for those to be left out.
    pub(crate) fn winner(&self, bucket: u64, without: &[Slot]) -> Option<Slot> {
        let lot = mix(bucket);
        let admitted = self
            .bidders
            .iter()
            .filter(|bidder| !without.contains(&bidder.slot));
        let winner = if self.equal {
            admitted.max_by_key(|bidder| bidder.draw(lot))
        } else {
            let bids = admitted.map(|bidder| (bidder, bidder.weighted(lot)));
            let highest = bids.max_by(|(_, one), (_, other)| one.total_cmp(other));
            highest.map(|(bidder, _)| bidder)
        };
        winner.map(|bidder| bidder.slot)
    }
}

impl Bidder {
    /// The bid among equals: an even draw.
    fn draw(&self, lot: u64) -> u64 {
        mix(self.seed ^ lot)
    }

    /// The bid with weight `w`: w / −ln u for an even draw u between 0 and 1,
    /// which wins with a probability of w over the sum of the weights. Grows
    /// with [`draw`](Self::draw), so equal weights give the same winner.
    fn weighted(&self, lot: u64) -> f64 {
        // 53 bits fill a float's mantissa; the half keeps 0 and 1 out.
        let even = ((self.draw(lot) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        f64::from(self.weight) / -even.ln()
    }
}
