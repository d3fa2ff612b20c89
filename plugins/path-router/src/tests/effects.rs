//! What a route does to a request beside choosing its pool.

use gatewright_plugin_sdk::testing::{self, Answer};
use gatewright_plugin_sdk::{Decision, Router};
use serde_json::{Value, json};

use super::{get, pool, router};

/// The path that the server sees for a GET of `path` by this one route.
fn rewritten(route: &Value, path: &str) -> Option<String> {
    get(&mut router(&json!({"routes": [route]})), path);
    testing::host(|host| host.rewrites.path.clone())
}

/// Status and place of a redirect of `path` by this one route.
fn redirected(route: &Value, path: &str, query: Option<&str>) -> (Decision, Option<String>) {
    let mut router = router(&json!({"routes": [route]}));
    testing::host(|host| host.request.query = query.map(Into::into));
    let decision = router.route("GET", "shop.example:8080", path);
    let headers = testing::host(|host| host.response.headers.clone());
    (
        decision,
        headers
            .into_iter()
            .find(|(name, _)| name == "location")
            .map(|(_, place)| place),
    )
}

#[test]
fn a_prefix_is_stripped_at_a_segment() {
    let route = json!({"path": "/api/*", "pool": "api", "strip_prefix": "/api/"});
    assert_eq!(rewritten(&route, "/api/users").as_deref(), Some("/users"));
    assert_eq!(rewritten(&route, "/api").as_deref(), Some("/"));
    let every = json!({"pool": "api", "strip_prefix": "/api"});
    assert_eq!(rewritten(&every, "/apis"), None);
}

#[test]
fn a_rewrite_repeats_what_was_matched() {
    let prefix = json!({"path": "/old/*", "pool": "web", "rewrite": "/new/*"});
    assert_eq!(rewritten(&prefix, "/old/a/b").as_deref(), Some("/new/a/b"));
    let exact = json!({"path": "/old", "pool": "web", "rewrite": "/new"});
    assert_eq!(rewritten(&exact, "/old").as_deref(), Some("/new"));
    let regex = json!({"path": "~^/u/([0-9]+)$", "pool": "web", "rewrite": "/users/$1"});
    assert_eq!(rewritten(&regex, "/u/7").as_deref(), Some("/users/7"));
}

#[test]
fn a_redirect_keeps_path_and_query() {
    let moved = json!({"path": "/old/*", "redirect": {"to": "/new/*", "status": 301}});
    let (decision, place) = redirected(&moved, "/old/a", Some("b=1"));
    assert_eq!(decision, Decision::Answer(301));
    assert_eq!(place.as_deref(), Some("/new/a?b=1"));

    let away = json!({"redirect": {"to": "https://example.com/?from=shop"}});
    let (decision, place) = redirected(&away, "/", Some("b=1"));
    assert_eq!(decision, Decision::Answer(307));
    assert_eq!(place.as_deref(), Some("https://example.com/?from=shop"));
}

#[test]
fn https_is_the_same_place_on_its_port() {
    let (decision, place) = redirected(&json!({"redirect": {"https": true}}), "/a", Some("b=1"));
    assert_eq!(decision, Decision::Answer(308));
    assert_eq!(place.as_deref(), Some("https://shop.example/a?b=1"));
    let (_, place) = redirected(&json!({"redirect": {"https": 8443}}), "/a", None);
    assert_eq!(place.as_deref(), Some("https://shop.example:8443/a"));
}

#[test]
fn an_answer_has_its_body() {
    let answer = json!({"status": 503, "body": "closed", "content_type": "text/html"});
    let mut router = router(&json!({"routes": [{"answer": answer}]}));
    assert_eq!(router.route("GET", "localhost", "/"), Decision::Answer(503));
    let expected = Answer {
        content_type: "text/html".into(),
        body: b"closed".to_vec(),
    };
    assert_eq!(
        testing::host(|host| host.response.answer.take()),
        Some(expected)
    );
}

#[test]
fn a_split_shares_clients_out_by_weight_and_keeps_each_where_it_is() {
    let split = json!([
        {"pool": "web", "weight": 90}, {"pool": "new", "weight": 10}, {"pool": "api", "weight": 0},
    ]);
    let mut router = router(&json!({"routes": [{"split": split}]}));
    let mut new = 0;
    for client in 0..20_000 {
        let address = format!("192.0.{}.{}", client / 250, client % 250);
        testing::host(|host| host.request.client_address = address);
        let chosen = get(&mut router, "/");
        assert_ne!(chosen, "api");
        assert_eq!(chosen, pool(router.route("GET", "localhost", "/other")));
        new += u32::from(chosen == "new");
    }
    // Five standard deviations around the mean of 2,000.
    assert!((1_780..2_220).contains(&new), "{new}");
}
