//! Commands that run a gateway, its servers or its clients.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{
    Running, configuration, fails, folder, gatewright, prints, says, value_after, write,
};

#[test]
fn a_taken_port_is_named() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port().to_string();
    let proxy = [
        "proxy",
        "--to=127.0.0.1:9",
        "--admin=127.0.0.1:0",
        "--listen",
        &address,
    ];
    says(&fails(&folder, &proxy, 2), &[&port, "taken"]);
    for flag in ["--http", "--https", "--admin-port", "--backends"] {
        let mut demo = vec!["demo", "--json"];
        for other in ["--http", "--https", "--admin-port", "--backends"] {
            demo.extend([other, if other == flag { &port } else { "0" }]);
        }
        says(&fails(&folder, &demo, 2), &[&port, "taken", flag]);
    }
}

#[test]
fn a_gateway_reloads_on_hangup_and_ends_well_on_terminate() {
    let folder = folder();
    write(&folder, "gatewright.toml", configuration(""));
    let mut gateway = Running::start(gatewright(&folder, &["run"]));
    let listening = gateway.line_with("listening");
    assert!(
        !value_after(&listening, "address=").ends_with(":0"),
        "{listening}"
    );
    gateway.line_with("least-connections");
    gateway.line_with("ready");
    gateway.signal("-HUP");
    gateway.line_with("nothing to change");
    gateway.signal("-TERM");
    assert_eq!(gateway.code(), Some(0));
}

#[test]
fn shoppers_reach_the_servers_through_a_proxy_that_flags_describe() {
    let folder = folder();
    let server = |name| {
        Running::start(gatewright(
            &folder,
            &["backend", "--port=0", "--name", name],
        ))
    };
    let servers = ["one", "two"].map(server);
    let addresses = servers.each_ref().map(|server| {
        let line = server.line_with("listens on");
        value_after(&line, "http://").to_owned()
    });
    let mut arguments = vec![
        "proxy",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
        "--tls",
    ];
    arguments.extend(
        addresses
            .iter()
            .flat_map(|address| ["--to", address.as_str()]),
    );
    let proxy = Running::start(gatewright(&folder, &arguments));
    let listening = proxy.line_with("listening");
    proxy.line_with("ready");
    let target = format!("https://{}", value_after(&listening, "address="));
    let traffic = [
        "traffic",
        "-k",
        "--duration=1s",
        "--json",
        "--target",
        &target,
    ];
    let summary: Value = serde_json::from_str(&prints(&folder, &traffic)).unwrap();
    assert_eq!(summary["failed"], 0, "{summary}");
    for name in ["one", "two"] {
        assert!(summary["backends"][name].as_u64() > Some(0), "{summary}");
    }
}

#[test]
fn traffic_that_reaches_nobody_has_failed() {
    let folder = folder();
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let target = format!("http://{nobody}");
    says(
        &fails(&folder, &["traffic", "--target", &target], 1),
        &[&target],
    );
}

#[test]
fn the_demo_ends_with_its_totals_as_json() {
    let folder = folder();
    let demo = [
        "demo",
        "--json",
        "--duration=1s",
        "--workers=1",
        "--http=0",
        "--https=0",
        "--admin-port=0",
        "--backends=0,0,0",
        "--data",
        "kept",
    ];
    let printed = prints(&folder, &demo);
    let report: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    assert!(report["requests"].as_u64() > Some(0), "{report}");
    assert_eq!(report["failed"], 0, "{report}");
    let servers = report["servers"].as_array().unwrap();
    assert_eq!(servers.len(), 3);
    assert!(
        servers
            .iter()
            .all(|server| server["requests"].as_u64() > Some(0)),
        "{report}"
    );
    let plugins = report["plugins"].as_array().unwrap();
    for name in ["path-router", "sticky-cookie", "least-connections"] {
        let plugin = plugins.iter().find(|plugin| plugin["name"] == name);
        let plugin = plugin.unwrap_or_else(|| panic!("{name} is not in {report}"));
        assert!(plugin["decisions"].as_u64() > Some(0), "{report}");
    }
    assert!(folder.path().join("kept/demo.toml").is_file());
}
