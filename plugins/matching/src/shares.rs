//! Shares of a whole: who gets which draw.

use gatewright_plugin_sdk::{ConfigError, refuse};

/// Things with their shares of all draws.
#[derive(Clone, Debug)]
pub struct Shares<T> {
    /// Each thing with the sum of the weights up to and including its own.
    bounds: Vec<(u64, T)>,
}

impl<T: Copy> Shares<T> {
    /// Shares by weights, which are written at `key`.
    ///
    /// # Errors
    ///
    /// When no weight is above 0.
    pub fn of(weights: impl Iterator<Item = (u32, T)>, key: &str) -> Result<Self, ConfigError> {
        let mut sum = 0_u64;
        let bounds = weights.map(|(weight, thing)| {
            sum += u64::from(weight);
            (sum, thing)
        });
        let bounds: Vec<_> = bounds.collect();
        if sum == 0 {
            return Err(refuse(key, "a split needs at least one weight above 0"));
        }
        Ok(Self { bounds })
    }

    /// Who gets an even draw from all 64-bit numbers.
    pub fn winner(&self, draw: u64) -> T {
        let (sum, last) = self.bounds[self.bounds.len() - 1];
        let draw = draw % sum;
        let winner = self.bounds.iter().find(|(bound, _)| draw < *bound);
        winner.map_or(last, |(_, thing)| *thing)
    }
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn draws_are_shared_out_by_weight() {
        let shares = Shares::of([(1, 'a'), (0, 'b'), (3, 'c')].into_iter(), "split").unwrap();
        let winners: String = (0..8).map(|draw| shares.winner(draw)).collect();
        assert_eq!(winners, "acccaccc");
        let error = Shares::of([(0, 'a')].into_iter(), "split").unwrap_err();
        assert_eq!(error.key, "split");
    }
}
