//! Asking another server whether a request may go on.

use crate::support::{Builder, Gateway, Pool, Upstream, plain};

const AUTH: &str = "{ pool = \"auth\", path = \"/verify\", headers = [\"X-User\", \"x-groups\"] }";

/// Lets those pass who have the right token.
async fn authority() -> Upstream {
    Upstream::answering(|request| match request.header("authorization") {
        Some("Bearer right") => {
            "HTTP/1.1 204 No Content\r\nX-User: ann\r\nX-Groups: a\r\nX-Groups: b\r\nX-Other: no\r\n\r\n".into()
        }
        Some(_) => "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope".into(),
        None => "HTTP/1.1 302 Found\r\nLocation: /login\r\nSet-Cookie: from=x\r\nContent-Length: 0\r\n\r\n".into(),
    })
    .await
}

async fn guarded(server: &Upstream, auth: Pool) -> Gateway {
    let pool = Pool::of(&[server]).with("forward_auth", AUTH);
    let builder = Builder::new().top("default_pool = \"web\"");
    builder.pool(pool).pool(auth.named("auth")).start().await
}

#[tokio::test]
async fn who_may_pass_does_with_what_was_said_of_it() {
    let (server, auth) = (Upstream::named("inside").await, authority().await);
    let gateway = guarded(&server, Pool::of(&[&auth])).await;
    let response = gateway
        .exchange(
            "POST /a?b=c HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer right\r\nX-User: root\r\n\
             X-Groups: admins\r\nContent-Length: 5\r\n\r\nhello",
        )
        .await;
    assert_eq!(response.text(), "inside");
    let asked = auth.request();
    assert_eq!((asked.method(), asked.target()), ("GET", "/verify"));
    assert_eq!(asked.header("x-forwarded-method"), Some("POST"));
    assert_eq!(asked.header("x-forwarded-uri"), Some("/a?b=c"));
    assert_eq!(asked.header("x-forwarded-host"), Some("shop"));
    assert_eq!(asked.header("content-length"), None);
    let served = server.request();
    assert_eq!((served.target(), served.text()), ("/a?b=c", "hello"));
    assert_eq!(served.headers("x-user"), ["ann"]);
    assert_eq!(served.headers("x-groups"), ["a", "b"]);
    assert_eq!(served.header("x-other"), None);
    assert_eq!(served.header("x-forwarded-uri"), None);
}

#[tokio::test]
async fn who_may_not_pass_gets_the_authoritys_own_answer() {
    let (server, auth) = (Upstream::named("inside").await, authority().await);
    let gateway = guarded(&server, Pool::of(&[&auth])).await;
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 302);
    assert_eq!(response.header("location"), Some("/login"));
    assert_eq!(response.header("set-cookie"), Some("from=x"));
    let wrong = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n\r\n";
    let response = gateway.exchange(wrong).await;
    assert_eq!((response.status(), response.text()), (403, "nope"));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn without_an_answer_nobody_passes() {
    let server = Upstream::named("inside").await;
    let gateway = guarded(&server, Pool::at(&[Upstream::nowhere()])).await;
    let right = "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer right\r\n\r\n";
    assert_eq!(gateway.exchange(right).await.status(), 502);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn headers_that_are_not_said_are_not_the_clients_either() {
    let server = Upstream::named("inside").await;
    let silent = Upstream::answering(|_| plain("fine")).await;
    let gateway = guarded(&server, Pool::of(&[&silent])).await;
    let spoofed = "GET / HTTP/1.1\r\nHost: a\r\nX-User: root\r\nX_User: root\r\n\r\n";
    assert_eq!(gateway.exchange(spoofed).await.text(), "inside");
    let served = server.request();
    assert_eq!(
        (served.header("x-user"), served.header("x_user")),
        (None, None)
    );
}

#[tokio::test]
async fn what_was_said_of_a_client_is_not_said_again_behind_its_body() {
    let (server, auth) = (Upstream::named("inside").await, authority().await);
    let gateway = guarded(&server, Pool::of(&[&auth])).await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer right\r\nTE: trailers\r\n\
                Transfer-Encoding: chunked\r\nTrailer: x-user, x-sum\r\n\r\n";
    let trailers = "0\r\nX-User: root\r\nx_groups: admins\r\nX-Sum: 1\r\n\r\n";
    let response = gateway
        .exchange(format!("{head}2\r\nhi\r\n{trailers}"))
        .await;
    assert_eq!(response.text(), "inside");
    let served = server.request();
    assert_eq!(served.headers("x-user"), ["ann"]);
    assert_eq!(served.trailers.to_ascii_lowercase(), "x-sum: 1\n");
}

#[tokio::test]
async fn the_connection_to_the_authority_serves_again_after_an_answer_with_a_body() {
    let server = Upstream::named("inside").await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n";
    let wordy = Upstream::answering(|_| chunked.into()).await;
    let gateway = guarded(&server, Pool::of(&[&wordy])).await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/").await.text(), "inside");
    }
    assert_eq!(wordy.connections(), 1);
}
