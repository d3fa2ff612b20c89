//! How large the table is, and how much more than its share an endpoint may have.

use gatewright_plugin_sdk::{ConfigError, refuse, within};
use serde::Deserialize;

/// The settings, every one of which may be left out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The table's places: a prime from 1,009 to 131,071; 16,381 by default,
    /// which suits 160 servers (100 places each) and takes 64 KiB. It does not
    /// follow the pool's size, since another size moves nearly every key.
    pub table_size: u32,
    /// What an endpoint may have in flight, as a multiple of the mean for its
    /// weight: 1 to 100, 1.25 by default; false sets no bound.
    pub balance: Balance,
    /// Requests in flight that an endpoint may have whatever the mean is: 1 to
    /// 1,000,000, 4 by default. At 1 the bound of the paper counts from the first
    /// request on.
    pub floor: u32,
}

/// A factor, or false.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a number such as 1.25, or false")]
pub enum Balance {
    /// Whether there is a bound; true is the default one.
    Switch(bool),
    /// So many times the mean.
    Factor(f64),
}

/// Within a quarter of the mean: the authors' own choice for video caches.
const USUAL_BALANCE: f64 = 1.25;

impl Default for Config {
    fn default() -> Self {
        Self {
            table_size: 16_381,
            balance: Balance::Factor(USUAL_BALANCE),
            floor: 4,
        }
    }
}

impl Config {
    /// Refuse a table that cannot be filled and a bound that cannot be kept.
    /// Returns the bound, if there is one.
    ///
    /// # Errors
    ///
    /// The first key whose value will not do.
    pub fn check(&self) -> Result<Option<f64>, ConfigError> {
        let sizes = 1_009..=131_071;
        within("table_size", self.table_size, sizes.clone())?;
        if !is_prime(self.table_size) {
            let next = (self.table_size..=*sizes.end()).find(|size| is_prime(*size));
            let next = next.unwrap_or(*sizes.end());
            let reason = format!("{} is no prime: write {next}", self.table_size);
            return Err(refuse("table_size", reason));
        }
        within("floor", self.floor, 1..=1_000_000)?;
        match self.balance {
            Balance::Switch(false) => Ok(None),
            Balance::Switch(true) => Ok(Some(USUAL_BALANCE)),
            Balance::Factor(factor) => {
                within("balance", factor, 1.0..=100.0)?;
                Ok(Some(factor))
            }
        }
    }
}

fn is_prime(number: u32) -> bool {
    let mut divisors = (2..).take_while(|divisor| divisor * divisor <= number);
    number > 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}
