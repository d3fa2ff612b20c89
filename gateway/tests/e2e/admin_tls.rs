//! The admin listener over TLS: operated by the command line, which trusts whom
//! it is told to, and closed to clients without a certificate where it asks for
//! one.

use tokio::net::TcpStream;

use crate::support::{Authority, Builder, Gateway, Pool, Upstream, eventually, run_until_exit};

/// A gateway whose admin listener speaks TLS with a certificate for `localhost`
/// of this authority, in the files `admin.pem` and `admin.key`; `ca.pem` is the
/// authority's own.
fn with_tls(authority: &Authority, keys: &str) -> Builder {
    let own = authority.sign("localhost");
    let tls = format!("tls = {{ cert = \"admin.pem\", key = \"admin.key\"{keys} }}");
    Builder::new()
        .admin_with(&tls)
        .file("admin.pem", own.certificate)
        .file("admin.key", own.key)
        .file("ca.pem", authority.certificate())
}

async fn start(builder: Builder) -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = builder.pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

/// What a command prints, with the files of the gateway's folder.
async fn ends(gateway: &Gateway, code: i32, arguments: &[&str]) -> String {
    let admin = format!("https://localhost:{}", gateway.admin_address().port());
    let arguments = [arguments, &["--admin", &admin]].concat();
    let (ended, words) = run_until_exit(&arguments, &gateway.path("")).await;
    assert_eq!(ended, code, "{arguments:?}: {words}");
    words
}

#[tokio::test]
async fn who_asks_by_https_where_no_tls_is_spoken_is_told_to_ask_by_http() {
    let authority = Authority::new();
    let builder = Builder::new().file("ca.pem", authority.certificate());
    let (gateway, _server) = start(builder).await;
    let said = ends(&gateway, 1, &["servers", "list", "--ca-cert", "ca.pem"]).await;
    assert!(said.contains("write http:// in --admin"), "{said}");
}

#[tokio::test]
async fn operators_ask_by_https_whom_they_trust() {
    let authority = Authority::new();
    let (gateway, a) = start(with_tls(&authority, "")).await;
    let server = a.address().to_string();
    let listed = ends(&gateway, 0, &["servers", "list", "--ca-cert", "ca.pem"]).await;
    assert!(listed.contains(&server), "{listed}");
    // The stream goes the same way.
    let status = ends(&gateway, 0, &["status", "--ca-cert", "ca.pem"]).await;
    assert!(status.contains(&server), "{status}");
    let said = ends(&gateway, 1, &["servers", "list"]).await;
    assert!(said.contains("certificate"), "{said}");
    let plain = format!("http://{}", gateway.admin_address());
    let plain = ["servers", "list", "--admin", &plain];
    let (code, said) = run_until_exit(&plain, &gateway.path("")).await;
    assert_eq!(code, 1, "{said}");
}

#[tokio::test]
async fn a_client_needs_a_certificate_where_authorities_are_named() {
    let authority = Authority::new();
    let [good, bad] = [
        authority.sign("operator"),
        Authority::new().sign("operator"),
    ];
    let builder = with_tls(&authority, ", client_ca = \"ca.pem\"")
        .file("good.pem", good.certificate)
        .file("good.key", good.key)
        .file("bad.pem", bad.certificate)
        .file("bad.key", bad.key);
    let (gateway, _server) = start(builder).await;
    let list = ["servers", "list", "--ca-cert", "ca.pem"];
    let with = |cert, key| [&list[..], &["--client-cert", cert, "--client-key", key]].concat();
    ends(&gateway, 0, &with("good.pem", "good.key")).await;
    ends(&gateway, 1, &list).await;
    ends(&gateway, 1, &with("bad.pem", "bad.key")).await;
    gateway.says("no TLS with an admin client").await;
    let half = [&list[..], &["--client-cert", "good.pem"]].concat();
    let said = ends(&gateway, 2, &half).await;
    assert!(said.contains("go together"), "{said}");
}

#[tokio::test]
async fn clients_that_do_not_shake_hands_hold_nobody_up() {
    let authority = Authority::new();
    let (gateway, _server) = start(with_tls(&authority, "")).await;
    let mut silent = Vec::new();
    for _ in 0..400 {
        let stream = TcpStream::connect(gateway.admin_address()).await;
        silent.push(stream.expect("it accepts"));
    }
    ends(&gateway, 0, &["servers", "list", "--ca-cert", "ca.pem"]).await;
    // They make room for each other, and are not waited for long.
    eventually("few of them are left", async || gateway.descriptors() < 100).await;
    drop(silent);
}

#[tokio::test]
async fn what_is_wrong_with_its_files_is_told_at_the_start() {
    let nobody = Upstream::nowhere();
    let authority = Authority::new();
    let other = authority.sign("localhost");
    for (keys, file, content, told) in [
        (
            "",
            "admin.key",
            other.key.as_str(),
            "admin.key: the key cannot be used",
        ),
        (
            "",
            "admin.pem",
            "no PEM",
            "admin.pem: cannot read a certificate chain",
        ),
        (
            ", client_ca = \"ca.pem\"",
            "ca.pem",
            "",
            "ca.pem: cannot read certificates of authorities",
        ),
        (
            ", client_ca = \"none.pem\"",
            "x",
            "",
            "none.pem cannot be read",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let builder = with_tls(&authority, keys).file(file, content);
        let path = folder.path().join("gatewright.toml");
        builder.pool(Pool::at(&[nobody])).write(&path);
        let (code, words) = run_until_exit(&["run"], folder.path()).await;
        assert_eq!(code, 2, "{words}");
        assert!(
            words.contains("admin.tls") && words.contains(told),
            "{words}"
        );
    }
}

#[tokio::test]
async fn another_certificate_takes_a_restart() {
    let authority = Authority::new();
    let (gateway, _server) = start(with_tls(&authority, "")).await;
    gateway.edit(|text| {
        text.replace(
            "key = \"admin.key\" }",
            "key = \"admin.key\", client_ca = \"ca.pem\" }",
        )
    });
    eventually("the change is refused", async || {
        gateway
            .log()
            .contains("admin.tls: it cannot change while the gateway runs")
    })
    .await;
}
