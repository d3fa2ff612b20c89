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
    let listeners = config.listeners.iter();
    let ports: Vec<u16> = listeners.map(|l| l.listen.ip().unwrap().port()).collect();
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
    conf.d/api.toml:7: pools.api.retries.budgt: this key is not known; did you mean "budget"? (there are: attempts, budget, per_try_timeout, statuses)
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

/// Loads the only file of a folder.
fn alone(name: &str, text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    fs::write(&file, text).expect("a written file");
    let folder = format!("{}/", folder.path().display());
    load(&file, &Environment::empty()).map_err(|errors| errors.to_string().replace(&folder, ""))
}

/// What a configuration means, without what is of its file.
fn meant(name: &str, text: &str) -> Config {
    let mut config = alone(name, text).expect("a right one");
    config.files.clear();
    config.admin.data = "data".into();
    config
}

#[test]
fn yaml_and_json_mean_what_toml_does() {
    let toml = meant(
        "a.toml",
        "[[listener]]\nlisten = \":1\"\n[pools.web]\nretries = { attempts = 2, budget = 0.5 }\n\
         health = true\nservers = [\"a:1\", { host = \"b\", port = 2, weight = 3 }]\n",
    );
    let yaml = meant(
        "a.yaml",
        "# comment\nlistener:\n- listen: ':1'\nadmin: ~\npools:\n  web:\n    \
         retries: {attempts: 0x2, budget: 0.5}\n    health: true\n    servers:\n    - a:1\n    \
         - &b {host: b, port: 2, weight: 3}\n",
    );
    let json = meant(
        "a.json",
        r#"{"listener": [{"listen": ":1"}], "pools": {"web": {
            "retries": {"attempts": 2, "budget": 0.5}, "health": true, "admin": null,
            "servers": ["a:1", {"host": "b", "port": 2, "weight": 3}]}}}"#
            .replace(r#", "admin": null"#, "")
            .as_str(),
    );
    assert_eq!(toml, yaml);
    assert_eq!(toml, json);
}

#[test]
fn an_alias_stands_for_what_its_anchor_marks() {
    let text = "pools:\n  a: &same\n    servers: [a:1]\n  b: *same\ndefault_pool: a\n";
    let config = meant("a.yml", text);
    assert_eq!(config.pools[0].servers, config.pools[1].servers);
}

#[test]
fn mistakes_in_a_document_have_their_lines() {
    for (name, text, told) in [
        (
            "a.yaml",
            "pools:\n  web:\n    servers: [a:1\n",
            "a.yaml:3: no YAML: ",
        ),
        ("a.toml", "\nlog = \"a\n", "a.toml:2: no TOML: "),
        ("a.toml", "\nlog\n", "a.toml:2: no TOML: "),
        ("a.json", "{\n  \"pools\": [}", "a.json:2: no JSON: "),
        ("a.yaml", "pools: 3\n", "a.yaml:1: pools: "),
        (
            "a.yaml",
            "pools:\n  web:\n    servers: [a:1]\n    helth: true\n",
            "a.yaml:4: pools.web.helth: ",
        ),
        (
            "a.yaml",
            "pools:\n  web:\n    servers: [a:1]\n    servers: [a:2]\n",
            "a.yaml:4: pools.web: the key servers is there twice; keep one of the two",
        ),
        (
            "a.yaml",
            "a: 1\n---\nb: 2\n",
            "a.yaml:2: a second document begins here",
        ),
        (
            "a.yaml",
            "pools: {web: {servers: [a:1, ~]}}",
            "a.yaml:1: pools.web.servers[1]: ",
        ),
        ("a.yaml", "? [a]\n: b\n", "a.yaml:1: a key must be a text"),
        (
            "a.yaml",
            "pools: &p {web: *p}\n",
            "a.yaml:1: pools.web: the alias stands for",
        ),
        (
            "a.yaml",
            "pools: .nan\n",
            "a.yaml:1: pools: NaN is no finite number",
        ),
        (
            "a.yaml",
            "pools: !!int x\n",
            "a.yaml:1: pools: the value is not what its tag says",
        ),
    ] {
        let error = alone(name, text).unwrap_err();
        assert!(error.starts_with(told), "{text}: {error}");
    }
}

#[test]
fn yaml_that_grows_or_nests_beyond_reason_is_refused() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (inner, outer) in ('a'..'i').zip('b'..) {
        let aliases = vec![format!("*{inner}"); 10].join(", ");
        bomb += &format!("{outer}: &{outer} [{aliases}]\n");
    }
    let error = alone("a.yaml", &bomb).unwrap_err();
    assert!(error.contains("more than 1000000 values"), "{error}");
    let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    let error = alone("a.yaml", &deep).unwrap_err();
    assert!(
        error.contains("within each other") || error.contains("no YAML"),
        "{error}"
    );
}

#[test]
fn a_list_of_servers_alone_is_a_configuration() {
    let list = r#"{"backends": [{"host": "a", "port": 1}, {"host": "b", "port": 2}]}"#;
    let config = meant("servers.json", list);
    assert_eq!(config.pools[0].name.as_str(), "default");
    let ids: Vec<_> = config.pools[0]
        .servers
        .iter()
        .map(|s| s.id.as_str())
        .collect();
    assert_eq!(ids, ["a:1", "b:2"]);
    let more = r#"{"backends": [{"host": "c", "port": "x"}]}"#;
    let error = alone("servers.json", more).unwrap_err();
    assert!(
        error.starts_with("servers.json:1: pools.default.servers[0]"),
        "{error}"
    );
}

#[test]
fn a_list_of_servers_may_be_included() {
    let folder = tempfile::tempdir().unwrap();
    let text = "include = [\"servers.json\"]\n[pools.default]\nbalancer = \"weighted\"\n";
    let list = r#"{"backends": [{"host": "a", "port": 1}]}"#;
    let config = loaded(
        folder.path(),
        &[("gatewright.toml", text), ("servers.json", list)],
    );
    let config = config.unwrap();
    assert_eq!(config.pools[0].balancer.plugin.as_str(), "weighted");
    assert_eq!(config.pools[0].servers.len(), 1);
}
