//! Traces: what a collector is sent of requests, and what servers are told.

use std::collections::BTreeSet;
use std::process::Command;

use http::StatusCode;

use crate::support::{
    Authority, BINARY, Builder, Collector, Gateway, Pool, Rotel, Traced, Upstream, eventually,
};

const KNOWN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const INTERNAL: i32 = 1;

async fn traced(collector: &Collector, keys: &str, pool: Pool) -> Gateway {
    let table = format!("[tracing]\notlp = \"{}\"\n{keys}", collector.base());
    Builder::new().pool(pool).with(&table).start().await
}

async fn ask(gateway: &Gateway, path: &str, headers: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: shop.example:8080\r\n{headers}\r\n");
    assert_eq!(gateway.exchange(request).await.status(), 200);
}

fn of_kind(spans: &[Traced], kind: i32) -> Vec<Traced> {
    let spans = spans.iter().filter(|span| span.kind == kind);
    spans.cloned().collect()
}

#[tokio::test]
async fn a_request_its_decisions_and_its_attempt_are_one_trace_that_servers_go_on_with() {
    let (collector, server) = (Collector::start().await, Upstream::named("good").await);
    let pool = Pool::of(&[&server]).with("affinity", "\"sticky-cookie\"");
    let keys = "sample = 1.0\nservice_name = \"edge\"\n[tracing.headers]\nauthorization = \"key\"";
    let gateway = traced(&collector, keys, pool).await;
    ask(&gateway, "/cart?secret=1", "user-agent: me\r\n").await;
    let spans = collector.after(6).await;
    let (request, attempt) = (of_kind(&spans, SERVER), of_kind(&spans, CLIENT));
    let decisions = of_kind(&spans, INTERNAL);
    assert_eq!(
        (request.len(), attempt.len(), decisions.len()),
        (1, 1, 4),
        "{spans:?}"
    );
    let (request, attempt) = (&request[0], &attempt[0]);

    assert_eq!(request.parent, "");
    assert_eq!(request.name, "GET");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("url.path", "/cart"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("server.address", "shop.example"),
        ("server.port", "8080"),
        ("client.address", "127.0.0.1"),
        ("user_agent.original", "me"),
        ("gatewright.pool", "web"),
    ] {
        assert_eq!(request.says(key), value, "{key} of {request:?}");
    }
    assert!(!format!("{spans:?}").contains("secret"), "{spans:?}");

    for (key, value) in [
        ("server.address", "127.0.0.1"),
        ("server.port", &server.address().port().to_string()),
        ("http.response.status_code", "200"),
        ("http.request.resend_count", ""),
        ("gatewright.connection.reused", "false"),
    ] {
        assert_eq!(attempt.says(key), value, "{key} of {attempt:?}");
    }
    let told = server.request();
    let told = told.header("traceparent").expect("a traceparent");
    assert_eq!(told, format!("00-{}-{}-01", request.trace, attempt.id));

    let roles: Vec<_> = decisions
        .iter()
        .map(|one| one.says("gatewright.role"))
        .collect();
    assert_eq!(roles, ["router", "affinity", "balancer", "affinity"]);
    let balancer = &decisions[2];
    assert_eq!(balancer.says("gatewright.plugin"), "least-connections");
    assert_eq!(
        balancer.says("gatewright.chosen"),
        server.address().to_string()
    );
    for child in spans.iter().filter(|span| span.kind != SERVER) {
        assert_eq!((&child.parent, &child.trace), (&request.id, &request.trace));
        let (began, ended) = child.nanoseconds;
        assert!(
            request.nanoseconds.0 <= began && began <= ended,
            "{child:?}"
        );
        assert!(ended <= request.nanoseconds.1, "{child:?}");
    }
    let sender = (Some("key".to_owned()), "edge".to_owned());
    assert_eq!(collector.sender(), sender);
    eventually("the spans are counted", async || {
        gateway
            .metric("gatewright_trace_spans_exported_total")
            .await
            == 6.0
    })
    .await;
}

#[tokio::test]
async fn what_clients_say_at_length_is_recorded_in_part() {
    let (collector, server) = (Collector::start().await, Upstream::named("good").await);
    let gateway = traced(&collector, "sample = 1.0", Pool::of(&[&server])).await;
    let [path, agent] = ["/", "a"].map(|begin| format!("{begin}{}", "b".repeat(3000)));
    let request = format!("BREW {path} HTTP/1.1\r\nhost: a\r\nuser-agent: {agent}\r\n\r\n");
    assert_eq!(gateway.exchange(request).await.status(), 200);
    let spans = collector.after(4).await;
    let request = &of_kind(&spans, SERVER)[0];
    assert_eq!(request.says("url.path"), &path[..1024]);
    assert_eq!(request.says("user_agent.original"), &agent[..1024]);
    assert_eq!(server.request().target(), path, "the server has all of it");
    for span in [request, &of_kind(&spans, CLIENT)[0]] {
        assert_eq!(span.name, "HTTP", "clients may make up methods");
        assert_eq!(span.says("http.request.method"), "_OTHER");
        assert_eq!(span.says("http.request.method_original"), "BREW");
    }
}

#[tokio::test]
async fn each_attempt_has_a_span_and_tells_its_server_so() {
    let (collector, good) = (Collector::start().await, Upstream::named("good").await);
    let bad = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await;
    let pool = Pool::of(&[&bad, &good])
        .with("balancer", "\"round-robin\"")
        .with("retries", "{ attempts = 2, budget = 1.0 }")
        .with("breaker", "false");
    let gateway = traced(&collector, "sample = 1.0", pool).await;
    while bad.requests().is_empty() {
        ask(&gateway, "/", "").await;
    }
    eventually("a retry is exported", async || {
        let spans = collector.spans();
        spans
            .iter()
            .any(|span| span.says("http.request.resend_count") == "1")
    })
    .await;
    let spans = collector.spans();
    let second = spans
        .iter()
        .find(|span| span.says("http.request.resend_count") == "1");
    let second = second.expect("a retry");
    let of_trace = of_kind(&spans, CLIENT).into_iter();
    let of_trace: Vec<_> = of_trace.filter(|span| span.trace == second.trace).collect();
    assert_eq!(of_trace.len(), 2, "{of_trace:?}");
    let first = &of_trace[0];
    assert!(first.is_error && !second.is_error, "{of_trace:?}");
    assert_eq!(first.says("error.type"), "broken");
    assert_eq!(first.parent, second.parent);
    let told = |server: &Upstream| {
        let asked = server.requests();
        let asked = asked.iter().filter_map(|asked| asked.header("traceparent"));
        asked.map(str::to_owned).collect::<Vec<_>>()
    };
    let place = |span: &Traced| format!("00-{}-{}-01", span.trace, span.id);
    assert!(told(&bad).contains(&place(first)));
    assert!(told(&good).contains(&place(second)));
}

#[tokio::test]
async fn of_two_servers_that_were_asked_at_once_both_attempts_are_recorded() {
    let (collector, good) = (Collector::start().await, Upstream::named("good").await);
    let slow = Upstream::silent().await;
    let pool = Pool::of(&[&slow, &good])
        .with("balancer", "\"round-robin\"")
        .with("hedge", "{ after = \"300ms\" }")
        .with("retries", "{ budget = 1.0 }");
    let gateway = traced(&collector, "sample = 1.0", pool).await;
    while slow.requests().is_empty() {
        ask(&gateway, "/", "").await;
    }
    let of_race = |outcome: &str| {
        let spans = collector.spans().into_iter();
        let mut attempts = spans.filter(|span| span.kind == CLIENT);
        attempts.find(|span| span.says("gatewright.hedge") == outcome)
    };
    eventually("both are exported", async || of_race("lost").is_some()).await;
    let [lost, won] = ["lost", "won"].map(|outcome| of_race(outcome).expect("an attempt"));
    assert_eq!((&lost.trace, &lost.parent), (&won.trace, &won.parent));
    assert!(lost.is_error && !won.is_error, "{lost:?} {won:?}");
    assert_eq!(lost.says("error.type"), "overtaken");
    assert_eq!(won.says("http.response.status_code"), "200");
    assert_eq!(won.says("http.request.resend_count"), "1");
    let began_within = lost.nanoseconds.0 < won.nanoseconds.0;
    assert!(began_within && won.nanoseconds.0 < lost.nanoseconds.1);
    for (span, server) in [(&lost, &slow), (&won, &good)] {
        assert_eq!(
            span.says("server.port"),
            server.address().port().to_string()
        );
        let place = format!("00-{}-{}-01", span.trace, span.id);
        let asked = server.requests();
        let mut told = asked.iter().filter_map(|one| one.header("traceparent"));
        assert!(told.any(|told| told == place), "{place}: {asked:?}");
    }
    let spans = collector.spans().into_iter();
    let decided =
        spans.filter(|span| span.trace == lost.trace && span.says("gatewright.role") == "balancer");
    let chosen: Vec<_> = decided
        .map(|span| span.says("gatewright.chosen").to_owned())
        .collect();
    let servers = [&slow, &good].map(|server| server.address().to_string());
    assert_eq!(chosen, servers, "both decisions are");
}

#[tokio::test]
async fn a_trace_that_a_client_has_begun_is_followed_as_it_says() {
    let (collector, server) = (Collector::start().await, Upstream::named("good").await);
    let gateway = traced(&collector, "sample = 0.0", Pool::of(&[&server])).await;
    let state = "tracestate: vendor=1\r\n";
    ask(
        &gateway,
        "/no",
        &format!("traceparent: {KNOWN}0\r\n{state}"),
    )
    .await;
    ask(
        &gateway,
        "/yes",
        &format!("traceparent: {KNOWN}1\r\n{state}"),
    )
    .await;
    ask(
        &gateway,
        "/broken",
        &format!("traceparent: {KNOWN}1x\r\n{state}"),
    )
    .await;
    let spans = collector.after(4).await;
    let request = of_kind(&spans, SERVER);
    assert_eq!(request.len(), 1, "{spans:?}");
    assert_eq!(request[0].says("url.path"), "/yes");
    assert_eq!(request[0].trace, KNOWN[3..35]);
    assert_eq!(request[0].parent, KNOWN[36..52]);

    let asked = server.requests();
    let told: Vec<_> = asked
        .iter()
        .map(|one| one.header("traceparent").unwrap())
        .collect();
    assert_eq!(told[0], format!("{KNOWN}0"), "it passes as it came");
    assert_eq!(told[1][..36], KNOWN[..36]);
    assert_ne!(told[1][36..52], KNOWN[36..52], "the attempt is the parent");
    assert_ne!(told[2][3..35], KNOWN[3..35], "a trace of its own");
    assert!(told[2].ends_with("-00"), "{}", told[2]);
    let states: Vec<_> = asked.iter().map(|one| one.header("tracestate")).collect();
    assert_eq!(states, [Some("vendor=1"), Some("vendor=1"), None]);
}

#[tokio::test]
async fn a_trace_of_those_who_are_not_trusted_is_linked_and_not_followed() {
    let (collector, server) = (Collector::start().await, Upstream::named("good").await);
    let keys = "sample = 1.0\ntrust_parent = false";
    let gateway = traced(&collector, keys, Pool::of(&[&server])).await;
    ask(&gateway, "/", &format!("traceparent: {KNOWN}0\r\n")).await;
    let spans = collector.after(4).await;
    let request = &of_kind(&spans, SERVER)[0];
    assert_ne!(request.trace, KNOWN[3..35]);
    assert_eq!(request.links, [&KNOWN[3..35]]);
}

#[tokio::test]
async fn without_traces_what_clients_say_of_theirs_passes_as_it_is() {
    let server = Upstream::named("good").await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    ask(&gateway, "/", "traceparent: whatever\r\n").await;
    assert_eq!(server.request().header("traceparent"), Some("whatever"));
}

#[tokio::test]
async fn a_collector_in_trouble_is_told_of_once_and_costs_spans_and_no_request() {
    let (collector, server) = (Collector::start().await, Upstream::named("good").await);
    let gateway = traced(&collector, "sample = 1.0", Pool::of(&[&server])).await;
    collector.answer(StatusCode::BAD_REQUEST);
    ask(&gateway, "/refused", "").await;
    eventually("the spans are dropped", async || {
        gateway.metric("gatewright_trace_spans_dropped_total").await == 4.0
    })
    .await;
    collector.answer(StatusCode::TOO_MANY_REQUESTS);
    ask(&gateway, "/never", "").await;
    eventually("what it never wants is dropped", async || {
        gateway.metric("gatewright_trace_spans_dropped_total").await == 8.0
    })
    .await;
    collector.answer(StatusCode::SERVICE_UNAVAILABLE);
    let asked = collector.asked();
    ask(&gateway, "/kept", "").await;
    eventually("it is asked again", async || collector.asked() >= asked + 2).await;
    collector.answer(StatusCode::OK);
    let spans = collector.after(4).await;
    assert_eq!(of_kind(&spans, SERVER)[0].says("url.path"), "/kept");
    gateway.says("traces are taken again").await;
    assert_eq!(gateway.says_how_often("traces cannot be sent"), 1);
}

#[tokio::test]
async fn a_collector_is_spoken_to_by_tls_if_its_certificate_is_trusted() {
    let [authority, stranger] = [Authority::new(), Authority::new()];
    let collector = Collector::by_tls(&authority.sign("localhost")).await;
    let server = Upstream::named("good").await;
    let trusting = async |authority: &Authority| {
        let folder = tempfile::tempdir().expect("a folder");
        let table = format!("[tracing]\notlp = \"{}\"\nsample = 1.0", collector.base());
        let builder = Builder::new().pool(Pool::of(&[&server])).with(&table);
        let builder = builder.file("ca.pem", authority.certificate());
        builder.write(&folder.path().join("gatewright.toml"));
        let mut command = Command::new(&*BINARY);
        command.env("SSL_CERT_FILE", folder.path().join("ca.pem"));
        Gateway::start_as(command, &["run", "-c", "gatewright.toml"], folder).await
    };
    let gateway = trusting(&stranger).await;
    ask(&gateway, "/untold", "").await;
    gateway.says("traces cannot be sent").await;
    assert!(
        gateway.log().contains("invalid peer certificate"),
        "{}",
        gateway.log()
    );
    assert_eq!(collector.asked(), 0);
    let gateway = trusting(&authority).await;
    ask(&gateway, "/told", "").await;
    let spans = collector.after(4).await;
    assert_eq!(of_kind(&spans, SERVER)[0].says("url.path"), "/told");
    assert_eq!(gateway.says_how_often("traces cannot be sent"), 0);
}

#[tokio::test]
async fn a_collector_that_is_not_ours_takes_traces_and_hands_them_on() {
    let (collector, server) = (Collector::start().await, Upstream::named("good").await);
    let rotel = Rotel::before(&collector).await;
    let keys = "sample = 1.0\nservice_name = \"edge\"";
    let table = format!("[tracing]\notlp = \"{}\"\n{keys}", rotel.base());
    let builder = Builder::new().pool(Pool::of(&[&server])).with(&table);
    let gateway = builder.start().await;
    for number in 0..10 {
        ask(&gateway, &format!("/{number}"), "user-agent: me\r\n").await;
    }
    eventually("the spans are taken", async || {
        gateway
            .metric("gatewright_trace_spans_exported_total")
            .await
            == 40.0
    })
    .await;
    let spans = collector.after(40).await;
    assert_eq!(
        gateway.metric("gatewright_trace_spans_dropped_total").await,
        0.0
    );
    assert_eq!(collector.sender().1, "edge");
    let (requests, attempts) = (of_kind(&spans, SERVER), of_kind(&spans, CLIENT));
    let paths: BTreeSet<_> = requests.iter().map(|span| span.says("url.path")).collect();
    assert_eq!((spans.len(), paths.len(), attempts.len()), (40, 10, 10));
    for span in &requests {
        assert_eq!(span.says("http.response.status_code"), "200", "{span:?}");
        assert_eq!(span.says("user_agent.original"), "me", "{span:?}");
        let attempt = attempts.iter().find(|attempt| attempt.parent == span.id);
        assert_eq!(attempt.expect("an attempt").trace, span.trace);
    }
    let asked = server.requests();
    let told: BTreeSet<_> = asked
        .iter()
        .filter_map(|one| one.header("traceparent"))
        .collect();
    let places = attempts
        .iter()
        .map(|span| format!("00-{}-{}-01", span.trace, span.id));
    let places: Vec<_> = places.collect();
    let places: BTreeSet<_> = places.iter().map(String::as_str).collect();
    assert_eq!(told, places);
}

#[tokio::test]
async fn the_last_spans_are_exported_before_the_end() {
    let (collector, server) = (Collector::start().await, Upstream::named("good").await);
    let gateway = traced(&collector, "sample = 1.0", Pool::of(&[&server])).await;
    ask(&gateway, "/last", "").await;
    gateway.terminate();
    assert_eq!(gateway.exit_code().await, 0);
    assert_eq!(collector.spans().len(), 4);
}
