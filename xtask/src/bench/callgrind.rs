//! Instructions that a process runs in user space, as valgrind's callgrind counts
//! them: the same on every machine, whatever else it does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::output;

/// The words before a program that has callgrind run it, and count nothing yet.
pub(super) fn words(folder: &Path) -> Vec<String> {
    let out = folder.join("callgrind.%p");
    [
        "valgrind",
        "--tool=callgrind",
        // The gateway compiles plugins in children, for the processor that is
        // emulated here.
        "--trace-children=yes",
        "--instr-atstart=no",
        "--quiet",
        &format!("--callgrind-out-file={}", out.display()),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// The same, where each thread is counted by itself.
pub(super) fn words_by_thread(folder: &Path) -> Vec<String> {
    let mut words = words(folder);
    words.push("--separate-threads=yes".to_owned());
    words
}

/// A process that callgrind runs.
pub(super) struct Counted<'a> {
    pub(super) process: u32,
    pub(super) folder: &'a Path,
}

impl Counted<'_> {
    /// Count from here on.
    ///
    /// # Errors
    ///
    /// When callgrind does not take it.
    pub(super) fn begin(&self) -> Result<()> {
        self.control(&["--instr=on"])
    }

    /// Instructions since the beginning, or since it was asked last; `dump`
    /// counts how often that was, from 1.
    ///
    /// # Errors
    ///
    /// When callgrind does not tell.
    pub(super) fn instructions(&self, dump: u32) -> Result<u64> {
        self.control(&["--dump"])?;
        let file = self.file(dump);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("callgrind wrote no {}", file.display()))?;
        total(&text).context("cannot understand callgrind's figures")
    }

    /// The functions with the most instructions of their own, as a share of all.
    ///
    /// # Errors
    ///
    /// When callgrind's figures cannot be read.
    pub(super) fn functions(&self, dump: u32, most: usize) -> Result<Vec<Function>> {
        let mut command = Command::new("callgrind_annotate");
        command.args(["--auto=no", "--threshold=100"]);
        let text = output(command.arg(self.file(dump)))?;
        Ok(text.lines().filter_map(function).take(most).collect())
    }

    /// What the thread that did most has done since the beginning, or since it was
    /// asked last. Only of a process whose threads are counted by themselves.
    ///
    /// # Errors
    ///
    /// When callgrind does not tell.
    pub(super) fn busiest(&self, dump: u32) -> Result<Thread> {
        self.control(&["--dump"])?;
        let own = format!("callgrind.{}.{dump}-", self.process);
        let mut busiest: Option<(u64, PathBuf)> = None;
        for entry in fs::read_dir(self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(&own) {
                continue;
            }
            let text = fs::read_to_string(entry.path())?;
            let instructions = total(&text).context("cannot understand callgrind's figures")?;
            if busiest
                .as_ref()
                .is_none_or(|(most, _)| instructions > *most)
            {
                busiest = Some((instructions, entry.path()));
            }
        }
        let (instructions, file) = busiest.context("callgrind wrote nothing of any thread")?;
        let mut command = Command::new("callgrind_annotate");
        command.args(["--auto=no", "--threshold=100", "--inclusive=yes"]);
        let text = output(command.arg(file))?;
        Ok(Thread {
            instructions,
            functions: text.lines().filter_map(function).collect(),
        })
    }

    fn file(&self, dump: u32) -> PathBuf {
        self.folder
            .join(format!("callgrind.{}.{dump}", self.process))
    }

    fn control(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new("callgrind_control");
        output(command.args(arguments).arg(self.process.to_string()))?;
        Ok(())
    }
}

/// A thread that was counted.
pub(super) struct Thread {
    pub(super) instructions: u64,
    /// Each with all that it called.
    functions: Vec<Function>,
}

impl Thread {
    /// Instructions of a function with all that it called, if it ran.
    pub(super) fn within(&self, name: &str) -> Option<u64> {
        let mut functions = self.functions.iter();
        let found = functions.find(|function| function.name == name)?;
        Some(found.instructions)
    }
}

/// A function's instructions: of its own, or with all that it called.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) instructions: u64,
}

fn total(text: &str) -> Option<u64> {
    let line = |key| text.lines().rev().find_map(|line| line.strip_prefix(key));
    line("totals: ")
        .or_else(|| line("summary: "))?
        .trim()
        .parse()
        .ok()
}

/// `12,345 (1.23%)  file:name [object]`.
fn function(line: &str) -> Option<Function> {
    let (count, rest) = line.trim_start().split_once(" (")?;
    let instructions = count.replace(',', "").parse().ok()?;
    let (_, name) = rest.split_once("%)")?;
    let name = name.trim();
    let name = name.split_once(" [").map_or(name, |(name, _)| name);
    if name == "PROGRAM TOTALS" {
        return None;
    }
    // The file is not known without debug information.
    let name = name.strip_prefix("???:").unwrap_or(name);
    Some(Function {
        name: name.to_owned(),
        instructions,
    })
}

#[cfg(test)]
mod tests {
    use super::{Thread, function, total};

    #[test]
    fn what_callgrind_says_is_understood() {
        assert_eq!(total("events: Ir\nfn=(1)\n1 2\ntotals: 1234\n"), Some(1234));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let text = "113,449 (100.0%)  PROGRAM TOTALS\n\
             11,111 ( 9.79%)  ???:a::route::{{closure}} [/usr/bin/x]\n\
             6,080 ( 5.36%)  ???:a::route [/usr/bin/x]\n";
        let thread = Thread {
            instructions: 113_449,
            functions: text.lines().filter_map(function).collect(),
        };
        assert_eq!(thread.within("a::route"), Some(6_080));
        assert_eq!(thread.within("a::rout"), None);
    }

    #[test]
    fn functions_are_told_apart_from_totals() {
        let line = "12,345 (10.20%)  ???:a::b<c, d>::e [/usr/sbin/x]";
        let found = function(line).unwrap();
        assert_eq!(
            (found.name.as_str(), found.instructions),
            ("a::b<c, d>::e", 12_345)
        );
        assert!(function("99,345 (100.0%)  PROGRAM TOTALS").is_none());
        assert!(function("Ir                  file:function").is_none());
    }
}
