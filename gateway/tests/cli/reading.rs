//! The documentation as its readers follow it: blocks of code, and a shell to
//! run them in.

use std::path::Path;
use std::process::Command;

/// A block of code: its language and its text.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

/// The blocks of a text, in their order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let fenced = text.split("```").skip(1).step_by(2);
    let block = |fenced: &str| {
        let (language, text) = fenced.split_once('\n').unwrap();
        let (language, text) = (language.to_owned(), text.to_owned());
        Block { language, text }
    };
    fenced.map(block).collect()
}

/// A shell that will run these lines in a folder, and knows the program.
pub(crate) fn shell(lines: &str, place: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_gatewright"))
        .parent()
        .unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", lines])
        .current_dir(place)
        .env("PATH", std::env::join_paths(paths).unwrap())
        .env("XDG_CACHE_HOME", place.join("cache"))
        // What is compiled for one walk stays for the next one.
        .env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR"));
    shell
}
