//! What the page's words claim of its figures, in a comment on the same line:
//!
//! ```text
//! <!-- holds: heavy-tail p99 least-connections < 0.5 round-robin -->
//! ```
//!
//! A scenario, a figure by the first word of its column, a balancer or `all`, `<`
//! or `>`, and a number, a balancer or `all`, or so many times one of them. `all`
//! is everybody but the one on the other side.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// The figures of a scenario: by column, then by balancer.
pub(super) type Figures = BTreeMap<String, BTreeMap<String, f64>>;

/// A claim.
#[derive(Debug, PartialEq)]
pub(super) struct Claim<'a> {
    pub(super) scenario: &'a str,
    figure: &'a str,
    left: &'a str,
    is_less: bool,
    factor: f64,
    /// None for the factor alone.
    right: Option<&'a str>,
}

const ALL: &str = "all";

impl<'a> Claim<'a> {
    /// Read one.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        let words: Vec<_> = text.split_whitespace().collect();
        let [scenario, figure, left, sign, ref right @ ..] = words[..] else {
            bail!("{text:?} is no claim; write SCENARIO FIGURE BALANCER < BALANCER");
        };
        let number = |word: &str| word.parse::<f64>().ok();
        let (factor, right) = match *right {
            [one] => match number(one) {
                Some(number) => (number, None),
                None => (1.0, Some(one)),
            },
            [factor, one] => {
                let factor = number(factor).with_context(|| format!("{factor:?} is no number"))?;
                (factor, Some(one))
            }
            _ => bail!("{text:?} compares with nothing; write a balancer or a number last"),
        };
        let is_less = match sign {
            "<" => true,
            ">" => false,
            other => bail!("{other:?} is no comparison; write < or >"),
        };
        Ok(Self {
            scenario,
            figure,
            left,
            is_less,
            factor,
            right,
        })
    }

    /// Whether a scenario's figures show it.
    ///
    /// # Errors
    ///
    /// When it names what is not in the figures.
    pub(super) fn holds(&self, figures: &Figures) -> Result<bool> {
        let column = figures
            .get(self.figure)
            .with_context(|| format!("there is no figure {:?}", self.figure))?;
        let values = |side: &str, other: &str| -> Result<Vec<f64>> {
            if side == ALL {
                let others = column.iter().filter(|(name, _)| name.as_str() != other);
                return Ok(others.map(|(_, value)| *value).collect());
            }
            let value = column.get(side);
            let value = value.with_context(|| format!("there is no balancer {side:?}"))?;
            Ok(vec![*value])
        };
        let left = values(self.left, self.right.unwrap_or_default())?;
        let right = match self.right {
            None => vec![1.0],
            Some(right) => values(right, self.left)?,
        };
        let holds = |left: f64, right: f64| match self.is_less {
            true => left < right * self.factor,
            false => left > right * self.factor,
        };
        Ok(left
            .iter()
            .all(|left| right.iter().all(|right| holds(*left, *right))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(claim: &str) -> Result<bool> {
        let p99 = [("first", 10.0), ("second", 20.0), ("third", 30.0)];
        let p99 = p99.map(|(name, value)| (name.to_owned(), value));
        let figures = Figures::from([("p99".to_owned(), BTreeMap::from(p99))]);
        Claim::parse(claim)?.holds(&figures)
    }

    #[test]
    fn balancers_are_compared_with_each_other_and_with_numbers() {
        for (claim, expected) in [
            ("x p99 first < second", true),
            ("x p99 first > second", false),
            ("x p99 first < 0.5 second", false),
            ("x p99 first < 0.6 second", true),
            ("x p99 first < all", true),
            ("x p99 second < all", false),
            ("x p99 all < 30.1", true),
            ("x p99 all < 30", false),
            ("x p99 all > first", true),
        ] {
            assert_eq!(holds(claim).unwrap(), expected, "{claim}");
        }
    }

    #[test]
    fn what_is_no_claim_is_refused() {
        for (claim, told) in [
            ("x p99 first", "no claim"),
            ("x p99 first = second", "no comparison"),
            ("x p99 first <", "compares with nothing"),
            ("x p99 first < much second", "no number"),
            ("x p99 fourth < second", "no balancer \"fourth\""),
            ("x p9 first < second", "no figure \"p9\""),
        ] {
            let error = holds(claim).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
