//! Who gets at the API, and who does not.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Pool, Upstream, eventually, run_until_exit};

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

/// A token that is made through the API, with another one once there is one.
async fn token(gateway: &Gateway, role: &str, with: Option<&str>) -> String {
    let call = gateway.call("POST", "/api/tokens");
    let call = match with {
        Some(token) => call.token(token),
        None => call,
    };
    let wanted = json!({ "name": format!("of-{role}"), "role": role });
    let answer = call.json(&wanted).send().await;
    assert_eq!(answer.status(), 201, "{answer:?}");
    let token = &answer.json()["data"]["token"];
    token.as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn from_the_first_token_on_everybody_needs_one() {
    let (gateway, _server) = gateway().await;
    assert_eq!(gateway.admin("/api/servers").await.status(), 200);
    let deploy = token(&gateway, "deploy", None).await;
    for path in ["/api/servers", "/api/config", "/api/tokens", "/metrics"] {
        let answer = gateway.call("GET", path).send().await;
        assert_eq!(answer.status(), 401, "{path}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"gatewright\"")
        );
        let with = gateway.call("GET", path).token(&deploy).send().await;
        assert_eq!(with.status(), 200, "{path}");
    }
    for open in ["/livez", "/readyz", "/"] {
        assert_eq!(gateway.admin(open).await.status(), 200, "{open}");
    }
    let wrong = gateway.call("GET", "/api/servers").token("gw_wrong");
    assert_eq!(wrong.refused(401).await["code"], "unauthorized");
}

#[tokio::test]
async fn a_role_may_do_what_it_is_for_and_no_more() {
    let (gateway, server) = gateway().await;
    let deploy = token(&gateway, "deploy", None).await;
    let operate = token(&gateway, "operate", Some(&deploy)).await;
    let read = token(&gateway, "read", Some(&deploy)).await;
    let weight = format!("/api/servers/{}/weight", server.address());
    let weigh = |token: &str| {
        let call = gateway.call("PUT", &weight).token(token);
        call.json(&json!({ "weight": 3 }))
    };
    assert_eq!(weigh(&read).refused(403).await["code"], "forbidden");
    assert_eq!(weigh(&operate).send().await.status(), 200);
    let tokens = |token: &str| gateway.call("GET", "/api/tokens").token(token);
    assert_eq!(tokens(&operate).refused(403).await["code"], "forbidden");
    let listed = tokens(&deploy).send().await;
    assert_eq!(listed.json()["data"].as_array().expect("tokens").len(), 3);
    for token in [&deploy, &operate, &read] {
        assert!(!listed.text().contains(token.as_str()));
        assert!(!gateway.log().contains(token.as_str()));
    }
    let audit = gateway.call("GET", "/api/audit").token(&read).send().await;
    assert_eq!(audit.json()["data"][0]["who"], "of-operate");
}

#[tokio::test]
async fn revoked_and_expired_tokens_open_nothing_even_after_a_restart() {
    let (mut gateway, _server) = gateway().await;
    let deploy = token(&gateway, "deploy", None).await;
    let wanted = json!({ "name": "short", "role": "read", "expiresIn": 0 });
    let call = gateway.call("POST", "/api/tokens").token(&deploy);
    let expired = call.json(&wanted).send().await.json()["data"].take();
    let read = token(&gateway, "read", Some(&deploy)).await;
    let listed = gateway
        .call("GET", "/api/tokens")
        .token(&deploy)
        .send()
        .await;
    let listed = listed.json();
    let id = listed["data"].as_array().expect("tokens").iter();
    let id = id
        .filter(|one| one["name"] == "of-read")
        .map(|one| &one["id"]);
    let id = id
        .map(|id| id.as_str().expect("an id"))
        .next()
        .expect("one");
    let revoke = || {
        let path = format!("/api/tokens/{id}");
        gateway.call("DELETE", &path).token(&deploy)
    };
    assert_eq!(revoke().send().await.status(), 200);
    assert_eq!(revoke().refused(404).await["code"], "not_found");
    gateway.restart().await;
    for token in [expired["token"].as_str().expect("a token"), &read] {
        let call = gateway.call("GET", "/api/servers").token(token);
        assert_eq!(call.refused(401).await["code"], "unauthorized");
    }
    let call = gateway.call("GET", "/api/servers").token(&deploy);
    assert_eq!(call.send().await.status(), 200);
}

#[tokio::test]
async fn who_guesses_is_slowed_down_and_who_knows_is_not() {
    let (gateway, _server) = gateway().await;
    let deploy = token(&gateway, "deploy", None).await;
    for _ in 0..10 {
        let guess = gateway.call("GET", "/api/servers").token("gw_guess");
        assert_eq!(guess.refused(401).await["code"], "unauthorized");
    }
    let guess = gateway
        .call("GET", "/api/servers")
        .token("gw_guess")
        .send()
        .await;
    assert_eq!(guess.status(), 429);
    assert!(guess.header("retry-after").is_some());
    let call = gateway.call("GET", "/api/servers").token(&deploy);
    assert_eq!(call.send().await.status(), 200);
}

#[tokio::test]
async fn refusals_fill_no_log() {
    let (gateway, _server) = gateway().await;
    token(&gateway, "deploy", None).await;
    let path = format!("/api/servers/{}", "x".repeat(8000));
    for _ in 0..20 {
        gateway.call("GET", &path).refused(401).await;
    }
    gateway.says("turned away").await;
    assert_eq!(gateway.says_how_often("turned away"), 1);
    assert!(!gateway.log().contains(&"x".repeat(200)));
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let (gateway, server) = gateway().await;
    let path = format!("/api/servers/{}/drain", server.address());
    for origin in ["http://shop.example", "null", "http://127.0.0.1:1"] {
        let call = gateway.call("POST", &path).header("origin", origin);
        assert_eq!(call.refused(403).await["code"], "forbidden_origin");
    }
    // What a page embeds comes without an origin.
    for site in ["cross-site", "same-site"] {
        let call = gateway.call("GET", "/api/stream");
        let call = call.header("sec-fetch-site", site);
        assert_eq!(call.refused(403).await["code"], "forbidden_origin");
        let call = gateway.call("GET", "/").header("sec-fetch-site", site);
        let answer = call.header("sec-fetch-mode", "navigate").send().await;
        assert_eq!(answer.status(), 200);
        let policy = answer.header("cross-origin-resource-policy");
        assert_eq!(policy, Some("same-origin"));
    }
    let own = format!("http://{}", gateway.admin_address());
    let call = gateway.call("POST", &path).header("origin", &own);
    assert_eq!(call.send().await.status(), 200);
}

#[tokio::test]
async fn pages_of_origins_that_the_configuration_names_may_ask() {
    let (friend, later) = ("https://ops.example", "http://localhost:5173");
    let a = Upstream::named("a").await;
    let builder = Builder::new().pool(Pool::of(&[&a]));
    let gateway = builder
        .admin_with("origins = [\"https://OPS.example:443\"]")
        .start()
        .await;
    let deploy = token(&gateway, "deploy", None).await;
    let call = |origin: &str| gateway.call("GET", "/api/servers").header("origin", origin);
    let answer = call(friend).token(&deploy).send().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(friend));
    assert_eq!(answer.header("vary"), Some("origin"));
    // Its browser shows it why it was refused, too.
    let answer = call(friend).send().await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some(friend));
    let answer = call(later).token(&deploy).send().await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.header("access-control-allow-origin"), None);
    gateway.edit(|text| text.replace("https://OPS.example:443", later));
    eventually("the other origin may ask", async || {
        call(later).token(&deploy).send().await.status() == 200
    })
    .await;
    assert_eq!(
        call(friend).token(&deploy).refused(403).await["code"],
        "forbidden_origin"
    );
}

#[tokio::test]
async fn browsers_are_told_what_named_pages_may_do_and_nothing_of_others() {
    let a = Upstream::named("a").await;
    let builder = Builder::new().pool(Pool::of(&[&a]));
    let gateway = builder
        .admin_with("origins = [\"https://ops.example\"]")
        .start()
        .await;
    // A browser sends no token when it asks on its own account.
    token(&gateway, "deploy", None).await;
    let path = format!("/api/servers/{}/drain", a.address());
    let preflight = |origin: &str| {
        let call = gateway.call("OPTIONS", &path).header("origin", origin);
        call.header("access-control-request-method", "POST")
    };
    let answer = preflight("https://ops.example").send().await;
    assert_eq!(answer.status(), 204);
    for (name, part) in [
        ("access-control-allow-origin", "https://ops.example"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "authorization"),
        ("access-control-allow-headers", "if-match"),
    ] {
        let value = answer.header(name).unwrap_or_default();
        assert!(value.contains(part), "{name}: {value}");
    }
    let answer = preflight("https://shop.example").send().await;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

/// A configuration for an admin listener that others can reach.
fn open_to_all() -> Builder {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    Builder::new().admin("0.0.0.0:0").pool(Pool::at(&[nobody]))
}

#[tokio::test]
async fn a_listener_that_others_reach_needs_a_token_before_it_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    open_to_all().write(&folder.path().join("gatewright.toml"));
    let (code, words) = run_until_exit(&["run"], folder.path()).await;
    assert_eq!(code, 2, "{words}");
    for said in ["admin.listen", "gatewright token create", "--data"] {
        assert!(words.contains(said), "no {said:?} in:\n{words}");
    }
    let create = [
        "token", "create", "--role", "deploy", "--data", "data", "--json",
    ];
    let (code, words) = run_until_exit(&create, folder.path()).await;
    assert_eq!(code, 0, "{words}");
    let made: Value = serde_json::from_str(&words).expect("JSON");
    let token = made["token"].as_str().expect("a token");
    let gateway = Gateway::start_in(folder).await;
    let call = gateway.call("GET", "/api/servers");
    assert_eq!(call.refused(401).await["code"], "unauthorized");
    let call = gateway.call("GET", "/api/servers").token(token);
    assert_eq!(call.send().await.status(), 200);
}

#[tokio::test]
async fn the_first_token_makes_others_and_the_last_of_its_role_stays() {
    let (gateway, _server) = gateway().await;
    let make = |role: &str| json!({ "name": "first", "role": role });
    let call = gateway.call("POST", "/api/tokens").json(&make("read"));
    assert_eq!(call.refused(409).await["code"], "conflict");
    // Nobody is locked out by it.
    assert_eq!(gateway.admin("/api/servers").await.status(), 200);
    let deploy = token(&gateway, "deploy", None).await;
    let list = gateway.call("GET", "/api/tokens").token(&deploy);
    let id = list.send().await.json()["data"][0]["id"].take();
    let path = format!("/api/tokens/{}", id.as_str().expect("an id"));
    let revoke = gateway.call("DELETE", &path).token(&deploy);
    assert_eq!(revoke.refused(409).await["code"], "conflict");
    let open = gateway.call("GET", "/api/servers");
    assert_eq!(open.refused(401).await["code"], "unauthorized");
}
