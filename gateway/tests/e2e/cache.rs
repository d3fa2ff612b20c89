//! Pools that cache: an answer that is kept needs no server. What may be kept and for
//! how long is a table, each line of which is a case of RFC 9111.

mod purging;
mod serving;
mod sharing;
mod slow_clients;
mod table;
mod validating;

use crate::support::{Gateway, Message, Pool, Upstream, get};

/// A gateway before a server that answers with this head and the number of the
/// request.
async fn caching(head: &'static str, keys: &str) -> (Upstream, Gateway) {
    let count = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
    let server = Upstream::answering(move |_| {
        let count = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        numbered(head, count)
    })
    .await;
    let gateway = Gateway::before(Pool::of(&[&server]).with("cache", keys)).await;
    (server, gateway)
}

/// An answer whose status line and headers are these, with a number for its body.
fn numbered(head: &str, number: usize) -> String {
    let (status, headers) = head.split_once('|').unwrap_or((head, ""));
    let status = match status {
        "" => "200 OK",
        status => status,
    };
    let headers: String = headers
        .split('|')
        .filter(|line| !line.is_empty())
        .map(|line| format!("{}\r\n", line.trim()))
        .collect();
    let body = number.to_string();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request with these headers.
fn asking(method: &str, path: &str, headers: &str) -> String {
    let lines = headers.split('|').filter(|line| !line.is_empty());
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

fn said(response: &Message) -> &str {
    response.header("cache-status").unwrap_or_default()
}

#[tokio::test]
async fn an_answer_that_is_fresh_needs_no_server() {
    let (server, gateway) = caching("|Cache-Control: max-age=60|X-A: b", "true").await;
    let first = gateway.get("/a?b").await;
    assert_eq!(first.text(), "1");
    assert_eq!(said(&first), "gatewright; fwd=uri-miss; stored");
    let second = gateway.get("/a?b").await;
    assert_eq!((second.status(), second.text()), (200, "1"));
    assert_eq!(second.header("x-a"), Some("b"));
    assert!(second.header("age").is_some());
    assert!(
        said(&second).starts_with("gatewright; hit; ttl="),
        "{second:?}"
    );
    assert_eq!(gateway.get("/a").await.text(), "2", "another URL");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_pool_that_does_not_cache_asks_each_time_and_says_nothing_of_it() {
    let (server, gateway) = caching("|Cache-Control: max-age=60", "false").await;
    for number in ["1", "2"] {
        let response = gateway.exchange(get("/")).await;
        assert_eq!(response.text(), number);
        assert_eq!(response.header("cache-status"), None);
        assert_eq!(response.header("age"), None);
    }
    assert_eq!(server.requests().len(), 2);
}
