//! The programs that plugins are built with: whether they are there, and how to
//! get them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// What Rust compiles plugins for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// A program, and where it comes from.
const TOOLS: [(&str, &str); 10] = [
    ("cargo", "cargo: Rust, from https://rustup.rs"),
    ("rustc", "rustc: Rust, from https://rustup.rs"),
    (
        "npm",
        "npm: Node.js, from https://nodejs.org or your system's packages",
    ),
    ("make", "make: from your system's packages"),
    ("python-zig", PYTHON),
    ("componentize-py", PYTHON),
    (
        "go",
        "go: 1.24 or newer, from https://go.dev, or with the packages in requirements.txt: \
         python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
    ),
    (
        "wasm-tools",
        "wasm-tools: cargo install wasm-tools@1.263.0 --locked",
    ),
    (
        "wit-bindgen",
        "wit-bindgen: cargo install wit-bindgen-cli@0.63.0 --locked",
    ),
    (
        "python3",
        "python3: from https://python.org or your system's packages",
    ),
];

const PYTHON: &str = "the packages in requirements.txt: python3 -m venv .venv && \
                      .venv/bin/pip install -r requirements.txt";

/// What there is on a search path.
pub(super) struct Tools {
    path: OsString,
}

impl Tools {
    /// What there is on this one.
    pub(super) fn on(path: &OsStr) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    fn has(&self, program: &str) -> bool {
        env::split_paths(&self.path).any(|folder| folder.join(program).is_file())
    }

    /// How to get those of some programs that are not there.
    pub(super) fn missing(&self, programs: &[&str]) -> Vec<String> {
        let known = TOOLS
            .iter()
            .filter(|(program, _)| programs.contains(program));
        let missing = known.filter(|(program, _)| !self.has(program));
        let mut missing: Vec<_> = missing.map(|(_, how)| (*how).to_owned()).collect();
        missing.dedup();
        // What brings the others has to be there first.
        let asks_for_python = missing.iter().any(|how| how.contains("python3 -m"));
        let python = TOOLS.iter().find(|(program, _)| *program == "python3");
        if let Some((program, how)) = python
            && asks_for_python
            && !programs.contains(program)
            && !self.has(program)
        {
            missing.insert(0, (*how).to_owned());
        }
        missing
    }

    /// The same for the tool that runs a build, and what its file mentions.
    pub(super) fn missing_in(&self, builder: &str, text: &str) -> Vec<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let mut mentioned: Vec<_> = text.split(|c| !is_part(c)).collect();
        mentioned.push(builder);
        self.missing(&mentioned)
    }

    /// Whether Rust can compile plugins in a folder.
    pub(super) fn has_wasm_target(&self, folder: &Path) -> bool {
        let mut rustc = Command::new("rustc");
        rustc
            .args(["--print", "target-libdir", "--target", TARGET])
            .current_dir(folder)
            .env("PATH", &self.path);
        let Ok(output) = rustc.output() else {
            return false;
        };
        Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_what_the_examples_are_known_to_build_with() {
        let readme = include_str!("../../../../../examples/plugins/c/README.md");
        for program in ["wasm-tools", "wit-bindgen"] {
            let (_, how) = TOOLS.iter().find(|(known, _)| *known == program).unwrap();
            let (_, command) = how.split_once(": ").unwrap();
            assert!(readme.contains(&format!("\n{command}\n")), "{command}");
        }
    }
}
