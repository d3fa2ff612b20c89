//! The book of the contract, followed page by page: every example is built, is
//! tried as the page says and answers what the page shows, and every
//! configuration is taken.

use std::fs;
use std::path::{Path, PathBuf};

use crate::reading::{Block, blocks, shell};
use crate::support::{folder, prints};

/// The project that the pages' examples go into.
const PROJECT: &str = "mine";

/// A page's name and its blocks.
struct Page {
    name: String,
    blocks: Vec<Block>,
}

/// The pages that have something to follow, but for the generated one.
fn pages() -> Vec<Page> {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/contract");
    let files = fs::read_dir(book)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let page = |file: PathBuf| Page {
        name: file.file_name().unwrap().to_string_lossy().into_owned(),
        blocks: blocks(&fs::read_to_string(file).unwrap()),
    };
    let mut pages: Vec<_> = files.map(page).collect();
    pages.retain(|page| page.name != "reference.md" && !page.blocks.is_empty());
    pages.sort_by(|one, other| one.name.cmp(&other.name));
    pages
}

/// A text in which numbers do not matter: times, addresses in a module, hashes.
fn without_numbers(text: &str) -> String {
    let is_number = |word: &str| {
        let digits = word.trim_start_matches("0x");
        digits.contains(|digit: char| digit.is_ascii_digit())
            && digits.chars().all(|digit| digit.is_ascii_hexdigit())
    };
    let mut plain = String::new();
    let mut word = String::new();
    for letter in text.chars().chain(['\n']) {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        plain.push_str(if is_number(&word) { "#" } else { &word });
        plain.push(letter);
        word.clear();
    }
    plain.trim_end().to_owned()
}

/// Whether something was said as it is shown, where a … stands for anything.
fn agrees(said: &str, shown: &str) -> bool {
    let (said, shown) = (without_numbers(said), without_numbers(shown));
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = said.strip_prefix(first) else {
        return false;
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty() || shown.ends_with('…')
}

/// What lines print, and whether they succeed.
fn run(lines: &str, place: &Path) -> (String, bool) {
    let output = shell(&format!("exec 2>&1\n{lines}"), place)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (said, output.status.success())
}

/// Do what a page says, in the order in which it says it.
fn follow(page: &Page, project: &Path) {
    let name = &page.name;
    let mut blocks = page.blocks.iter().peekable();
    while let Some(Block { language, text }) = blocks.next() {
        match &**language {
            "rust" => {
                fs::write(project.join("src/lib.rs"), text).unwrap();
                let (said, built) = run("gatewright plugin build", project);
                assert!(built && !said.contains("warning"), "{name}: {said}");
            }
            "toml" => {
                fs::write(project.join("gatewright.toml"), text).unwrap();
                let (said, taken) = run("gatewright check", project);
                assert!(taken, "{name}: {said}");
            }
            "sh" => {
                let (said, succeeded) = run(text, project);
                let shown = blocks.next_if(|block| block.language == "text");
                let fails = shown.is_some_and(|shown| shown.text.starts_with("error: "));
                assert_eq!(succeeded, !fails, "{name}: {said}");
                let agrees = shown.is_none_or(|shown| agrees(&said, &shown.text));
                assert!(agrees, "{name}: {said}");
            }
            // For a gateway that runs; the end-to-end tests have such commands.
            "console" => {}
            other => panic!("{name}: a block in {other:?}, which nobody can follow"),
        }
    }
}

#[test]
fn every_page_of_the_book_does_what_it_says() {
    let folder = folder();
    prints(&folder, &["plugin", "new", PROJECT]);
    let pages = pages();
    let roles = [
        "request-policy",
        "router",
        "affinity",
        "balancer",
        "scanning-balancer",
        "response-policy",
    ];
    for role in roles {
        let has_page = pages.iter().any(|page| page.name == format!("{role}.md"));
        assert!(has_page, "{role}");
    }
    for page in &pages {
        follow(page, &folder.path().join(PROJECT));
    }
}

#[test]
fn a_page_is_held_to_its_words_and_not_to_its_numbers() {
    assert!(agrees("b:2 (30556 ns)", "b:2 (711 ns)\n"));
    assert!(agrees(
        "at 0: 0x3a34 - pick [b7974e86]",
        "at 0: 0x1 - …pick…"
    ));
    assert!(!agrees("a:1 (30556 ns)", "b:1 (30556 ns)"));
    assert!(!agrees("no opinion (1 ns)", "no idea (1 ns)"));
    assert!(!agrees("no opinion (1 ns)\nmore", "no opinion (1 ns)"));
}
