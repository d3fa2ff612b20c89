//! No text makes the reader panic.

use std::path::Path;

use gatewright_model::config::{Environment, load, parse};
use proptest::prelude::*;

/// Lines that get far into the reader, in any order and number.
fn lines() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("[pools.web]".to_owned()),
        Just("[[listener]]".to_owned()),
        Just("[router.config]".to_owned()),
        "(listen|servers|health|balancer|retries|include|name|plugin) = [\\[\\]{}\"a-z0-9:=., $]{0,24}",
        "(listen|hash_key|include) = \"[a-z0-9:\\[\\].$\\{\\}]{0,16}\"",
        "(weight|count|rise|port) = -?[0-9]{1,22}",
        "servers = \\[\"[a-z0-9:.\\[\\]]{0,12}\", \"[a-z]:[0-9]{1,6}\"\\]",
        "[a-z_.]{1,8} = (nan|-inf|1e400|2026-01-01|0x[0-9a-f]{1,17})",
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

/// Lines that get far into the reader of YAML.
fn yaml() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("pools:".to_owned()),
        Just("  web: &a".to_owned()),
        Just("backends:".to_owned()),
        " {0,6}(servers|health|listener|b|-) ?:? ?[&*a-z0-9:{}\\[\\],. '\"|>!~-]{0,24}",
        " {0,6}- [&*a-z0-9:{}\\[\\],. ]{0,16}",
    ];
    proptest::collection::vec(line, 0..10).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_yaml_makes_it_panic(text in any::<String>(), lines in yaml()) {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("gatewright.yaml");
        for text in [text, lines] {
            std::fs::write(&file, text)?;
            if let Err(errors) = load(&file, &Environment::empty()) {
                prop_assert!(errors.iter().count() > 0);
                prop_assert!(!errors.to_string().is_empty());
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), lines in lines()) {
        for text in [text, lines] {
            if let Err(errors) = parse(&text, Path::new(""), &Environment::empty()) {
                prop_assert!(errors.iter().count() > 0);
                prop_assert!(!errors.to_string().is_empty());
            }
        }
    }
}

#[test]
fn deep_nesting_is_refused_rather_than_followed() {
    let text = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse(&text, Path::new(""), &Environment::empty()).is_err());
    let text = format!("{} = 1", vec!["a"; 100_000].join("."));
    assert!(parse(&text, Path::new(""), &Environment::empty()).is_err());
}
