//! A run of named steps: each says its name and how long it took, and the end
//! is a summary with the number of tests.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::follow::Counts;

/// The steps so far.
#[derive(Default)]
pub(crate) struct Steps {
    ended: Vec<Ended>,
    counts: Counts,
    left_out: Vec<&'static str>,
}

struct Ended {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Steps {
    /// Do a step. After one that failed the rest is not done: its cause is
    /// what one wants to read last.
    ///
    /// # Errors
    ///
    /// The step's own.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.tests(name, || work().map(|()| Counts::default()))
    }

    /// Do a step that runs tests and tells how many.
    ///
    /// # Errors
    ///
    /// The step's own, and when a test failed.
    pub(crate) fn tests(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<Counts>,
    ) -> Result<()> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = work();
        let took = start.elapsed();
        let counts = *result.as_ref().unwrap_or(&Counts::default());
        self.counts = self.counts + counts;
        let passed = result.is_ok() && counts.failed == 0;
        let word = if passed { "ok" } else { "FAILED" };
        println!("== {name}: {word} in {}", seconds(took));
        self.ended.push(Ended { name, took, passed });
        result?;
        if !passed {
            bail!("{name}: {} tests failed", counts.failed);
        }
        Ok(())
    }

    /// Remember for the summary what this run did not do, and who does.
    pub(crate) fn leave_out(&mut self, what: &'static str) {
        println!("\n== left out: {what}");
        self.left_out.push(what);
    }

    /// Print every step with its duration, then the number of tests on a line
    /// of its own.
    pub(crate) fn summary(&self) {
        println!("\nSteps:");
        for step in &self.ended {
            let word = if step.passed { "ok" } else { "FAILED" };
            println!("  {:30} {:>9}  {word}", step.name, seconds(step.took));
        }
        let whole: Duration = self.ended.iter().map(|step| step.took).sum();
        println!("  {:30} {:>9}", "in all", seconds(whole));
        for what in &self.left_out {
            println!("  left out: {what}");
        }
        println!("\ntests: {}", self.counts);
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::Steps;
    use crate::follow::Counts;

    #[test]
    fn a_step_fails_with_its_error_or_with_a_failed_test() {
        let mut steps = Steps::default();
        assert!(steps.step("fine", || Ok(())).is_ok());
        assert!(steps.step("broken", || bail!("no")).is_err());
        let counts = Counts {
            passed: 3,
            failed: 1,
            skipped: 0,
        };
        assert!(steps.tests("tests", || Ok(counts)).is_err());
        assert_eq!(steps.counts, counts);
    }
}
