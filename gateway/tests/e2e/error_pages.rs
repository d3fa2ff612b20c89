//! What clients read when the gateway itself answers: its own words, or pages
//! that the operator has made.

use crate::support::{Builder, Gateway, Pool, Upstream, eventually};

const PAGES: &str = "error_pages = { 503 = \"closed.html\", 5xx = \"down.json\" }";

async fn with_pages(pool: Pool) -> Gateway {
    let builder = Builder::new()
        .top(PAGES)
        .file("closed.html", "<h1>Closed</h1>")
        .file("down.json", "{\"down\": true}");
    builder.pool(pool).start().await
}

#[tokio::test]
async fn a_status_has_its_own_page_or_its_hundreds() {
    let gateway = with_pages(Pool::at(&[Upstream::nowhere()])).await;
    let response = gateway.get("/").await;
    assert_eq!(
        (response.status(), response.text()),
        (502, "{\"down\": true}")
    );
    assert_eq!(response.header("content-type"), Some("application/json"));
    let response = gateway.exchange("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(response.status(), 400);
    assert!(response.text().contains("\"error\""), "{response:?}");
}

#[tokio::test]
async fn a_servers_own_errors_are_its_own() {
    let server = Upstream::answering(|_| {
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nown".to_owned()
    })
    .await;
    let gateway = with_pages(Pool::of(&[&server])).await;
    assert_eq!(gateway.get("/").await.text(), "own");
}

#[tokio::test]
async fn a_pool_under_maintenance_answers_with_its_page_until_it_is_over() {
    let server = Upstream::named("open").await;
    let gateway = with_pages(Pool::of(&[&server]).with("maintenance", "true")).await;
    let response = gateway.get("/").await;
    assert_eq!(
        (response.status(), response.text()),
        (503, "<h1>Closed</h1>")
    );
    assert_eq!(
        response.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(response.header("retry-after"), Some("1"));
    gateway.put("closed.html", "<h1>Back at nine</h1>");
    eventually("the page is the new one", async || {
        gateway.get("/").await.text() == "<h1>Back at nine</h1>"
    })
    .await;
    gateway.edit(|text| text.replace("maintenance = true", "maintenance = false"));
    eventually("it is open", async || {
        gateway.get("/").await.text() == "open"
    })
    .await;
}
