//! Listeners at Unix sockets: who may connect, whose file is replaced, and what
//! is told of clients that have no address.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::support::{
    Builder, Gateway, Message, Pool, Upstream, Wire, eventually, get, plain, run_program,
    run_until_exit,
};

const FILE: &str = "gatewright.toml";

/// Where a gateway's socket is to be.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("web.sock")
    }

    /// A gateway with a second listener there, with more keys.
    fn gateway(&self, server: &Upstream, keys: &str) -> Builder {
        let path = self.path();
        let listen = format!(
            "[[listener]]\nname = \"local\"\nlisten = \"unix:{}\"",
            path.display()
        );
        let pool = Pool::of(&[server]);
        Builder::new().with(&format!("{listen}\n{keys}")).pool(pool)
    }

    async fn connect(&self) -> Wire<UnixStream> {
        Wire::new(UnixStream::connect(self.path()).await.expect("it accepts"))
    }

    /// What is answered to these bytes on a connection of their own.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> Message {
        let mut wire = self.connect().await;
        wire.send(bytes).await;
        wire.response().await
    }

    fn mode(&self) -> u32 {
        let metadata = std::fs::metadata(self.path()).expect("a file");
        metadata.permissions().mode() & 0o777
    }
}

async fn curl(place: &Place, arguments: &str) -> String {
    let socket = place.path();
    let line = format!(
        "curl --silent --show-error --unix-socket {} {arguments}",
        socket.display()
    );
    run_program(&line, Path::new("/"), "").await
}

#[tokio::test]
async fn curl_is_served_at_a_unix_socket_in_the_clear_and_over_tls() {
    let server = Upstream::answering(|request| plain(request.target())).await;
    let place = Place::new();
    let gateway = place.gateway(&server, "").start().await;
    assert_eq!(curl(&place, "http://shop.example/a").await, "/a");
    assert_eq!(
        curl(&place, "--http2-prior-knowledge http://a/b").await,
        "/b"
    );
    assert_eq!(server.requests()[0].headers("host"), ["shop.example"]);
    assert_eq!(place.mode(), 0o660);
    let listeners = gateway.api("/api/listeners").await;
    let address = format!("unix:{}", place.path().display());
    assert_eq!(listeners[1]["address"], address);
    drop(gateway);
    let secure = place.gateway(
        &server,
        "socket_mode = \"0600\"\ntls = { self_signed = true }",
    );
    let _gateway = secure.start().await;
    assert_eq!(place.mode(), 0o600);
    assert_eq!(
        curl(&place, "--insecure --http2 https://localhost/c").await,
        "/c"
    );
}

#[tokio::test]
async fn a_whole_body_goes_either_way() {
    let server = Upstream::answering(|request| plain(request.text())).await;
    let place = Place::new();
    let _gateway = place.gateway(&server, "").start().await;
    let body = "x".repeat(3 << 20);
    let head = format!(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {}",
        body.len()
    );
    let mut wire = place.connect().await;
    for _ in 0..2 {
        wire.send(format!("{head}\r\n\r\n{body}")).await;
        assert!(wire.response().await.text() == body);
    }
}

#[tokio::test]
async fn what_one_worker_has_no_room_for_another_takes() {
    let server = Upstream::named("a").await;
    let place = Place::new();
    let builder = place.gateway(&server, "").workers(2);
    let _gateway = builder.with("[limits]\nconnections = 1").start().await;
    let mut wires = [place.connect().await, place.connect().await];
    for wire in &mut wires {
        wire.send(get("/")).await;
        assert_eq!(wire.response().await.text(), "a");
    }
}

#[tokio::test]
async fn the_file_of_a_gateway_that_was_killed_is_replaced_and_that_of_one_that_ends_is_gone() {
    let server = Upstream::named("a").await;
    let place = Place::new();
    let mut gateway = place.gateway(&server, "").start().await;
    gateway.kill();
    assert!(place.path().exists());
    gateway.restart().await;
    assert_eq!(place.exchange(get("/")).await.text(), "a");
    gateway.terminate();
    assert_eq!(gateway.exit_code().await, 0);
    assert!(!place.path().exists());
}

#[tokio::test]
async fn a_socket_that_another_gateway_listens_on_is_left_to_it() {
    let server = Upstream::named("a").await;
    let place = Place::new();
    let _first = place.gateway(&server, "").start().await;
    let folder = tempfile::tempdir().expect("a folder");
    place.gateway(&server, "").write(&folder.path().join(FILE));
    let (code, said) = run_until_exit(&["run", "-c", FILE], folder.path()).await;
    assert_ne!(code, 0);
    assert!(said.contains("another process listens there"), "{said}");
    assert_eq!(place.exchange(get("/")).await.text(), "a");
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let server = Upstream::named("a").await;
    let place = Place::new();
    std::fs::write(place.path(), "mine").expect("a file");
    let folder = tempfile::tempdir().expect("a folder");
    place.gateway(&server, "").write(&folder.path().join(FILE));
    let (code, said) = run_until_exit(&["run", "-c", FILE], folder.path()).await;
    assert_ne!(code, 0);
    assert!(said.contains("a file that is no socket"), "{said}");
    assert_eq!(
        std::fs::read_to_string(place.path()).expect("a file"),
        "mine"
    );
}

const CLAIMING: &str = "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 192.0.2.9\r\n\
                        x-real-ip: 192.0.2.9\r\nforwarded: for=192.0.2.9\r\n\r\n";

#[tokio::test]
async fn a_client_at_a_unix_socket_has_no_address_and_is_believed_nothing() {
    let server = Upstream::named("a").await;
    let place = Place::new();
    let trusting = place
        .gateway(&server, "")
        .top("trusted_proxies = [\"::/0\"]");
    let _gateway = trusting.start().await;
    place.exchange(CLAIMING).await;
    let request = server.request();
    assert_eq!(request.headers("x-forwarded-for"), ["unknown"]);
    assert_eq!(request.header("x-real-ip"), None);
    assert_eq!(request.header("forwarded"), None);
}

#[tokio::test]
async fn a_trusted_proxy_at_a_unix_socket_says_who_its_client_is() {
    let server = Upstream::named("a").await;
    let place = Place::new();
    let trusting = place
        .gateway(&server, "")
        .top("trusted_proxies = [\"unix\"]");
    let _gateway = trusting.start().await;
    place.exchange(CLAIMING).await;
    let request = server.request();
    assert_eq!(request.headers("x-forwarded-for"), ["192.0.2.9"]);
    assert_eq!(request.headers("x-real-ip"), ["192.0.2.9"]);
    let told = request.header("forwarded");
    assert_eq!(told, Some("for=192.0.2.9, for=unknown;proto=http"));
}

#[tokio::test]
async fn a_proxy_at_a_unix_socket_names_its_client_by_the_proxy_protocol() {
    let server = Upstream::named("a").await;
    let place = Place::new();
    let behind = place.gateway(&server, "proxy_protocol = [\"unix\"]");
    let _gateway = behind.start().await;
    let preface = b"\r\n\r\n\0\r\nQUIT\n";
    let rest = [192, 0, 2, 7, 192, 0, 2, 1, 3, 232, 1, 187];
    let binary = [preface, &b"\x21\x11\0\x0c"[..], &rest].concat();
    let line = b"PROXY TCP6 2001:db8::7 2001:db8::1 1000 443\r\n".to_vec();
    let own = [preface, &b"\x20\0\0\0"[..]].concat();
    for (header, client) in [
        (line, "2001:db8::7"),
        (binary, "192.0.2.7"),
        (own, "unknown"),
    ] {
        let whole = [&header[..], get("/").as_bytes()].concat();
        assert_eq!(place.exchange(whole).await.text(), "a");
        let last = server.requests().pop().expect("a request");
        assert_eq!(last.headers("x-forwarded-for"), [client]);
    }
    // Without a header nobody is served.
    let mut wire = place.connect().await;
    wire.send(get("/")).await;
    assert!(wire.try_response().await.is_none());
}

#[tokio::test]
async fn a_server_is_told_that_a_client_has_no_address() {
    for (version, length, told) in [
        ("\"v1\"", 15, &b"PROXY UNKNOWN\r\n"[..]),
        ("\"v2\"", 16, b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"),
    ] {
        let server = Upstream::speaking(move |mut stream| async move {
            let mut header = vec![0; length];
            stream.read_exact(&mut header).await.expect("a header");
            let mut wire = Wire::new(stream);
            if wire.request().await.is_some() {
                wire.send(plain(&header.escape_ascii().to_string())).await;
            }
        })
        .await;
        let place = Place::new();
        let pool = Pool::of(&[&server]).with("proxy_protocol", version);
        let address = format!("unix:{}", place.path().display());
        let listener = format!("[[listener]]\nlisten = \"{address}\"");
        let _gateway = Builder::new().with(&listener).pool(pool).start().await;
        let said = place.exchange(get("/")).await.text().to_owned();
        assert_eq!(said, told.escape_ascii().to_string());
    }
}

#[tokio::test]
async fn clients_at_a_unix_socket_are_one_address_to_balancers() {
    let servers = [Upstream::named("a").await, Upstream::named("b").await];
    let place = Place::new();
    let pool = Pool::of(&[&servers[0], &servers[1]]).with("balancer", "\"ip-hash\"");
    let listener = format!("[[listener]]\nlisten = \"unix:{}\"", place.path().display());
    let _gateway = Builder::new().with(&listener).pool(pool).start().await;
    let first = place.exchange(get("/")).await.text().to_owned();
    for _ in 0..8 {
        assert_eq!(place.exchange(get("/")).await.text(), first);
    }
}

#[tokio::test]
async fn requests_in_flight_are_finished_when_the_file_has_gone() {
    let server = Upstream::scripted(|mut peer| async move {
        if peer.request().await.is_some() {
            peer.resumed().await;
            peer.send(plain("late")).await;
        }
    })
    .await;
    let place = Place::new();
    let gateway: Gateway = place.gateway(&server, "").start().await;
    let mut wire = place.connect().await;
    wire.send(get("/")).await;
    eventually("the server has it", async || server.requests().len() == 1).await;
    gateway.terminate();
    eventually("the file has gone", async || !place.path().exists()).await;
    server.resume();
    assert_eq!(wire.response().await.text(), "late");
    assert_eq!(gateway.exit_code().await, 0);
}
