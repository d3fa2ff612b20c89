//! The page: words, and between marks what is made.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::claim::{Claim, Figures};

/// What ends everything that is made.
const END: &str = "<!-- end -->";

/// What stands on a line whose words follow from figures.
const DAGGER: char = '†';

/// What begins a claim, and ends it.
const HOLDS: (&str, &str) = ("<!-- holds:", "-->");

/// What a page's figures follow from.
#[derive(Debug, PartialEq)]
pub(super) struct Stamp {
    /// A digest of the scenarios.
    pub(super) scenarios: String,
    /// A digest of what a short simulation gives.
    pub(super) proof: String,
    /// A digest of the figures as they were made.
    pub(super) figures: String,
}

/// The page's text.
pub(super) struct Page(String);

impl Page {
    /// Read it.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self(text.replace("\r\n", "\n")))
    }

    /// Write it.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, &self.0).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Put a table in the place of a scenario's figures.
    ///
    /// # Errors
    ///
    /// When it has no such place.
    pub(super) fn set_figures(&mut self, scenario: &str, table: &str) -> Result<()> {
        self.set(&figures_of(scenario), &format!("\n\n{table}\n"))
    }

    /// Say what its figures follow from.
    ///
    /// # Errors
    ///
    /// When it has no place for that.
    pub(super) fn set_stamp(&mut self, stamp: &Stamp) -> Result<()> {
        let Stamp {
            scenarios,
            proof,
            figures,
        } = stamp;
        let text = format!(
            "\n<!-- scenarios {scenarios} -->\n<!-- proof {proof} -->\n<!-- figures {figures} -->\n"
        );
        self.set("made from", &text)
    }

    /// What its figures follow from.
    ///
    /// # Errors
    ///
    /// When it does not say.
    pub(super) fn stamp(&self) -> Result<Stamp> {
        let text = &self.0[self.place("made from")?];
        let named = |name: &str| {
            let words: Vec<_> = text.split_whitespace().collect();
            let place = words.iter().position(|word| *word == name);
            let digest = place.and_then(|place| words.get(place + 1));
            digest
                .map(|digest| (*digest).to_owned())
                .with_context(|| format!("the page does not say of which {name} it was made"))
        };
        Ok(Stamp {
            scenarios: named("scenarios")?,
            proof: named("proof")?,
            figures: named("figures")?,
        })
    }

    /// The figures of these scenarios as they stand there.
    ///
    /// # Errors
    ///
    /// When one has no place.
    pub(super) fn figures(&self, scenarios: &[&str]) -> Result<String> {
        let figures = scenarios.iter().map(|scenario| {
            let place = self.place(&figures_of(scenario))?;
            Ok(&self.0[place])
        });
        figures.collect()
    }

    /// The claims of its words that its figures do not show, each with its line.
    ///
    /// # Errors
    ///
    /// When a claim is none or names what is not there, or words that follow from
    /// figures make none.
    pub(super) fn broken_claims(&self, scenarios: &[&str]) -> Result<Vec<String>> {
        let mut figures = BTreeMap::new();
        for scenario in scenarios {
            let table = &self.0[self.place(&figures_of(scenario))?];
            figures.insert(*scenario, read_table(table)?);
        }
        let mut broken = Vec::new();
        for (number, line) in (1..).zip(self.0.lines()) {
            let claims: Vec<_> = claims(line).collect();
            // The sentence that says what the mark is for claims nothing.
            let marks = line.matches(DAGGER).count();
            ensure!(
                marks <= claims.len() || line.starts_with("Sentences marked"),
                "line {number} follows from figures and does not say how: write <!-- holds: … --> behind it"
            );
            for text in claims {
                let held = Claim::parse(text).and_then(|claim| {
                    let figures = figures.get(claim.scenario);
                    let unknown = || format!("there is no scenario {:?}", claim.scenario);
                    claim.holds(figures.with_context(unknown)?)
                });
                if !held.with_context(|| format!("line {number}"))? {
                    broken.push(format!("line {number}: {}", text.trim()));
                }
            }
        }
        Ok(broken)
    }

    /// Put a text in the place of what is made.
    fn set(&mut self, mark: &str, text: &str) -> Result<()> {
        let place = self.place(mark)?;
        self.0.replace_range(place, text);
        Ok(())
    }

    /// Where something that is made is.
    fn place(&self, mark: &str) -> Result<Range<usize>> {
        let mark = format!("<!-- {mark} -->");
        let found = self.0.find(&mark);
        let begin = found.with_context(|| format!("the page has no {mark}"))? + mark.len();
        let length = self.0[begin..].find(END);
        let length = length.with_context(|| format!("{mark} has no {END} behind it"))?;
        Ok(begin..begin + length)
    }
}

fn figures_of(scenario: &str) -> String {
    format!("figures of {scenario}")
}

fn claims(line: &str) -> impl Iterator<Item = &str> {
    let (begin, end) = HOLDS;
    line.split(begin)
        .skip(1)
        .filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// A table's figures, by the first word of their columns and by the first cell of
/// their rows.
fn read_table(table: &str) -> Result<Figures> {
    let cells = |row: &str| -> Vec<String> {
        let cells = row.trim().trim_matches('|').split('|');
        cells
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    let mut rows = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(cells);
    let Some(columns) = rows.next() else {
        bail!("a scenario has no figures yet: run `cargo xtask comparison`");
    };
    let mut figures = Figures::new();
    for row in rows.skip(1) {
        for (column, cell) in columns.iter().zip(&row).skip(1) {
            let name = column.split(' ').next().unwrap_or_default();
            let value = cell
                .parse()
                .with_context(|| format!("{cell:?} is no figure"))?;
            let column = figures.entry(name.to_owned()).or_default();
            column.insert(row[0].clone(), value);
        }
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| balancer | p50 ms | within 9 ms % |\n|---|---:|---:|\n\
        | `first` | 1.5 | 99.00 |\n| `zone` | 2.0 | 98.00 |\n";

    fn page(words: &str) -> Page {
        let text = format!(
            "# Page\n<!-- figures of steady --> old <!-- end -->\n{words}\n\
             <!-- made from --><!-- end -->\n"
        );
        let mut page = Page(text);
        page.set_figures("steady", TABLE).unwrap();
        page
    }

    fn broken(words: &str) -> Result<Vec<String>> {
        page(words).broken_claims(&["steady"])
    }

    #[test]
    fn what_is_made_takes_the_place_of_what_was() {
        let mut page = page("Words.");
        let stamp = Stamp {
            scenarios: "abc".into(),
            proof: "def".into(),
            figures: "ghi".into(),
        };
        page.set_stamp(&stamp).unwrap();
        assert_eq!(page.stamp().unwrap(), stamp);
        assert!(!page.0.contains("old") && page.0.contains("| `zone` | 2.0 |"));
        let before = page.0.clone();
        page.set_figures("steady", TABLE).unwrap();
        page.set_stamp(&stamp).unwrap();
        assert_eq!(page.0, before);
    }

    #[test]
    fn words_that_the_figures_do_not_show_are_told_with_their_line() {
        let right = "`first` is quick.† <!-- holds: steady p50 first < zone -->";
        assert!(broken(right).unwrap().is_empty());
        let wrong =
            "So.† <!-- holds: steady within zone > first --> <!-- holds: steady p50 all < 9 -->";
        let told = broken(wrong).unwrap();
        assert_eq!(told, ["line 10: steady within zone > first"]);
    }

    #[test]
    fn words_that_follow_from_figures_say_how() {
        let error = format!("{:#}", broken("It is quick.†").unwrap_err());
        assert!(error.contains("line 10 follows from figures"), "{error}");
        let error = broken("One.† Two.† <!-- holds: steady p50 first < zone -->").unwrap_err();
        assert!(format!("{error:#}").contains("line 10 follows from figures"));
        let error = broken("So.† <!-- holds: ramp p50 first < 9 -->").unwrap_err();
        assert!(format!("{error:#}").contains("no scenario \"ramp\""));
    }
}
