//! A version that decides for a share of the requests.

use super::succession::OccupantUpdate;
use crate::binding::Place;
use crate::occupant::Occupant;
use crate::view::Lent;

/// A canary and its share.
pub(super) struct Canary {
    pub(super) occupant: Occupant,
    percent: u8,
    salt: u32,
}

/// What a canary is to be after a change.
pub(crate) struct CanaryUpdate {
    pub(crate) occupant: OccupantUpdate,
    /// The share of requests that it decides for, in percent.
    pub(crate) percent: u8,
}

impl Canary {
    pub(super) fn new(occupant: Occupant, percent: u8) -> Self {
        Self {
            salt: salt(occupant.binding().place()),
            occupant,
            percent,
        }
    }

    /// Whether a request that drew this lot is the canary's.
    pub(super) fn has(&self, lot: u32) -> bool {
        (u64::from(mixed(lot ^ self.salt)) * 100) >> 32 < u64::from(self.percent)
    }

    /// Whether the exchange is the canary's. Its first seat with a canary draws
    /// its lot, which no client can choose; all its attempts keep it, until a
    /// canary has no answer.
    pub(super) fn is_asked(&self, lent: &mut Lent) -> bool {
        let Some(view) = lent else {
            return false;
        };
        if view.effects().is_given_up {
            return false;
        }
        let lot = view.effects().lot.get_or_insert_with(|| fastrand::u32(..));
        self.has(*lot)
    }
}

/// Keeps the canaries of different seats from being given the same requests.
fn salt(place: &Place) -> u32 {
    let bytes = place.to_string();
    // FNV-1a: draft-eastlake-fnv, 32 bits.
    bytes.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The finalizer of MurmurHash3 (Appleby): every bit depends on every other.
fn mixed(mut bits: u32) -> u32 {
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x85eb_ca6b);
    bits ^= bits >> 13;
    bits = bits.wrapping_mul(0xc2b2_ae35);
    bits ^ (bits >> 16)
}

#[cfg(test)]
mod tests {
    use super::mixed;

    #[test]
    fn mixing_loses_no_lot_and_spreads_neighbours() {
        let share = |salt: u32| {
            let lots = (0..10_000_u32).map(|lot| mixed(lot ^ salt));
            lots.filter(|lot| (u64::from(*lot) * 100) >> 32 < 10)
                .count()
        };
        for salt in [0, 1, 0x811c_9dc5] {
            assert!((850..1150).contains(&share(salt)), "{}", share(salt));
        }
    }
}
