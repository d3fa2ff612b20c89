//! Clients that come by plain HTTP where only HTTPS is served, and what browsers
//! are told for the next time.

use crate::support::{Builder, Client, Pool, Upstream, plain, run_program};

/// A gateway whose plain listener sends its clients on, with other keys of TLS.
fn redirecting(server: &Upstream, target: &str, tls: &str) -> Builder {
    let tls = format!("self_signed = true{tls}");
    let builder = Builder::new().tls(&tls).pool(Pool::of(&[server]));
    builder.listener(&format!("redirect = \"{target}\""))
}

#[tokio::test]
async fn clients_are_sent_on_with_host_path_and_query() {
    let server = Upstream::named("a").await;
    let gateway = redirecting(&server, "https", "").start().await;
    for (head, status, location) in [
        (
            "GET /a/../b?c=/d HTTP/1.1\r\nhost: Shop.Example",
            301,
            "https://shop.example/b?c=/d",
        ),
        (
            "GET / HTTP/1.1\r\nhost: shop.example:8080",
            301,
            "https://shop.example/",
        ),
        (
            "POST /form HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 0",
            308,
            "https://[::1]/form",
        ),
        ("OPTIONS * HTTP/1.1\r\nhost: a", 308, "https://a/"),
    ] {
        let answer = gateway.exchange(format!("{head}\r\n\r\n")).await;
        assert_eq!(answer.status(), status, "{head}");
        assert_eq!(answer.headers("location"), [location]);
    }
    for head in ["GET / HTTP/1.0", "GET / HTTP/1.1\r\nhost: a:b:c"] {
        let answer = gateway.exchange(format!("{head}\r\n\r\n")).await;
        assert_eq!(answer.status(), 400, "{head}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn what_came_by_https_to_a_trusted_proxy_is_served() {
    let server = Upstream::named("a").await;
    let head = "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-proto: https\r\n\r\n";
    for (top, status) in [("", 301), ("trusted_proxies = [\"127.0.0.1\"]", 200)] {
        let builder = redirecting(&server, "https", "").top(top);
        let gateway = builder.start().await;
        assert_eq!(gateway.exchange(head).await.status(), status);
    }
}

#[tokio::test]
async fn browsers_are_told_over_https_alone_and_servers_may_say_it_themselves() {
    let server = Upstream::answering(|request| match request.target() {
        "/own" => "HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=1\r\n\
                   content-length: 0\r\n\r\n"
            .into(),
        _ => plain("a"),
    })
    .await;
    let hsts = ", hsts = { max_age = \"365 days\", include_subdomains = true, preload = true }";
    let tls = format!("self_signed = true{hsts}");
    let builder = Builder::new().tls(&tls).pool(Pool::of(&[&server]));
    let gateway = builder.start().await;
    let name = "strict-transport-security";
    assert!(gateway.get("/").await.headers(name).is_empty());
    for offered in ["http/1.1", "h2"] {
        let mut client = Client::https(gateway.tls_address(), &[offered]).await;
        let whole = "max-age=31536000; includeSubDomains; preload";
        assert_eq!(client.get("/").await.headers()[name], whole);
        assert_eq!(client.get("/own").await.headers()[name], "max-age=1");
    }
}

#[tokio::test]
async fn curl_follows_to_the_https_listener() {
    let server = Upstream::named("a").await;
    let gateway = redirecting(&server, "https:1", "").start().await;
    let (plain, tls) = (gateway.address().port(), gateway.tls_address().port());
    let line = format!(
        "curl --silent --show-error --location --insecure --data x=1 \
         --connect-to localhost:1:127.0.0.1:{tls} http://localhost:{plain}/form?a"
    );
    assert_eq!(run_program(&line, &gateway.path(""), "").await, "a");
    let request = server.request();
    assert_eq!((request.method(), request.target()), ("POST", "/form?a"));
}
