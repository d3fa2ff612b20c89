//! The alias table: a column for each candidate, all of equal height. A column
//! holds the candidate's own share up to its mark, and above it a part of one
//! other's. So a fair draw of a column and of a height in it is a draw by weight.

use gatewright_plugin_sdk::Generator;

/// A table to draw places from, each by its weight.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alias {
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    /// Up to where the column is its own candidate's: a share of the 2³² heights.
    mark: u64,
    /// Whose the rest is.
    other: u32,
}

/// The heights in a column.
const HEIGHT: u64 = 1 << 32;

impl Alias {
    /// A table for these weights, the places of which are drawn. All arithmetic
    /// is in whole numbers: in units of which the sum of the weights makes up a
    /// column, a weight is that many units times the number of columns.
    pub(crate) fn of(weights: &[u32]) -> Self {
        let sum: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let count = weights.len() as u64;
        let whole = Column {
            mark: HEIGHT,
            other: 0,
        };
        let mut columns = vec![whole; weights.len()];
        let shares = weights.iter().map(|weight| u64::from(*weight) * count);
        let mut shares: Vec<u64> = shares.collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).partition(|place| shares[*place as usize] < sum);
        while let (Some(less), Some(more)) = (small.pop(), large.last().copied()) {
            let share = shares[less as usize];
            columns[less as usize] = Column {
                mark: (u128::from(share) * u128::from(HEIGHT) / u128::from(sum)) as u64,
                other: more,
            };
            // The larger one fills what the smaller one leaves of its column.
            let rest = &mut shares[more as usize];
            *rest -= sum - share;
            if *rest < sum {
                large.pop();
                small.push(more);
            }
        }
        Self { columns }
    }

    /// Draw a place; none from an empty table.
    #[inline]
    pub(crate) fn draw(&self, generator: &mut Generator) -> Option<usize> {
        let bits = generator.bits();
        let place = ((bits >> 32) * self.columns.len() as u64) >> 32;
        let column = self.columns.get(place as usize)?;
        let own = (bits & (HEIGHT - 1)) < column.mark;
        Some(if own {
            place as usize
        } else {
            column.other as usize
        })
    }

    /// The probability of each place, as the table has it.
    #[cfg(test)]
    pub(crate) fn probabilities(&self) -> Vec<f64> {
        let count = self.columns.len() as f64;
        let mut probabilities = vec![0.0; self.columns.len()];
        for (place, column) in self.columns.iter().enumerate() {
            let own = column.mark as f64 / HEIGHT as f64;
            probabilities[place] += own / count;
            probabilities[column.other as usize] += (1.0 - own) / count;
        }
        probabilities
    }
}
