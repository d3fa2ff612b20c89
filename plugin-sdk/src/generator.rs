//! A small, fast source of randomness for policies that draw on every decision.

use crate::random;

/// Marsaglia's xorshift64* (S. Vigna, "An experimental exploration of
/// Marsaglia's xorshift generators, scrambled", 2016): eight bytes of state and
/// a few instructions a number. Good enough to spread load, not for secrets.
#[derive(Clone, Debug)]
pub struct Generator(u64);

impl Generator {
    /// A generator seeded by the host, once, so that a decision need not ask it.
    /// Importing `random` needs the grant of that name.
    pub fn from_host() -> Self {
        Self::seeded(random::next())
    }

    /// A generator with a seed of your own; every seed is good.
    pub const fn seeded(seed: u64) -> Self {
        // The state must not be zero, and near seeds should not begin alike.
        Self(mix(seed) | 1)
    }

    /// 64 random bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias of the
    /// multiplication (D. Lemire, 2019) is below one in four billion for the
    /// sizes of pools.
    #[inline]
    pub const fn below(&mut self, bound: u32) -> u32 {
        (((self.bits() >> 32) * bound as u64) >> 32) as u32
    }

    /// A number from 0 to 1, never 1, of 53 random bits.
    #[inline]
    pub const fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The finaliser of SplitMix64 (G. Steele, D. Lea, C. Flood, 2014): every bit of
/// the input reaches every bit of the result. For making a good hash of a poor one.
#[inline]
pub const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// FNV-1a over bytes, finished by [`mix`]: the same text has the same hash on
/// every worker and after a restart.
pub fn hash(bytes: &[u8]) -> u64 {
    let folded = bytes.iter().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    mix(folded)
}

#[cfg(test)]
mod tests {
    use super::{Generator, hash};

    #[test]
    fn draws_below_a_bound_are_even() {
        let mut generator = Generator::seeded(7);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[generator.below(10) as usize] += 1;
        }
        // Nine standard deviations around the mean of 10,000.
        assert!(
            counts.iter().all(|count| (9_150..10_850).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_seed_decides_the_sequence() {
        assert_eq!(Generator::seeded(1).bits(), Generator::seeded(1).bits());
        assert_ne!(Generator::seeded(0).bits(), Generator::seeded(1).bits());
    }

    #[test]
    fn a_hash_does_not_change_between_releases() {
        assert_eq!(hash(b"10.0.0.1:8080"), 7_025_533_819_731_354_109);
        assert_ne!(hash(b"10.0.0.1:8080"), hash(b"10.0.0.2:8080"));
    }
}
