//! The dashboard's files: where they are, and what keeps browsers in bounds.

use crate::support::{Builder, Gateway, Pool, Upstream};

const PAGES: [&str; 7] = [
    "/",
    "/traffic",
    "/plugins",
    "/requests",
    "/sessions",
    "/events",
    "/simulations",
];

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

/// The files that a page names.
fn named(page: &str) -> Vec<String> {
    let values = ["src=\"", "href=\""].iter().flat_map(|attribute| {
        let values = page.split(attribute).skip(1);
        values.filter_map(|rest| rest.split('"').next())
    });
    let files = values.filter(|value| {
        [".js", ".css", ".svg"]
            .iter()
            .any(|end| value.ends_with(end))
    });
    files.map(|file| format!("/{file}")).collect()
}

#[tokio::test]
async fn every_page_comes_with_all_that_it_names_and_runs_nothing_inline() {
    let (gateway, _server) = gateway().await;
    for path in PAGES {
        let page = gateway.admin(path).await;
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = page.header("content-security-policy").expect("a policy");
        for rule in [
            "default-src 'none'; script-src 'self'; style-src 'self';",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        let files = named(page.text());
        assert!(files.len() > 5, "{path}: {files:?}");
        for file in files {
            assert_eq!(gateway.admin(&file).await.status(), 200, "{path}: {file}");
        }
    }
}

#[tokio::test]
async fn a_browser_asks_each_time_and_is_sent_what_has_changed() {
    let (gateway, _server) = gateway().await;
    let file = gateway.admin("/style/tokens.css").await;
    assert_eq!(file.header("cache-control"), Some("no-cache"));
    let tag = file.header("etag").expect("a tag").to_owned();
    let again = gateway.call("GET", "/style/tokens.css");
    let again = again.header("if-none-match", &tag).head().await;
    assert_eq!(again.status(), 304);
    let changed = gateway.call("GET", "/style/tokens.css");
    let changed = changed.header("if-none-match", "\"another\"").head().await;
    assert_eq!(changed.status(), 200);
}

#[tokio::test]
async fn what_is_no_part_of_the_pages_is_not_served() {
    let (gateway, _server) = gateway().await;
    for path in [
        "/index.html",
        "/docs",
        "/docs.html",
        "/tests/package.json",
        "/vendor/uplot/README.md",
        "/lib/../docs.css",
    ] {
        assert_eq!(gateway.admin(path).await.status(), 404, "{path}");
    }
    let answer = gateway.admin("/api/metrics").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
