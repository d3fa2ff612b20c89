//! Variables: put into texts, and overriding keys.

use std::path::Path;
use std::time::Duration;

use gatewright_model::config::{Config, ConfigErrors, Environment, parse};

const FILE: &str = r#"
[[listener]]
listen = "127.0.0.1:8080"
[[listener]]
listen = "127.0.0.1:8081"
[pools.checked]
servers = ["a:1"]
[pools.unchecked]
health = false
servers = ["b:1"]
[router]
plugin = "path-router"
"#;

fn with(variables: [(&str, &str); 1]) -> Result<Config, ConfigErrors> {
    parse(FILE, Path::new(""), &Environment::of(variables))
}

#[test]
fn port_replaces_the_port_of_the_first_listener_alone() {
    let config = with([("PORT", "7070")]).unwrap();
    assert_eq!(config.listeners[0].listen.to_string(), "127.0.0.1:7070");
    assert_eq!(config.listeners[1].listen.to_string(), "127.0.0.1:8081");
}

#[test]
fn worker_count_replaces_the_number_of_workers() {
    assert_eq!(with([("WORKER_COUNT", "3")]).unwrap().workers, 3);
    assert!(with([("WORKER_COUNT", "auto")]).unwrap().workers >= 1);
}

#[test]
fn health_check_interval_is_milliseconds_or_has_a_unit_and_wakes_no_pool_that_does_not_check() {
    for (text, millis) in [("1500", 1500), ("3s", 3000)] {
        let config = with([("HEALTH_CHECK_INTERVAL", text)]).unwrap();
        let health = config.pools[0].health.as_ref().unwrap();
        assert_eq!(health.interval, Duration::from_millis(millis));
        assert_eq!(config.pools[1].health, None);
    }
}

#[test]
fn redis_url_leads_a_cluster_elsewhere_and_makes_none() {
    let variable = || Environment::of([("REDIS_URL", "redis://redis.example:6380/1")]);
    let alone = "[pools.web]\nservers = [\"a:1\"]";
    let parse = |text: &str| parse(text, Path::new(""), &variable()).unwrap();
    assert_eq!(parse(alone).cluster, None);
    let cluster = parse(&format!("[cluster]\n{alone}")).cluster.unwrap();
    assert_eq!(&*cluster.url, "redis://redis.example:6380/1");
    assert_eq!(&*cluster.prefix, "gatewright");
}

#[test]
fn an_empty_variable_overrides_nothing() {
    assert_eq!(with([("PORT", "")]), with([("OTHER", "1")]));
}

#[test]
fn a_bad_override_names_its_variable() {
    let bad = [
        ("PORT", "99999"),
        ("PORT", "http"),
        ("WORKER_COUNT", "0"),
        ("WORKER_COUNT", "two"),
        ("HEALTH_CHECK_INTERVAL", "1"),
        ("HEALTH_CHECK_INTERVAL", "often"),
    ];
    let told = bad.map(|variable| with([variable]).unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n"), @r#"
    environment variable PORT: "99999" is no port; write a number from 0 to 65535
    environment variable PORT: "http" is no port; write a number from 0 to 65535
    environment variable WORKER_COUNT: "0" is no number of workers; write auto or a number from 1 to 1024
    environment variable WORKER_COUNT: "two" is no number of workers; write auto or a number from 1 to 1024
    environment variable HEALTH_CHECK_INTERVAL: "1" is out of range; write milliseconds, or a duration from 10ms to 1h
    environment variable HEALTH_CHECK_INTERVAL: "often" is no duration; write a number and a unit, such as "250ms", "5s" or "1m"
    "#);
}

#[test]
fn variables_and_files_are_put_into_values() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("zone.txt"), "north\r\n").unwrap();
    let text = r#"
        [pools.web]
        servers = [{ host = "${NAME}", port = 1, labels = { zone = "z-${file:zone.txt}" } }]
        [router]
        plugin = "path-router"
        config = { text = "x-${NAME}${NAME}-$${NAME}$" }
    "#;
    let environment = Environment::of([("NAME", "app")]);
    let config = parse(text, folder.path(), &environment).unwrap();
    assert_eq!(&*config.router.config, r#"{"text":"x-appapp-${NAME}$"}"#);
    let server = &config.pools[0].servers[0];
    assert_eq!(&*server.host, "app");
    assert_eq!(server.labels["zone"], "z-north");
    assert_eq!(config.files, [folder.path().join("zone.txt")]);
}

#[test]
fn what_was_put_in_is_told_by_no_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), "S3cr3t\"TopValue\n").unwrap();
    let environment = Environment::of([("SECRET", "S3cr3t\"TopValue")]);
    for (key, value) in [
        (
            "[pools.web]\nservers = [\"a:1\"]\n[[policy]]\nplugin = \"p\"\nconfig",
            "${file:secret}",
        ),
        ("[pools.web]\nservers = [\"a:1\"]\nretries", "${SECRET}"),
        (
            "[pools.web]\nservers = [\"a:1\"]\nhash_key",
            "header:${SECRET} x",
        ),
        ("[pools.web]\nservers", "${SECRET}"),
        (
            "[pools.web]\nservers = [\"a:1\"]\nbalancer",
            "is-not-there-${SECRET}",
        ),
        ("workers", "${file:secret}"),
        ("include", "${SECRET}"),
        ("include = [\"${SECRET}\"]\nworkers", "x"),
    ] {
        let text = format!("{key} = \"{value}\"\n");
        let errors = parse(&text, folder.path(), &environment).unwrap_err();
        let told = errors.to_string();
        assert!(
            !told.contains("S3cr3t") && !told.contains("TopValue"),
            "{told}"
        );
    }
}

#[test]
fn what_was_put_in_and_does_not_fit_is_told_as_it_is_written() {
    let text = "[pools.web]\nservers = [\"a:1\"]\nhash_key = \"${KEY}\"\n";
    let environment = Environment::of([("KEY", "nonsense")]);
    let errors = parse(text, Path::new(""), &environment).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "gatewright.toml:3: pools.web.hash_key: what \"${KEY}\" stands for does not fit here; \
         correct it where it comes from"
    );
}

#[test]
fn what_was_put_in_is_not_looked_at_again() {
    let text = "[pools.web]\nservers = [\"a:1\"]\n[router]\nplugin = \"path-router\"\n\
                config = { text = \"${A}\" }";
    let environment = Environment::of([("A", "${B}")]);
    let config = parse(text, Path::new(""), &environment).unwrap();
    assert_eq!(&*config.router.config, r#"{"text":"${B}"}"#);
}

/// Loads a configuration that has a file `.env` beside it.
fn beside(variables: &str, environment: &Environment) -> Result<Config, String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join(".env"), variables).expect("a written file");
    let text = "[[listener]]\nlisten = \":1\"\n[pools.web]\nservers = [\"${SERVER}\"]\n";
    let file = folder.path().join("gatewright.toml");
    std::fs::write(&file, text).expect("a written file");
    let folder = format!("{}/", folder.path().display());
    let config = gatewright_model::config::load(&file, environment);
    config.map_err(|errors| errors.to_string().replace(&folder, ""))
}

#[test]
fn a_port_is_that_of_the_first_listener_that_has_one() {
    let listeners = "[[listener]]\nlisten = \"unix:/run/a\"\n[[listener]]\nlisten = \":80\"\n";
    let text = format!("{listeners}[pools.web]\nservers = [\"unix:/run/b\"]\n");
    let variables = Environment::of([("PORT", "7000")]);
    let config = gatewright_model::config::parse(&text, std::path::Path::new(""), &variables);
    let listeners = config.unwrap().listeners;
    let addresses = listeners.iter().map(|listener| listener.listen.to_string());
    assert_eq!(addresses.collect::<Vec<_>>(), ["unix:/run/a", "[::]:7000"]);
}

#[test]
fn a_dotenv_file_says_what_the_environment_does_not() {
    let variables = "# ours\nSERVER=\"a:1\"\nexport PORT=7000\nWORKER_COUNT=3\n";
    let config = beside(variables, &Environment::of([("WORKER_COUNT", "2")])).unwrap();
    assert_eq!(config.pools[0].servers[0].id.as_str(), "a:1");
    assert_eq!(config.listeners[0].listen.ip().unwrap().port(), 7000);
    assert_eq!(config.workers, 2);
}

#[test]
fn a_dotenv_file_that_cannot_be_read_is_told_without_its_content() {
    let error = beside("SERVER=a:1\nSECRET hunter2\n", &Environment::empty()).unwrap_err();
    assert!(
        error.starts_with(".env:2: ") && !error.contains("hunter2"),
        "{error}"
    );
    let error = beside("PORT=x\nSERVER=a:1", &Environment::empty()).unwrap_err();
    assert!(error.contains("environment variable PORT"), "{error}");
}
