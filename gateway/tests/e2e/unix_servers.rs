//! Servers behind Unix sockets: whatever holds for others holds for them, and
//! what takes an address elsewhere is said in its place.

use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::{
    Authority, Builder, Door, Gateway, Pool, Upstream, Wire, acceptor, eventually, get, plain,
    run_until_exit,
};

#[tokio::test]
async fn a_server_behind_a_unix_socket_gets_what_any_server_gets() {
    let server = Upstream::answering(|request| plain(request.text())).await;
    let door = Door::to(&server);
    let gateway = Gateway::before(Pool::behind(&[&door])).await;
    let body = "x".repeat(3 << 20);
    let mut client = gateway.connect().await;
    for _ in 0..3 {
        let length = body.len();
        let head = format!("POST /a HTTP/1.1\r\nhost: shop.example\r\ncontent-length: {length}");
        client.send(format!("{head}\r\n\r\n{body}")).await;
        assert!(client.response().await.text() == body);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.headers("host"), ["shop.example"]);
        assert_eq!(request.headers("x-forwarded-for"), ["127.0.0.1"]);
    }
    assert_eq!(server.connections(), 1, "connections are kept");
}

#[tokio::test]
async fn health_checks_find_a_socket_that_goes_and_comes_back() {
    let server = Upstream::named("a").await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.sock");
    let door = Door::at(&path, &server);
    let pool = Pool::behind(&[&door]).checked();
    let gateway = Gateway::before(pool).await;
    let is = async |status| {
        eventually("its state changes", async || {
            gateway.count(status).await == 1
        })
        .await;
    };
    is("healthy").await;
    assert_eq!(server.requests()[0].headers("host"), ["localhost"]);
    drop(door);
    is("unhealthy").await;
    let _door = Door::at(&path, &server);
    is("healthy").await;
    assert_eq!(gateway.get("/").await.text(), "a");
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_passed_over() {
    let server = Upstream::named("a").await;
    let door = Door::to(&server);
    let gone = Door::to(&server);
    let pool = Pool::behind(&[&gone, &door]);
    drop(gone);
    let gateway = Gateway::before(pool).await;
    for _ in 0..4 {
        assert_eq!(gateway.get("/").await.text(), "a");
    }
    gateway.says("cannot connect to a server").await;
}

#[tokio::test]
async fn a_server_behind_a_unix_socket_proves_the_name_that_its_pool_says() {
    let authority = Authority::new();
    let acceptor = acceptor(&authority.sign("app.internal"), &[], None);
    let server = Upstream::speaking(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut wire = Wire::new(stream);
            while wire.request().await.is_some() {
                wire.send(plain("a")).await;
            }
        }
    })
    .await;
    let door = Door::to(&server);
    let builder = Builder::new().file("ca.pem", authority.certificate());
    let pool = Pool::behind(&[&door]);
    let tls = "{ ca = \"ca.pem\", name = \"app.internal\" }";
    let named = builder.clone().pool(pool.clone().with("tls", tls));
    assert_eq!(named.start().await.get("/").await.text(), "a");
    let folder = tempfile::tempdir().expect("a folder");
    let unnamed = builder.pool(pool.with("tls", "{ ca = \"ca.pem\" }"));
    unnamed.write(&folder.path().join("gatewright.toml"));
    let arguments = ["run", "-c", "gatewright.toml"];
    let (code, said) = run_until_exit(&arguments, folder.path()).await;
    assert_ne!(code, 0);
    assert!(said.contains("pools.web.tls: "), "{said}");
}

#[tokio::test]
async fn a_server_behind_a_unix_socket_is_told_of_the_client_by_the_proxy_protocol() {
    let server = Upstream::speaking(|mut stream| async move {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            line.push(byte);
        }
        let mut wire = Wire::new(stream);
        if wire.request().await.is_some() {
            wire.send(plain(&line.escape_ascii().to_string())).await;
        }
    })
    .await;
    let door = Door::to(&server);
    let pool = Pool::behind(&[&door]).with("proxy_protocol", "\"v1\"");
    let gateway = Gateway::before(pool).await;
    let mut client = gateway.connect().await;
    let port = client.stream.local_addr().expect("an address").port();
    client.send(get("/")).await;
    let here = gateway.address().port();
    let told = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {port} {here}\\r\\n");
    assert_eq!(client.response().await.text(), told);
}

#[tokio::test]
async fn servers_behind_unix_sockets_come_and_go_through_the_api() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let [first, second] = [Door::to(&a), Door::to(&b)];
    let gateway = Gateway::before(Pool::behind(&[&first])).await;
    let host = second.address();
    let new = json!({ "host": host });
    let added = gateway.change("POST", "/api/servers", new).await;
    assert_eq!(added["serverId"], json!(host));
    assert_eq!(added["host"], json!(host));
    assert_eq!(added["port"], json!(null));
    let path = |door: &Door| format!("/api/servers/{}", door.address().replace('/', "%2F"));
    let weight = format!("{}/weight", path(&second));
    let weighed = gateway.change("PUT", &weight, json!({ "weight": 2 })).await;
    assert_eq!(weighed["weight"], 2);
    let removed = gateway.change("DELETE", &path(&first), json!(null)).await;
    assert_eq!(removed["removed"], true);
    eventually("the other has all requests", async || {
        gateway.get("/").await.text() == "b"
    })
    .await;
    let with_port = json!({ "host": host, "port": 80 });
    let refused = gateway.call("POST", "/api/servers").json(&with_port);
    assert_eq!(refused.send().await.status(), 422);
}
