//! What a right configuration means.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use gatewright_model::config::written::{self, Binding, Certificate, TextOr};
use gatewright_model::config::{
    Certificates, Config, ConfigErrors, Environment, HashKey, Offered, ProxyOptions, TlsVersion,
    load_with_places, mean, parse, starter,
};
use gatewright_model::id::PluginName;
use gatewright_model::role::{Grant, Role};

fn read(text: &str) -> Result<Config, ConfigErrors> {
    parse(text, Path::new(""), &Environment::empty())
}

#[test]
fn a_pool_with_a_server_is_a_whole_configuration() {
    let config = read("[pools.web]\nservers = [\"127.0.0.1:3001\"]").unwrap();
    assert_eq!(config.listeners[0].listen.to_string(), "[::]:8080");
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(config.router.plugin.as_str(), "path-router");
    assert_eq!(
        &*config.router.config,
        r#"{"routes":[{"path":"/*","pool":"web"}]}"#
    );
    assert_eq!(config.default_pool.map(|pool| pool.0), Some(0));
    let pool = &config.pools[0];
    assert_eq!(pool.balancer.plugin.as_str(), "least-connections");
    assert_eq!(pool.balancer.deadline, Duration::from_millis(2));
    assert_eq!(&*pool.balancer.config, "{}");
    assert_eq!(pool.affinity, None);
    assert_eq!(
        pool.health.as_ref().map(|health| &*health.path),
        Some("/health")
    );
    assert_eq!(pool.servers[0].id.as_str(), "127.0.0.1:3001");
    let bound: Vec<_> = config.plugins.keys().map(PluginName::as_str).collect();
    assert_eq!(bound, ["least-connections", "path-router"]);
    assert!(
        config
            .plugins
            .values()
            .all(|plugin| plugin.grants == Grant::ALL)
    );
}

#[test]
fn a_server_has_its_own_limit_or_its_pools_and_a_queue_for_nobody_is_none() {
    let text = "[pools.web]\nservers = [\"a:1\", { host = \"b\", port = 1, max_active = 3 }]\n";
    let read = |keys: &str| read(&format!("{text}{keys}")).unwrap().pools[0].clone();
    let limits = |keys: &str| {
        let servers = read(keys).servers.clone();
        let limits = servers.iter().map(|server| server.max_active);
        limits
            .map(|limit| limit.map(NonZeroU32::get))
            .collect::<Vec<_>>()
    };
    assert_eq!(limits(""), [None, Some(3)]);
    assert_eq!(limits("max_active_per_server = 9"), [Some(9), Some(3)]);
    let usual = read("").overload.queue.unwrap();
    assert_eq!((usual.size, usual.timeout), (1000, Duration::from_secs(1)));
    for none in ["queue = false", "queue = { size = 0 }"] {
        assert_eq!(read(none).overload.queue, None, "{none}");
    }
}

#[test]
fn everything_goes_to_the_default_pool_when_nothing_routes() {
    let text = "default_pool = \"web\"\n[pools.api]\nservers = [\"a:1\"]\n[pools.web]\nservers = [\"b:1\"]";
    let config = read(text).unwrap();
    assert_eq!(config.default_pool.map(|pool| pool.0), Some(1));
    assert!(config.router.config.contains(r#""pool":"web""#));
}

#[test]
fn request_policies_come_before_response_policies() {
    let policy = |role, n| {
        format!(
            "[[policy]]\nplugin = \"headers\"\nname = \"p{n}\"\nrole = \"{role}\"\n\
             config = {{ n = {n} }}\n"
        )
    };
    let text = [
        policy("response-policy", 1),
        policy("request-policy", 2),
        policy("response-policy", 3),
        policy("request-policy", 4),
        "[pools.web]\nservers = [\"a:1\"]".to_owned(),
    ];
    let config = read(&text.concat()).unwrap();
    let order: Vec<_> = config
        .policies
        .iter()
        .map(|p| (p.binding.role, &*p.binding.config))
        .collect();
    assert_eq!(
        order,
        [
            (Role::RequestPolicy, r#"{"n":2}"#),
            (Role::RequestPolicy, r#"{"n":4}"#),
            (Role::ResponsePolicy, r#"{"n":1}"#),
            (Role::ResponsePolicy, r#"{"n":3}"#),
        ]
    );
}

#[test]
fn the_short_and_the_long_form_mean_the_same() {
    let long = r#"
        [pools.web]
        balancer = { plugin = "weighted", config = {}, deadline = "2ms" }
        health = true
        servers = [{ host = "0:0::1", port = 80, weight = 1, labels = {} }]
    "#;
    let short = "[pools.web]\nbalancer = \"weighted\"\nservers = [\"[::1]:80\"]";
    assert_eq!(read(long), read(short));
    assert_eq!(
        read(short).unwrap().pools[0].servers[0].id.as_str(),
        "[::1]:80"
    );
}

#[test]
fn hash_keys_are_read() {
    let key = |text: &str| {
        let text = format!("[pools.web]\nservers = [\"a:1\"]\nhash_key = \"{text}\"");
        read(&text).unwrap().pools[0].hash_key.clone()
    };
    assert_eq!(key("client-address"), HashKey::ClientAddress);
    assert_eq!(key("header:X-User"), HashKey::Header("x-user".into()));
    assert_eq!(key("cookie:Cart"), HashKey::Cookie("Cart".into()));
    assert_eq!(key("path"), HashKey::Path);
}

#[test]
fn zero_is_no_limit_for_a_request() {
    let text = "[pools.web]\nservers = [\"a:1\"]\nrequest_timeout = \"0s\"";
    assert!(read(text).unwrap().pools[0].request_timeout.is_zero());
}

#[test]
fn a_declared_plugin_has_what_it_is_granted_and_a_replaced_default_keeps_all() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("p.wasm"), "component").unwrap();
    let text = r#"
        [plugins.mine]
        file = "p.wasm"
        grants = ["store", "clock", "store"]
        memory = "1MiB"
        [plugins.weighted]
        file = "p.wasm"
        [pools.web]
        balancer = "mine"
        servers = ["a:1"]
    "#;
    let config = parse(text, folder.path(), &Environment::empty()).unwrap();
    let plugin = |name: &str| &config.plugins[&name.into()];
    assert_eq!(plugin("mine").grants, [Grant::Store, Grant::Clock]);
    assert_eq!(plugin("mine").memory, 1 << 20);
    assert_eq!(plugin("weighted").grants, Grant::ALL);
}

#[test]
fn the_starter_is_a_right_configuration() {
    let config = read(starter()).unwrap();
    assert_eq!(config.pools[0].servers.len(), 3);
}

#[test]
fn a_command_line_makes_a_configuration_like_a_file() {
    let options = ProxyOptions {
        listen: vec![":8080".into()],
        listen_tls: vec![":8443".into()],
        to: vec!["127.0.0.1:3001".into(), "127.0.0.1:3002".into()],
        balancer: Some("round-robin".into()),
        affinity: Some("sticky-cookie".into()),
        workers: Some(2),
        ..ProxyOptions::default()
    };
    let config = mean(&written::Config::for_proxy(&options)).unwrap();
    let tls = config.listeners[1].tls.as_ref().unwrap();
    assert_eq!(tls.certificates, Certificates::SelfSigned);
    assert_eq!(tls.min_version, TlsVersion::V1_2);
    assert_eq!(tls.protocols, [Offered::Http2, Offered::Http1]);
    assert_eq!((config.workers, config.pools[0].servers.len()), (2, 2));
    assert_eq!(config.pools[0].balancer.plugin.as_str(), "round-robin");
}

#[test]
fn a_command_lines_mistakes_are_told_without_a_file() {
    let options = ProxyOptions {
        listen_tls: vec!["8443".into()],
        certificates: vec![Certificate {
            cert: "no.pem".into(),
            key: "no.key".into(),
        }],
        to: vec!["3001".into()],
        balancer: Some("robin".into()),
        ..ProxyOptions::default()
    };
    let errors = mean(&written::Config::for_proxy(&options)).unwrap_err();
    insta::assert_snapshot!(errors, @r#"
    pools.web.balancer: no plugin is named "robin"; write one of: adaptive, consistent-hash, first, ip-hash, least-connections, peak-ewma, power-of-two, prequal, round-robin, weighted, weighted-random, zone
    pools.web.servers[0]: "3001" is no server; write "host:port", such as "10.0.0.1:3000" or "[::1]:3000"
    listener[0].listen: "8443" is no address to listen on; write an IP address and a port, such as "127.0.0.1:8080" or "[::]:8080", or ":8080" for every address
    listener[0].tls.certificates[0].cert: no.pem cannot be read: No such file or directory (os error 2); correct the path or its permissions
    listener[0].tls.certificates[0].key: no.key cannot be read: No such file or directory (os error 2); correct the path or its permissions
    "#);
}

#[test]
fn code_may_write_any_configuration() {
    let mut config = written::Config::for_proxy(&ProxyOptions {
        to: vec!["a:1".into()],
        ..ProxyOptions::default()
    });
    let routes = serde_json::json!({ "routes": [] });
    config.router = Some(TextOr::Table(Binding::new("path-router", routes)));
    assert_eq!(&*mean(&config).unwrap().router.config, r#"{"routes":[]}"#);
}

#[test]
fn a_plugins_complaint_finds_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatewright.toml");
    let text = "[pools.web]\nservers = [\"a:1\"]\n[router]\nplugin = \"path-router\"\n\
                [router.config]\nroutes = [\n  { path = \"/*\", pool = \"web\" },\n  { path = \"x\" },\n]\n";
    std::fs::write(&file, text).unwrap();
    let (_, places) = load_with_places(&file, &Environment::empty()).unwrap();
    for (inner, line) in [
        ("routes[1].path", 8),
        ("routes[1].pool", 8),
        ("other", 5),
        ("", 5),
    ] {
        let error = places.error("router.config", inner, "no");
        assert_eq!(
            error.place.and_then(|place| place.line),
            Some(line),
            "{inner}"
        );
    }
}
