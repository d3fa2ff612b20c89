//! Several files that are one configuration.

use std::fs;
use std::path::Path;

use gatewright_model::config::{Config, ConfigErrors, Environment, load};

/// Loads `gatewright.toml` of a folder with these files; the folder's own name
/// is taken out of the errors.
fn loaded(folder: &Path, files: &[(&str, &str)]) -> Result<Config, String> {
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a new folder");
        fs::write(file, text).expect("a written file");
    }
    let told = |errors: ConfigErrors| {
        let folder = format!("{}/", folder.display());
        errors.to_string().replace(&folder, "")
    };
    load(&folder.join("gatewright.toml"), &Environment::empty()).map_err(told)
}

const WEB: &str = "[pools.web]\nservers = [\"a:1\"]\n";

#[test]
fn tables_are_merged_and_arrays_of_tables_appended_in_the_order_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let config = loaded(
        folder.path(),
        &[
            (
                "gatewright.toml",
                "include = [\"conf.d/*.toml\"]\ndefault_pool = \"web\"\n[[listener]]\nlisten = \":1\"\n",
            ),
            (
                "conf.d/20.toml",
                "[[listener]]\nlisten = \":3\"\n[pools.web]\nhash_key = \"path\"\n",
            ),
            (
                "conf.d/10.toml",
                "[[listener]]\nlisten = \":2\"\n[pools.web]\nservers = [\"a:1\"]\n",
            ),
            ("conf.d/ignored.txt", "nonsense"),
        ],
    );
    let config = config.unwrap();
    let ports: Vec<u16> = config.listeners.iter().map(|l| l.listen.port()).collect();
    assert_eq!(ports, [1, 2, 3]);
    assert_eq!(config.pools.len(), 1);
    let files: Vec<_> = config
        .files
        .iter()
        .map(|f| f.strip_prefix(folder.path()).unwrap())
        .collect();
    let expected = ["gatewright.toml", "conf.d/10.toml", "conf.d/20.toml"];
    assert_eq!(files, expected.map(Path::new));
}

#[test]
fn a_pattern_that_matches_nothing_is_no_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("include = [\"conf.d/*.toml\"]\n{WEB}");
    loaded(folder.path(), &[("gatewright.toml", &text)]).unwrap();
}

#[test]
fn the_same_key_in_two_files_is_told_with_both() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("include = [\"more.toml\"]\n{WEB}");
    let told = loaded(
        folder.path(),
        &[
            ("gatewright.toml", &text),
            ("more.toml", "\n[pools.web]\nservers = [\"b:1\"]\n"),
        ],
    );
    insta::assert_snapshot!(told.unwrap_err(), @"more.toml:3: pools.web.servers: gatewright.toml:3 says it already; keep one of the two");
}

#[test]
fn a_mistake_in_an_included_file_is_told_with_that_file() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("include = [\"conf.d/*.toml\"]\n{WEB}");
    let more = "[pools.api]\nservers = [\"b:1\"]\n\n[pools.api.health]\nrise = 0\n[pools.api.retries]\nbudgt = 1\n";
    let mut told = Vec::new();
    for more in [more, &more.replace("budgt", "budget"), "[pools.api"] {
        let files = [
            ("gatewright.toml", text.as_str()),
            ("conf.d/api.toml", more),
        ];
        told.push(loaded(folder.path(), &files).unwrap_err());
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    conf.d/api.toml:7: pools.api.retries.budgt: this key is not known; did you mean "budget"? (there are: attempts, budget, per_try_timeout)
    conf.d/api.toml:5: pools.api.health.rise: 0 is out of range; write 1 to 100
    gatewright.toml:2: pools: there are several pools and nothing that chooses between them; write [router] with its routes, or default_pool
    conf.d/api.toml:1: no TOML: unclosed table, expected `]`
    "#);
}

#[test]
fn a_file_that_includes_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("include = [\"*.toml\"]\n{WEB}");
    let told = loaded(folder.path(), &[("gatewright.toml", &text)]);
    insta::assert_snapshot!(told.unwrap_err(), @"gatewright.toml:1: include: gatewright.toml is included twice; include it once");
}

#[test]
fn paths_are_relative_to_the_file_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = loaded(
        folder.path(),
        &[
            (
                "gatewright.toml",
                &format!("include = [\"conf.d/*.toml\"]\n{WEB}"),
            ),
            (
                "conf.d/plugin.toml",
                "[plugins.mine]\nfile = \"mine.wasm\"\n[admin]\ndata = \"../state\"\n",
            ),
            ("conf.d/mine.wasm", "component"),
        ],
    );
    let config = config.unwrap();
    let mine = config
        .plugins
        .values()
        .find_map(|plugin| plugin.file.as_ref());
    assert_eq!(mine, Some(&folder.path().join("conf.d/mine.wasm")));
    assert_eq!(config.admin.data, folder.path().join("conf.d/../state"));
}
