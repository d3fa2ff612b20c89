//! The access log: a line for each request when it has ended, which no client can
//! forge, and which survives the moving of its file.

use serde_json::Value;

use crate::support::{
    Builder, Client, Gateway, Http3, Pool, Upstream, eventually, get, plain, run_until_exit, signal,
};

const FILE: &str = "access.log";

fn logging(keys: &str, pool: Pool) -> Builder {
    let table = format!("[access_log]\nfile = \"{FILE}\"\n{keys}");
    Builder::new().pool(pool).with(&table)
}

/// Its lines, once there are so many.
async fn lines(gateway: &Gateway, count: usize) -> Vec<String> {
    let read = || std::fs::read_to_string(gateway.path(FILE)).unwrap_or_default();
    eventually(&format!("the access log has {count} lines"), async || {
        read().lines().count() >= count
    })
    .await;
    read().lines().map(str::to_owned).collect()
}

/// Its only line, in JSON.
async fn line(gateway: &Gateway) -> Value {
    let lines = lines(gateway, 1).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    serde_json::from_str(&lines[0]).expect("JSON")
}

#[tokio::test]
async fn a_line_tells_who_asked_what_and_who_answered() {
    let server = Upstream::named("good").await;
    let gateway = logging("", Pool::of(&[&server])).start().await;
    let head = "POST /cart?card=4711 HTTP/1.1\r\nhost: shop.example\r\ncookie: secret=1\r\n";
    let sent = format!("{head}authorization: Bearer secret\r\ncontent-length: 5\r\n\r\nhello");
    assert_eq!(gateway.exchange(sent).await.status(), 200);
    let text = lines(&gateway, 1).await.concat();
    assert!(!text.contains("secret") && !text.contains("4711"), "{text}");

    let line = line(&gateway).await;
    for (field, value) in [
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("scheme", "http"),
        ("host", "shop.example"),
        ("path", "/cart"),
        ("protocol", "HTTP/1.1"),
        ("pool", "web"),
        ("server", &server.address().to_string()),
        ("listener", "plain"),
        ("ended", "complete"),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    for (field, number) in [
        ("status", 200),
        ("bytes_sent", 4),
        ("bytes_received", 5),
        ("attempts", 1),
        ("retries", 0),
    ] {
        assert_eq!(line[field], number, "{field} in {line}");
    }
    assert_eq!(line["cached"], false);
    assert_eq!(
        line["request_id"],
        server.request().header("x-request-id").unwrap()
    );
    assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    assert!(line["duration_ms"].as_f64() >= line["ttfb_ms"].as_f64());
    let version = |role: &str| line[role].as_str().map(str::to_owned);
    assert!(version("router").unwrap().starts_with("path-router@"));
    assert!(
        version("balancer")
            .unwrap()
            .starts_with("least-connections@")
    );
    for absent in ["affinity", "policy", "tls_version", "tls_name", "trace_id"] {
        assert!(line[absent].is_null(), "{absent} in {line}");
    }
}

#[tokio::test]
async fn what_came_over_tls_and_http2_or_http3_and_a_session_are_told() {
    let server = Upstream::named("good").await;
    let pool = Pool::of(&[&server]).with("affinity", "\"sticky-ip\"");
    let builder = logging("", pool).tls("self_signed = true");
    let gateway = builder.tls_listener("http3 = true").start().await;
    let mut client = Client::https(gateway.tls_address(), &["h2"]).await;
    client.get("/first").await;
    client.get("/again").await;
    Http3::to(&gateway).await.get("/third").await;
    let lines = lines(&gateway, 3).await;
    let line = |index: usize| serde_json::from_str::<Value>(&lines[index]).expect("JSON");
    let (first, again, third) = (line(0), line(1), line(2));
    for (line, protocol) in [(&first, "HTTP/2.0"), (&third, "HTTP/3.0")] {
        for (field, value) in [
            ("scheme", "https"),
            ("protocol", protocol),
            ("host", "localhost"),
            ("listener", "tls"),
            ("tls_version", "TLSv1.3"),
            ("tls_name", "localhost"),
        ] {
            assert_eq!(line[field], value, "{field} in {line}");
        }
    }
    let decided = |line: &Value, role: &str| !line[role].is_null();
    assert!(
        decided(&first, "balancer") && !decided(&first, "affinity"),
        "{first}"
    );
    assert!(
        decided(&again, "affinity") && !decided(&again, "balancer"),
        "{again}"
    );
}

#[tokio::test]
async fn nothing_that_a_client_sends_forges_a_line() {
    let server = Upstream::named("good").await;
    let format = "format = '{client} \"{method} {path}\" {status} \"{header:User-Agent}\" {query}'";
    let gateway = logging(format, Pool::of(&[&server])).start().await;
    let agent = "x\" 200 \"\\\tend";
    let request = format!("GET /a%0A\"b?q HTTP/1.1\r\nhost: a\r\nuser-agent: {agent}\r\n\r\n");
    gateway.exchange(request).await;
    gateway.get("/").await;
    let lines = lines(&gateway, 2).await;
    assert_eq!(
        lines[0],
        "127.0.0.1 \"GET /a%0A\\\"b\" 200 \"x\\\" 200 \\\"\\\\\\tend\" q"
    );
    assert_eq!(lines[1], "127.0.0.1 \"GET /\" 200 \"-\" -");
}

#[tokio::test]
async fn combined_is_what_web_servers_write() {
    let server = Upstream::named("good").await;
    let gateway = logging("format = \"combined\"", Pool::of(&[&server]));
    let gateway = gateway.start().await;
    let head = "GET /a?b=1 HTTP/1.1\r\nhost: a\r\nreferer: http://b/\r\nuser-agent: me\r\n\r\n";
    gateway.exchange(head).await;
    let line = lines(&gateway, 1).await.remove(0);
    let (client, rest) = line.split_once(" - - [").expect("a client");
    let (time, rest) = rest.split_once("] ").expect("a time");
    assert_eq!(client, "127.0.0.1");
    assert!(time.ends_with(" +0000"), "{time}");
    assert_eq!(rest, "\"GET /a HTTP/1.1\" 200 4 \"http://b/\" \"me\"");
}

#[tokio::test]
async fn retries_and_refusals_are_told() {
    let good = Upstream::named("good").await;
    let pool = Pool::at(&[Upstream::nowhere(), good.address()])
        .with("balancer", "\"round-robin\"")
        .with("retries", "{ attempts = 2, budget = 1.0 }")
        .with("breaker", "false");
    let gateway = logging(
        "fields = [\"status\", \"attempts\", \"server\", \"host\"]",
        pool,
    );
    let gateway = gateway.start().await;
    gateway.get("/").await;
    gateway.get("/").await;
    gateway.exchange("GET / HTTP/1.1\r\n\r\n").await;
    let lines = lines(&gateway, 3).await;
    let again = format!(
        "{{\"status\":200,\"attempts\":2,\"server\":\"{}\",\"host\":\"localhost\"}}",
        good.address()
    );
    assert!(lines[..2].contains(&again), "{lines:?}");
    let refused = "{\"status\":400,\"attempts\":0,\"server\":null,\"host\":null}";
    assert_eq!(lines[2], refused);
}

#[tokio::test]
async fn of_two_servers_that_were_asked_at_once_the_one_that_answered_is_told() {
    let hedged = |servers: [&Upstream; 2]| {
        let pool = Pool::of(&servers).with("balancer", "\"round-robin\"");
        let pool = pool.with("hedge", "{ after = \"300ms\" }");
        let pool = pool.with("retries", "{ budget = 1.0 }");
        logging("fields = [\"status\", \"attempts\", \"server\"]", pool)
    };
    let told_of = |server: &Upstream| {
        let server = server.address();
        format!("{{\"status\":200,\"attempts\":2,\"server\":\"{server}\"}}")
    };

    let (slow, good) = (Upstream::silent().await, Upstream::named("good").await);
    let gateway = hedged([&slow, &good]).start().await;
    let mut asked = 0;
    while slow.requests().is_empty() {
        assert_eq!(gateway.get("/").await.status(), 200);
        asked += 1;
    }
    assert_eq!(lines(&gateway, asked).await.last(), Some(&told_of(&good)));

    let thinking = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        peer.resumed().await;
        peer.send(plain("thought")).await;
    })
    .await;
    let failing = "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n";
    let failing = Upstream::answering(|_| failing.to_owned()).await;
    let gateway = hedged([&thinking, &failing]).start().await;
    let mut client = gateway.connect().await;
    client.send(get("/")).await;
    eventually("the second has failed", async || {
        gateway.metric("gatewright_server_failures_total").await == 1.0
    })
    .await;
    thinking.resume();
    assert_eq!(client.response().await.text(), "thought");
    assert_eq!(lines(&gateway, 1).await, [told_of(&thinking)]);
}

#[tokio::test]
async fn how_a_request_ended_is_told() {
    let broken = Upstream::scripted(|mut peer| async move {
        let Some(asked) = peer.request().await else {
            return;
        };
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
            .await;
        if asked.target() == "/hangs" {
            std::future::pending::<()>().await;
        }
    })
    .await;
    let gateway = logging(
        "fields = [\"path\", \"ended\", \"bytes_sent\"]",
        Pool::of(&[&broken]),
    )
    .with("[timeouts]\nbody_idle = \"200ms\"")
    .start()
    .await;
    let mut wire = gateway.connect().await;
    wire.send("GET /breaks HTTP/1.1\r\nhost: a\r\n\r\n").await;
    lines(&gateway, 1).await;
    let mut wire = gateway.connect().await;
    wire.send("GET /hangs HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let told = lines(&gateway, 2).await;
    let told_of = |path: &str, ended: &str| {
        format!("{{\"path\":\"{path}\",\"ended\":\"{ended}\",\"bytes_sent\":5}}")
    };
    assert_eq!(
        told,
        [
            told_of("/breaks", "upstream_broke"),
            told_of("/hangs", "timeout")
        ]
    );
}

#[tokio::test]
async fn a_client_that_leaves_is_told_of_with_the_server_that_it_waited_for() {
    let silent = Upstream::scripted(|mut peer| async move {
        peer.request().await;
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = logging("", Pool::of(&[&silent])).start().await;
    let mut wire = gateway.connect().await;
    wire.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    eventually("the server is asked", async || {
        !silent.requests().is_empty()
    })
    .await;
    drop(wire);
    let line = line(&gateway).await;
    assert_eq!(line["ended"], "client_gone");
    assert_eq!(line["server"], silent.address().to_string());
    assert!(line["status"].is_null(), "{line}");
}

#[tokio::test]
async fn a_share_of_the_requests_and_all_errors_are_told() {
    let server = Upstream::answering(|asked| match asked.target() {
        "/bad" => "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_owned(),
        _ => plain("good"),
    })
    .await;
    let keys = "format = \"{path} {status}\"\nsample = 0.0";
    let gateway = logging(keys, Pool::of(&[&server])).start().await;
    for path in ["/", "/bad", "/", "/bad"] {
        gateway.get(path).await;
    }
    assert_eq!(lines(&gateway, 2).await, ["/bad 500", "/bad 500"]);
}

#[tokio::test]
async fn a_policy_that_answers_is_told() {
    let server = Upstream::named("good").await;
    let gateway = logging("", Pool::of(&[&server]))
        .with("[[policy]]\nplugin = \"access\"\n[policy.config]\nrules = [{ action = \"deny\", path = \"/no\" }]");
    let gateway = gateway.start().await;
    assert_eq!(gateway.get("/no").await.status(), 403);
    let line = line(&gateway).await;
    assert_eq!(line["status"], 403);
    assert!(line["policy"].as_str().unwrap().starts_with("access@"));
    assert!(line["pool"].is_null() && line["server"].is_null(), "{line}");
}

#[tokio::test]
async fn a_file_that_is_moved_away_is_opened_anew_by_a_signal() {
    let server = Upstream::named("good").await;
    let gateway = logging("format = \"{path}\"", Pool::of(&[&server]));
    let gateway = gateway.start().await;
    gateway.get("/before").await;
    lines(&gateway, 1).await;
    std::fs::rename(gateway.path(FILE), gateway.path("access.log.1")).expect("a file");
    signal(gateway.id(), libc::SIGUSR1);
    gateway.get("/after").await;
    assert_eq!(lines(&gateway, 1).await, ["/after"]);
    let old = std::fs::read_to_string(gateway.path("access.log.1")).expect("a file");
    assert_eq!(old, "/before\n");
    assert_eq!(
        gateway.metric("gatewright_access_log_lines_total").await,
        2.0
    );
}

#[tokio::test]
async fn it_is_switched_on_and_off_and_moved_by_a_reload() {
    let server = Upstream::named("good").await;
    let table = |file: &str| format!("[access_log]\nfile = \"{file}\"\nformat = \"{{path}}\"\n");
    let gateway = Builder::new().pool(Pool::of(&[&server])).start().await;
    let begin = |table: String| move |text: String| text + &table;
    gateway.get("/unseen").await;
    gateway.edit(begin(table(FILE)));
    gateway.says("generation 2 is in force").await;
    gateway.get("/one").await;
    assert_eq!(lines(&gateway, 1).await, ["/one"]);
    gateway.edit(|text| text.replace(FILE, "other.log"));
    gateway.says("generation 3 is in force").await;
    gateway.get("/two").await;
    let other = gateway.path("other.log");
    eventually("the other file has its line", async || {
        std::fs::read_to_string(&other).is_ok_and(|text| text == "/two\n")
    })
    .await;
    gateway.edit(|text| text.replace(&table("other.log"), ""));
    gateway.says("generation 4 is in force").await;
    gateway.get("/three").await;
    gateway.terminate();
    assert_eq!(gateway.exit_code().await, 0);
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "/two\n");
}

#[tokio::test]
async fn the_last_lines_are_written_before_the_end() {
    let server = Upstream::named("good").await;
    let gateway = logging("format = \"{path}\"", Pool::of(&[&server]));
    let gateway = gateway.start().await;
    gateway.get("/last").await;
    gateway.terminate();
    assert_eq!(gateway.exit_code().await, 0);
    let text = std::fs::read_to_string(gateway.path(FILE)).expect("a file");
    assert_eq!(text, "/last\n");
}

#[tokio::test]
async fn a_disk_that_is_full_costs_lines_and_no_request() {
    let server = Upstream::named("good").await;
    let gateway = logging("format = \"{path}\"", Pool::of(&[&server]));
    let gateway = gateway.start().await;
    gateway.get("/first").await;
    lines(&gateway, 1).await;
    gateway.limit_files(Some(7));
    for _ in 0..2 {
        assert_eq!(gateway.get("/lost").await.status(), 200);
        gateway.says("the access log cannot be written").await;
    }
    gateway.limit_files(None);
    let mut asked = 0;
    eventually("it goes on", async || {
        asked += 1;
        assert_eq!(gateway.get("/again").await.status(), 200);
        gateway.log().contains("the access log goes on")
    })
    .await;
    assert_eq!(
        gateway.says_how_often("the access log cannot be written"),
        1
    );
    let text = std::fs::read_to_string(gateway.path(FILE)).expect("a file");
    assert!(text.starts_with("/first\n/lost\n"), "{text}");
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_its_remedy() {
    for (keys, told) in [
        ("format = \"{clint}\"", "did you mean \"client\"?"),
        ("fields = [\"stauts\"]", "did you mean \"status\"?"),
        ("fields = [\"path\", \"path\"]", "is there already"),
        (
            "format = \"combined\"\nfields = [\"path\"]",
            "only lines in JSON",
        ),
        ("sample = 2.0", "out of range"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let name = "gatewright.toml";
        logging(keys, Pool::at(&[Upstream::nowhere()])).write(&folder.path().join(name));
        let (_, said) = run_until_exit(&["check", "-c", name], folder.path()).await;
        assert!(said.contains(told), "{keys}: {said}");
    }
}
