//! Pools by region and by variant: a policy tells in a header, and the router
//! goes by it.

use std::collections::BTreeMap;

use crate::support::{Builder, Gateway, Pool, Upstream};

/// A gateway with the pools `web` and `other`, to which what this header says
/// leads, and this policy.
async fn split(header: &str, policy: &str, [web, other]: [&Upstream; 2]) -> Gateway {
    let routes = format!(
        "[router]\nplugin = \"path-router\"\n[router.config]\nroutes = [\
         {{ path = \"/*\", pool = \"web\" }}, {{ path = \"/*\", headers = {{ {header} }}, pool = \"other\" }}]"
    );
    Builder::new()
        .top("trusted_proxies = [\"127.0.0.1\"]")
        .with(policy)
        .with(&routes)
        .pool(Pool::of(&[web]))
        .pool(Pool::of(&[other]).named("other"))
        .start()
        .await
}

#[tokio::test]
async fn a_region_has_its_pool_and_its_servers_are_told() {
    let [web, other] = [Upstream::named("web").await, Upstream::named("other").await];
    let policy = "[[policy]]\nplugin = \"geo\"\n[policy.config]\ndefault = \"rest\"\n\
                  networks = { eu = [\"192.0.2.0/24\"], rest = [] }";
    let gateway = split("x-region = \"eu\"", policy, [&web, &other]).await;
    let from = |address: &str| {
        format!("GET / HTTP/1.1\r\nhost: a\r\nx-region: eu\r\nx-forwarded-for: {address}\r\n\r\n")
    };
    assert_eq!(gateway.exchange(from("192.0.2.7")).await.text(), "other");
    assert_eq!(gateway.exchange(from("198.51.100.7")).await.text(), "web");
    assert_eq!(other.request().headers("x-region"), ["eu"]);
    assert_eq!(web.request().headers("x-region"), ["rest"]);
}

#[tokio::test]
async fn a_client_keeps_its_variant_by_its_cookie() {
    let [web, other] = [Upstream::named("web").await, Upstream::named("other").await];
    let policy = "[[policy]]\nplugin = \"ab-split\"\n[policy.config]\nname = \"checkout\"\n\
                  variants = { a = 1, b = 1 }";
    let gateway = split("x-variant = \"b\"", policy, [&web, &other]).await;
    let mut drawn = BTreeMap::new();
    for _ in 0..60 {
        let first = gateway.get("/").await;
        let cookie = first.header("set-cookie").expect("a cookie");
        let pair = cookie.split(';').next().expect("a pair").to_owned();
        drawn.insert(pair, first.text().to_owned());
    }
    let expected = BTreeMap::from(
        [
            ("gw_split_checkout=a", "web"),
            ("gw_split_checkout=b", "other"),
        ]
        .map(|(cookie, pool)| (cookie.to_owned(), pool.to_owned())),
    );
    assert_eq!(drawn, expected);
    for (cookie, pool) in &drawn {
        for _ in 0..5 {
            let again = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n");
            let again = gateway.exchange(again).await;
            assert_eq!(again.text(), pool);
            assert_eq!(again.header("set-cookie"), None);
        }
    }
}
