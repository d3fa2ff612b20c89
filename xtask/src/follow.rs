//! Running a command while reading along: its lines are shown as they come, and
//! the closing lines of test runners are counted.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::ops::Add;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Context, Result};

use crate::cargo::cannot_run;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// What a line of a test runner says; nothing for any other line.
    fn of_line(line: &str) -> Self {
        // Node's runner ends with a line for each number.
        if let Some(rest) = line.trim().strip_prefix("ℹ ") {
            return Self::of_node(rest);
        }
        let parts = if let Some(rest) = line.trim().strip_prefix("test result: ") {
            rest.split_once(". ").map(|(_, parts)| parts)
        } else if line.trim_start().starts_with("Summary [") {
            line.split_once(" run: ").map(|(_, parts)| parts)
        } else {
            None
        };
        parts.map_or(Self::default(), Self::of_parts)
    }

    /// `pass 2`, `fail 1`, and so on.
    fn of_node(line: &str) -> Self {
        let mut counts = Self::default();
        if let Some((word, number)) = line.split_once(' ')
            && let Ok(number) = number.parse()
        {
            match word {
                "pass" => counts.passed = number,
                "fail" | "cancelled" => counts.failed = number,
                "skipped" | "todo" => counts.skipped = number,
                _ => {}
            }
        }
        counts
    }

    /// `2 passed; 1 failed; …` or `2 passed (1 slow), 1 timed out, …`.
    fn of_parts(parts: &str) -> Self {
        let mut counts = Self::default();
        for part in parts.split([',', ';']) {
            let mut words = part.split_whitespace();
            let Some(Ok(number)) = words.next().map(str::parse::<u64>) else {
                continue;
            };
            match words.next() {
                Some("passed") => counts.passed += number,
                Some("skipped" | "ignored") => counts.skipped += number,
                // "timed out" and "exec failed" are nextest's.
                Some("failed" | "timed" | "exec") => counts.failed += number,
                _ => {}
            }
        }
        counts
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(to, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Run a test runner, showing what it prints, and count its tests.
///
/// # Errors
///
/// When it cannot be run, or failed without a failed test to show for it.
pub(crate) fn tests(command: &mut Command) -> Result<Counts> {
    let mut counts = Counts::default();
    command.env("CARGO_TERM_COLOR", "never");
    let status = lines(command, |line| {
        println!("{line}");
        counts = counts + Counts::of_line(line);
    })?;
    if !status.success() && counts.failed == 0 {
        anyhow::bail!("the test runner ended with {status}");
    }
    Ok(counts)
}

/// Run a command and hand every line of its output and its errors to `on_line`.
///
/// # Errors
///
/// When it cannot be started or waited for.
pub(crate) fn lines(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_run(command))?;
    let (sender, receiver) = mpsc::channel();
    let readers = [
        child.stdout.take().map(|pipe| read(pipe, sender.clone())),
        child.stderr.take().map(|pipe| read(pipe, sender)),
    ];
    for line in receiver {
        on_line(&line);
    }
    for reader in readers.into_iter().flatten() {
        // A reader only ends; what it could not read is no line.
        let _ = reader.join();
    }
    Ok(child.wait()?)
}

fn read(pipe: impl Read + Send + 'static, to: Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if to.send(line.trim_end().to_owned()).is_err() {
                return;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Counts, lines};

    #[test]
    fn closing_lines_of_all_test_runners_are_counted() {
        let cases = [
            (
                "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out",
                (3, 0, 1),
            ),
            (
                "     Summary [   1.02s] 9/12 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 4 skipped",
                (6, 3, 4),
            ),
            (
                "     Summary [   0.01s] 1 test run: 1 passed, 0 skipped",
                (1, 0, 0),
            ),
            ("ℹ pass 14", (14, 0, 0)),
            ("ℹ cancelled 2", (0, 2, 0)),
            ("ℹ tests 16", (0, 0, 0)),
            ("a test that says 3 passed, 1 failed", (0, 0, 0)),
        ];
        for (line, (passed, failed, skipped)) in cases {
            let counts = Counts {
                passed,
                failed,
                skipped,
            };
            assert_eq!(Counts::of_line(line), counts, "{line}");
        }
    }

    #[test]
    fn both_streams_are_followed_to_their_end() {
        let mut heard = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let status = lines(&mut command, |line| heard.push(line.to_owned())).unwrap();
        heard.sort();
        assert_eq!(heard, ["err", "out"]);
        assert_eq!(status.code(), Some(3));
    }
}
