//! What operators write to have answers kept no more.

use super::{caching, said};

fn asking_host(host: &str) -> String {
    format!("GET /a/1 HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test]
async fn a_url_is_purged_in_whatever_writing() {
    let (_server, gateway) = caching("|Cache-Control: max-age=60", "true").await;
    for query in [
        "url=http://localhost/a/1",
        "url=HTTP://LocalHost/a/1",
        "url=http://localhost:80/a/1",
        "url=http://localhost/b/../a/%2531",
        "prefix=http://localhost/a/",
        "prefix=http://LOCALHOST/a/",
        "prefix=http://localhost:80/a/",
        "prefix=http://LocalH",
        "prefix=HTTP://localhost:80",
    ] {
        for host in ["localhost", "LOCALHOST:80"] {
            gateway.exchange(asking_host(host)).await;
            let again = gateway.exchange(asking_host(host)).await;
            let is_kept = said(&again).starts_with("gatewright; hit");
            assert!(is_kept, "{query} {host}");
        }
        let path = format!("/api/cache?{query}");
        let purged = gateway
            .change("DELETE", &path, serde_json::Value::Null)
            .await;
        assert_eq!(purged["purged"], 2, "{query}");
    }
}

#[tokio::test]
async fn what_names_no_url_purges_nothing_and_is_refused() {
    let (_server, gateway) = caching("|Cache-Control: max-age=60", "true").await;
    gateway.get("/a/1").await;
    for (field, text) in [
        ("url", ""),
        ("prefix", ""),
        ("url", "ftp://x/"),
        ("url", "%00"),
        ("url", "http://[::1"),
        ("url", "http://user@localhost/"),
        ("url", "http://localhost/%2500"),
        ("url", "/a/1"),
        ("prefix", "localhost/a/"),
        ("prefix", "http://local%20host/"),
    ] {
        let path = format!("/api/cache?{field}={text}");
        let error = gateway.call("DELETE", &path).refused(422).await;
        assert_eq!(error["field"], field, "{path}: {error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains("write"), "{path}: {error}");
    }
    let still = gateway.get("/a/1").await;
    assert!(said(&still).starts_with("gatewright; hit"), "{still:?}");
}
