//! A configuration file of strangers, in TOML and in YAML: it means something,
//! or every mistake is told with a reason, at a line that the file has.
#![no_main]

use std::cell::LazyCell;
use std::fs;
use std::path::Path;

use gatewright_model::config::{ConfigErrors, Environment, load, parse};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

thread_local! {
    /// Where the file stands: nothing that it names is beside it.
    static FOLDER: LazyCell<TempDir> =
        LazyCell::new(|| tempfile::tempdir().expect("a folder to write in"));
}

fuzz_target!(|text: &str| {
    // Patterns of files to include may walk the whole disk.
    if text.contains("include") {
        return;
    }
    FOLDER.with(|folder| {
        let toml = parse(text, folder.path(), &Environment::empty());
        look_at(toml.err(), text);

        let file = folder.path().join("gatewright.yaml");
        fs::write(&file, text).expect("a file to read");
        let yaml = load(&file, &Environment::empty());
        look_at(yaml.err(), text);
    });
});

/// What is said of a text that means nothing.
fn look_at(errors: Option<ConfigErrors>, text: &str) {
    let Some(errors) = errors else {
        return;
    };
    assert!(errors.iter().count() > 0);
    let lines = text.lines().count().max(1);
    for error in errors.iter() {
        assert!(!error.message.is_empty());
        let place = error.place.as_ref();
        assert!(place.is_none_or(|place| place.file.as_ref() != Path::new("")));
        let line = place.and_then(|place| place.line);
        assert!(line.is_none_or(|line| (1..=lines).contains(&line)));
    }
}
