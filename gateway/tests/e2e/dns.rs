//! Servers that a pool has by name, from a name server that speaks DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::{Value, json};

use crate::support::{Builder, Events, Gateway, Load, NameServer, Pool, Upstream, eventually};

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Servers on the same port of different addresses, as those of one name are;
/// each answers with its address.
async fn servers<const N: usize>(addresses: [IpAddr; N]) -> ([Upstream; N], u16) {
    'port: loop {
        let mut servers = Vec::with_capacity(N);
        let mut port = 0;
        for address in addresses {
            let Some(server) = Upstream::that_is(SocketAddr::new(address, port)).await else {
                // Somebody else has it.
                continue 'port;
            };
            port = server.address().port();
            servers.push(server);
        }
        let servers = servers.try_into().unwrap_or_else(|_| unreachable!());
        return (servers, port);
    }
}

/// A pool's servers by DNS, beside whatever else is written of the pool.
fn pool(dns: &NameServer, keys: &str, more: &str) -> String {
    let asked = dns.address();
    format!("[pools.web]\n{more}\ndns = {{ {keys}, nameservers = [\"{asked}\"] }}")
}

fn names(dns: &NameServer, port: u16) -> String {
    pool(
        dns,
        &format!("names = [\"app.internal:{port}\"]"),
        "health = false",
    )
}

async fn before(pool: &str) -> Gateway {
    Builder::new().workers(2).with(pool).start().await
}

/// The servers that the gateway has, by id.
async fn ids(gateway: &Gateway) -> Vec<String> {
    let servers = gateway.servers().await;
    let id = |server: &Value| server["serverId"].as_str().expect("an id").to_owned();
    let mut ids: Vec<_> = servers.iter().map(id).collect();
    ids.sort_unstable();
    ids
}

/// Wait until the gateway has these servers and no others.
async fn has(gateway: &Gateway, addresses: &[IpAddr], port: u16) {
    let wanted = addresses
        .iter()
        .map(|ip| SocketAddr::new(*ip, port).to_string());
    let mut wanted: Vec<_> = wanted.collect();
    wanted.sort_unstable();
    eventually(&format!("its servers are {wanted:?}"), async || {
        ids(gateway).await == wanted
    })
    .await;
}

#[tokio::test]
async fn every_address_of_a_name_is_a_server_from_the_first_request_on() {
    let dns = NameServer::start().await;
    let ([one, six], port) = servers([ONE, SIX]).await;
    dns.host("app.internal", &[ONE, SIX]).await;
    let gateway = before(&names(&dns, port)).await;
    let mut all = [one.address().to_string(), six.address().to_string()];
    all.sort_unstable();
    assert_eq!(ids(&gateway).await, all);
    let answer = gateway.get("/").await;
    assert!(all.iter().any(|name| name == answer.text()));
    let servers = gateway.servers().await;
    assert!(servers.iter().all(|server| server["source"] == "dns"));
}

#[tokio::test]
async fn servers_change_with_the_answer_and_no_request_fails() {
    let dns = NameServer::start().await;
    let ([one, two, six], port) = servers([ONE, TWO, SIX]).await;
    dns.host("app.internal", &[ONE, TWO]).await;
    let gateway = before(&names(&dns, port)).await;
    let load = Load::on(gateway.address(), "/");
    for addresses in [&[TWO, SIX][..], &[ONE], &[SIX, ONE, TWO]] {
        load.goes_on(50).await;
        dns.host("app.internal", addresses).await;
        has(&gateway, addresses, port).await;
    }
    load.goes_on(50).await;
    let answers = load.stop_without_failure().await.answers;
    for server in [one, two, six] {
        assert!(answers.contains_key(&server.address().to_string()));
    }
}

#[tokio::test]
async fn a_service_gives_ports_and_weights_of_its_lowest_priority() {
    let dns = NameServer::start().await;
    let [a, b, far] = [
        Upstream::named("a").await,
        Upstream::named("b").await,
        Upstream::named("far").await,
    ];
    let [first, second, third] = [&a, &b, &far].map(|server| server.address().port());
    dns.host("one.internal", &[ONE]).await;
    let service = "_http._tcp.app.internal";
    let targets = [
        (10, 30, first, "one.internal"),
        (10, 0, second, "one.internal"),
        (20, 50, third, "one.internal"),
    ];
    dns.service(service, &targets).await;
    let keys = format!("srv = \"{service}\"");
    let gateway = before(&pool(&dns, &keys, "health = false")).await;
    let weights = async || {
        let servers = gateway.servers().await;
        let weight = |server: &Value| (server["port"].clone(), server["weight"].clone());
        let mut weights: Vec<_> = servers.iter().map(weight).collect();
        weights.sort_by_key(|(_, weight)| weight.as_u64());
        weights
    };
    let expected = [(json!(second), json!(1)), (json!(first), json!(30))];
    assert_eq!(weights().await, expected);
    // With those gone, the next ones' turn comes; and a weight is a change.
    dns.service(service, &[(20, 50, third, "one.internal")])
        .await;
    eventually("the others are servers", async || {
        weights().await == [(json!(third), json!(50))]
    })
    .await;
    assert_eq!(gateway.get("/").await.text(), "far");
    dns.service(service, &[(20, 7, third, "one.internal")])
        .await;
    eventually("the weight follows", async || {
        weights().await == [(json!(third), json!(7))]
    })
    .await;
}

#[tokio::test]
async fn what_is_not_found_keeps_the_servers_and_is_told() {
    let dns = NameServer::start().await;
    let ([one], port) = servers([ONE]).await;
    dns.host("app.internal", &[ONE]).await;
    let gateway = before(&names(&dns, port)).await;
    let mut events = Events::of(&gateway, None).await;
    let failing = async |events: &mut Events, why: &str| {
        let data = events
            .find("dns", |data| data["happening"] == "failing")
            .await;
        let reason = data["reason"].as_str().expect("a reason");
        assert!(reason.contains(why), "{reason}");
        assert_eq!(data["pool"], "web");
        assert_eq!(data["kept"], 1);
        has(&gateway, &[ONE], port).await;
        assert_eq!(gateway.get("/").await.text(), one.address().to_string());
    };
    // The name is gone.
    dns.host("app.internal", &[]).await;
    failing(&mut events, "app.internal: there is no such name").await;
    eventually("every look-up is counted", async || {
        gateway.metric("gatewright_dns_failed_in_a_row").await >= 2.0
    })
    .await;
    assert_eq!(gateway.metric("gatewright_dns_servers").await, 1.0);
    // It is there, and has no address.
    dns.service("app.internal", &[(1, 1, 1, "one.internal")])
        .await;
    failing(&mut events, "app.internal: it has no such records").await;
    dns.host("app.internal", &[ONE]).await;
    let back = events
        .find("dns", |data| data["happening"] == "recovered")
        .await;
    assert!(back["failed"].as_u64() >= Some(2), "{back}");
    assert_eq!(gateway.metric("gatewright_dns_failed_in_a_row").await, 0.0);
    // Nobody answers, then somebody who knows no DNS.
    let rubbish = dns.talk_rubbish().await;
    failing(&mut events, "app.internal: ").await;
    let _nobody = rubbish.stop().await;
    let failed = gateway.metric("gatewright_dns_failed_lookups_total").await;
    eventually("look-ups go on", async || {
        gateway.metric("gatewright_dns_failed_lookups_total").await > failed
    })
    .await;
    has(&gateway, &[ONE], port).await;
}

#[tokio::test]
async fn a_gateway_starts_without_a_name_server_and_finds_servers_later() {
    let dns = NameServer::start().await;
    let ([one], port) = servers([ONE]).await;
    dns.host("app.internal", &[ONE]).await;
    let pool = names(&dns, port);
    let stopped = dns.stop().await;
    let gateway = before(&pool).await;
    gateway.says("it has no server by them").await;
    assert_eq!(gateway.get("/").await.status(), 503);
    let _dns = NameServer::again(stopped).await;
    has(&gateway, &[ONE], port).await;
    assert_eq!(gateway.get("/").await.text(), one.address().to_string());
}

#[tokio::test]
async fn what_was_changed_of_a_server_holds_when_it_comes_back() {
    let dns = NameServer::start().await;
    let ([_one, two], port) = servers([ONE, TWO]).await;
    dns.host("app.internal", &[ONE, TWO]).await;
    let gateway = before(&names(&dns, port)).await;
    let path = format!("/api/servers/{}", two.address());
    gateway
        .change("POST", &format!("{path}/drain"), Value::Null)
        .await;
    let draining = async || gateway.api(&path).await["draining"] == true;
    assert!(draining().await);
    dns.host("app.internal", &[ONE]).await;
    has(&gateway, &[ONE], port).await;
    dns.host("app.internal", &[ONE, TWO]).await;
    has(&gateway, &[ONE, TWO], port).await;
    assert!(draining().await);
}

#[tokio::test]
async fn a_pool_goes_over_from_a_list_to_names_without_a_failure() {
    let dns = NameServer::start().await;
    let ([one, two], port) = servers([ONE, TWO]).await;
    dns.host("app.internal", &[TWO]).await;
    let gateway = Gateway::before(Pool::of(&[&one])).await;
    let load = Load::on(gateway.address(), "/");
    load.goes_on(50).await;
    let list = format!("servers = [\"{}\"]", one.address());
    let names = format!(
        "dns = {{ names = [\"app.internal:{port}\"], nameservers = [\"{}\"] }}",
        dns.address()
    );
    gateway.edit(|text| text.replace(&list, &names));
    has(&gateway, &[TWO], port).await;
    load.goes_on(50).await;
    let answers = load.stop_without_failure().await.answers;
    assert!(answers.contains_key(&two.address().to_string()));
}

#[tokio::test]
async fn a_declared_server_is_as_it_is_declared_where_dns_finds_it_too() {
    let dns = NameServer::start().await;
    let ([one, _two], port) = servers([ONE, TWO]).await;
    dns.host("app.internal", &[ONE, TWO]).await;
    let declared = format!(
        "health = false\nservers = [{{ host = \"127.0.0.1\", port = {port}, weight = 9 }}]"
    );
    let keys = format!("names = [\"app.internal:{port}\"]");
    let gateway = before(&pool(&dns, &keys, &declared)).await;
    has(&gateway, &[ONE, TWO], port).await;
    let server = gateway
        .api(&format!("/api/servers/{}", one.address()))
        .await;
    assert_eq!(
        (&server["weight"], &server["source"]),
        (&json!(9), &json!("file"))
    );
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_a_datagram_is_read_whole() {
    let dns = NameServer::start().await;
    let all: Vec<_> = (1..=250)
        .map(|last| IpAddr::from([127, 0, 1, last]))
        .collect();
    dns.host("app.internal", &all).await;
    let gateway = before(&names(&dns, 8080)).await;
    has(&gateway, &all, 8080).await;
}

#[tokio::test]
async fn what_is_found_for_a_change_that_is_refused_is_of_no_pool() {
    let dns = NameServer::start().await;
    let ([one, _two], port) = servers([ONE, TWO]).await;
    dns.host("app.internal", &[ONE]).await;
    dns.host("other.internal", &[TWO]).await;
    let gateway = before(&names(&dns, port)).await;
    let before = std::fs::read_to_string(gateway.path("gatewright.toml")).expect("a file");
    gateway.put("bad.wasm", "no component");
    let refused = before.replace("app.internal", "other.internal")
        + "\nbalancer = \"bad\"\n[plugins.bad]\nfile = \"bad.wasm\"\n";
    gateway.edit(|_| refused);
    gateway.says("not WebAssembly").await;
    // From here on nobody says where the servers are.
    let stopped = dns.stop().await;
    gateway.edit(|_| before + "\nrequest_timeout = \"9s\"\n");
    eventually("the change is in force", async || {
        gateway.metric("gatewright_generation").await == 2.0
    })
    .await;
    assert_eq!(ids(&gateway).await, [one.address().to_string()]);
    drop(stopped);
}
