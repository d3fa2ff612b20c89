//! Instructions that a process runs in user space, as valgrind's callgrind counts
//! them: the same on every machine, whatever else it does.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

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
        "--separate-threads=yes",
        "--quiet",
        &format!("--callgrind-out-file={}", out.display()),
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A process that callgrind runs, and those of its threads that count.
pub(super) struct Counted<'a> {
    process: u32,
    folder: &'a Path,
    /// The numbers that callgrind has for them.
    threads: Vec<u32>,
}

impl<'a> Counted<'a> {
    /// Count from here on, in threads whose name is one that counts.
    ///
    /// # Errors
    ///
    /// When callgrind does not take it, or there is no such thread.
    pub(super) fn begin(
        process: u32,
        folder: &'a Path,
        is_counted: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let mut command = Command::new("vgdb");
        command.arg(format!("--pid={process}"));
        let said = output(command.args(["v.info", "scheduler"]))?;
        let mut threads = Vec::new();
        for (thread, task) in said.lines().filter_map(thread) {
            let name = fs::read_to_string(format!("/proc/{process}/task/{task}/comm"));
            // A thread may end while we look.
            if name.is_ok_and(|name| is_counted(name.trim_end())) {
                threads.push(thread);
            }
        }
        ensure!(!threads.is_empty(), "the process has no thread that counts");
        let counted = Self {
            process,
            folder,
            threads,
        };
        counted.control("--instr=on")?;
        Ok(counted)
    }

    /// What the threads have done since the beginning, or since it was asked last;
    /// `dump` counts how often that was, from 1.
    ///
    /// # Errors
    ///
    /// When callgrind does not tell.
    pub(super) fn done(&self, dump: u32) -> Result<Done> {
        self.control("--dump")?;
        let (mut instructions, mut files) = (0, Vec::new());
        for thread in &self.threads {
            let name = format!("callgrind.{}.{dump}-{thread:02}", self.process);
            let file = self.folder.join(name);
            // There is none of a thread that has not run.
            if file.is_file() {
                let text = fs::read_to_string(&file)?;
                instructions += total(&text).context("cannot understand callgrind's figures")?;
                files.push(file);
            }
        }
        ensure!(
            !files.is_empty(),
            "callgrind wrote nothing of threads that count"
        );
        Ok(Done {
            instructions,
            files,
        })
    }

    fn control(&self, argument: &str) -> Result<()> {
        let mut command = Command::new("callgrind_control");
        output(command.arg(argument).arg(self.process.to_string()))?;
        Ok(())
    }
}

/// What threads have done.
pub(super) struct Done {
    pub(super) instructions: u64,
    /// Of each thread.
    files: Vec<PathBuf>,
}

impl Done {
    /// Functions of each thread by their own instructions, those with the most first.
    ///
    /// # Errors
    ///
    /// When callgrind's figures cannot be read.
    pub(super) fn functions(&self) -> Result<Vec<Function>> {
        self.annotated("--inclusive=no")
    }

    /// The same, each with all that it called.
    ///
    /// # Errors
    ///
    /// As [`Done::functions`].
    pub(super) fn with_called(&self) -> Result<Vec<Function>> {
        self.annotated("--inclusive=yes")
    }

    fn annotated(&self, inclusive: &str) -> Result<Vec<Function>> {
        let mut functions = Vec::new();
        for file in &self.files {
            let mut command = Command::new("callgrind_annotate");
            command.args(["--auto=no", "--threshold=100", inclusive]);
            let text = output(command.arg(file))?;
            functions.extend(text.lines().filter_map(function));
        }
        functions.sort_by_key(|function| Reverse(function.instructions));
        Ok(functions)
    }
}

/// Instructions of a function, if it ran.
pub(super) fn of(functions: &[Function], name: &str) -> Option<u64> {
    let found = functions.iter().find(|function| function.name == name)?;
    Some(found.instructions)
}

/// A function's instructions: of its own, or with all that it called.
pub(super) struct Function {
    pub(super) name: String,
    pub(super) instructions: u64,
}

/// `Thread 2: status = VgTs_WaitSys syscall 202 (lwpid 25808)`, as its number and the
/// kernel's.
fn thread(line: &str) -> Option<(u32, u32)> {
    let (thread, rest) = line.strip_prefix("Thread ")?.split_once(": ")?;
    let (_, task) = rest.split_once("(lwpid ")?;
    Some((thread.parse().ok()?, task.strip_suffix(')')?.parse().ok()?))
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
    use super::{Function, function, of, thread, total};

    #[test]
    fn what_callgrind_says_is_understood() {
        assert_eq!(total("events: Ir\nfn=(1)\n1 2\ntotals: 1234\n"), Some(1234));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn threads_are_told_by_both_numbers() {
        let line = "Thread 12: status = VgTs_WaitSys syscall 202 (lwpid 25808)";
        assert_eq!(thread(line), Some((12, 25808)));
        assert_eq!(thread("  running_tid=1"), None);
        assert_eq!(thread("Thread 1: status = VgTs_Init"), None);
    }

    #[test]
    fn a_function_is_found_by_its_whole_name() {
        let text = "113,449 (100.0%)  PROGRAM TOTALS\n\
             11,111 ( 9.79%)  ???:a::route::{{closure}} [/usr/bin/x]\n\
             6,080 ( 5.36%)  ???:a::route [/usr/bin/x]\n";
        let functions: Vec<Function> = text.lines().filter_map(function).collect();
        assert_eq!(of(&functions, "a::route"), Some(6_080));
        assert_eq!(of(&functions, "a::rout"), None);
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
