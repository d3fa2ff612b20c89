//! The simulation's randomness: a stream for each purpose, so that one purpose
//! drawing more often changes nothing for the others. What comes in, what it
//! costs and what happens to the servers is then the same whichever policy is
//! tried (common random numbers), and policies differ by what they decide alone.
//!
//! Functions that not every system computes alike to the last bit (logarithms,
//! powers, sines) are `libm`'s, so that a seed means the same everywhere.

use std::f64::consts::TAU;

use fastrand::Rng;

/// What something is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Purpose {
    /// When requests come.
    Arrivals = 1,
    /// Whose they are.
    Clients,
    /// How much work they are.
    Demands,
    /// Which gateway, worker and pool has them.
    Placement,
    /// What happens to servers.
    World,
    /// Who is busy with something else.
    Antagonists,
    /// What a gateway itself leaves to chance.
    Gateway,
    /// What plugins draw.
    Plugins,
    /// Whether an attempt meets an error.
    Errors,
    /// How long an attempt's way is.
    Ways,
}

/// The stream of a purpose.
pub(crate) fn stream(seed: u64, purpose: Purpose) -> Rng {
    Rng::with_seed(mixed(seed, purpose as u64))
}

/// A number from 0 to below 1 that belongs to one attempt of one request, in
/// whatever order attempts are made.
pub(crate) fn lot(seed: u64, purpose: Purpose, (request, attempt): (u64, u64)) -> f64 {
    let bits = mixed(mixed(seed, purpose as u64), mixed(request, attempt));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Two numbers as one whose bits are all over the place: the finaliser of
/// `SplitMix64` (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
/// generators", 2014).
pub(crate) fn mixed(a: u64, b: u64) -> u64 {
    let mut z = a
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(b)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number above 0 and up to 1.
pub(crate) fn above_zero(random: &mut Rng) -> f64 {
    1.0 - random.f64()
}

/// Exponentially distributed with this mean.
pub(crate) fn exponential(random: &mut Rng, mean: f64) -> f64 {
    -mean * libm::log(above_zero(random))
}

/// From the standard normal distribution (Box and Muller, 1958).
pub(crate) fn normal(random: &mut Rng) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(above_zero(random)));
    radius * libm::cos(TAU * random.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(of: impl FnMut(u64) -> f64) -> f64 {
        (0..100_000).map(of).sum::<f64>() / 100_000.0
    }

    #[test]
    fn draws_have_the_moments_that_they_should() {
        let mut random = stream(1, Purpose::Demands);
        let exponential = mean(|_| exponential(&mut random, 3.0));
        assert!((2.95..3.05).contains(&exponential), "{exponential}");
        let normal_mean = mean(|_| normal(&mut random));
        let variance = mean(|_| libm::pow(normal(&mut random), 2.0));
        assert!(normal_mean.abs() < 0.02, "{normal_mean}");
        assert!((0.97..1.03).contains(&variance), "{variance}");
        let lots = mean(|number| lot(1, Purpose::Errors, (number, 0)));
        assert!((0.495..0.505).contains(&lots), "{lots}");
    }

    #[test]
    fn purposes_have_streams_of_their_own() {
        let first = |seed, purpose| stream(seed, purpose).u64(..);
        assert_eq!(first(7, Purpose::Clients), first(7, Purpose::Clients));
        assert_ne!(first(7, Purpose::Clients), first(7, Purpose::Arrivals));
        assert_ne!(first(7, Purpose::Clients), first(8, Purpose::Clients));
    }
}
