//! Sessions that the gateway remembers: by the application's cookie or by the
//! client's address, and as operators see them.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Builder, Gateway, Message, Pool, Upstream, eventually};

/// An application that names a session by itself and its path: `/login` gives
/// it another name, `/logout` ends it.
async fn application(name: &'static str) -> Upstream {
    Upstream::answering(move |request| {
        let cookie = match request.target() {
            "/" if request.header("cookie").is_none() => {
                format!("set-cookie: theme=dark\r\nset-cookie: sessionId={name}-secret; Path=/\r\n")
            }
            "/login" => format!("set-cookie: sessionId={name}-user; HttpOnly\r\n"),
            "/logout" => "set-cookie: sessionId=; Max-Age=0\r\n".to_owned(),
            _ => String::new(),
        };
        let length = name.len();
        format!("HTTP/1.1 200 OK\r\n{cookie}content-length: {length}\r\n\r\n{name}")
    })
    .await
}

/// A gateway with this affinity before two applications.
async fn sticky(affinity: &str, servers: [&Upstream; 2]) -> Gateway {
    let pool = Pool::of(&servers)
        .with("balancer", "\"round-robin\"")
        .with("affinity", format!("\"{affinity}\""));
    Builder::new().workers(2).pool(pool).start().await
}

async fn ask(gateway: &Gateway, path: &str, session: &str) -> Message {
    let cookie = format!("cookie: sessionId={session}\r\n");
    gateway
        .exchange(format!("GET {path} HTTP/1.1\r\nhost: a\r\n{cookie}\r\n"))
        .await
}

/// Whether many requests of a session all come to one server.
async fn stays(gateway: &Gateway, session: &str, server: &str) -> bool {
    for _ in 0..8 {
        if ask(gateway, "/shop", session).await.text() != server {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn an_applications_session_stays_with_the_server_that_named_it() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    for _ in 0..4 {
        let server = gateway.get("/").await.text().to_owned();
        assert!(stays(&gateway, &format!("{server}-secret"), &server).await);
    }
}

#[tokio::test]
async fn a_session_that_is_renamed_stays_and_one_that_is_ended_is_forgotten() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    let server = gateway.get("/").await.text().to_owned();
    let (before, after) = (format!("{server}-secret"), format!("{server}-user"));
    assert_eq!(ask(&gateway, "/login", &before).await.text(), server);
    assert!(stays(&gateway, &after, &server).await);
    assert_eq!(
        gateway.api("/api/sessions").await.as_array().map(Vec::len),
        Some(2)
    );
    ask(&gateway, "/logout", &after).await;
    assert_eq!(
        gateway.api("/api/sessions").await.as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test]
async fn a_server_that_drains_keeps_its_sessions_and_gets_no_others() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    while gateway.get("/").await.text() != "a" {}
    let path = format!("/api/servers/{}/drain", a.address());
    gateway.change("POST", &path, Value::Null).await;
    eventually("new clients go to the other", async || {
        let new = [gateway.get("/").await, gateway.get("/").await];
        new.iter().all(|answer| answer.text() == "b")
    })
    .await;
    assert!(stays(&gateway, "a-secret", "a").await);
}

#[tokio::test]
async fn a_client_without_cookies_stays_by_its_address() {
    let [a, b] = [Upstream::named("a").await, Upstream::named("b").await];
    let gateway = sticky("sticky-ip", [&a, &b]).await;
    let first = gateway.get("/").await.text().to_owned();
    for _ in 0..8 {
        assert_eq!(gateway.get("/").await.text(), first);
    }
    let sessions = gateway.api("/api/sessions").await;
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
}

#[tokio::test]
async fn sessions_go_with_their_server_and_outlive_another_plugin() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    while gateway.get("/").await.text() != "a" {}
    while gateway.get("/").await.text() != "b" {}
    gateway.edit(|text| {
        text.replace(
            "\"sticky-learn\"",
            "{ plugin = \"sticky-learn\", config = { idle_s = 60 } }",
        )
    });
    gateway.says("generation 2").await;
    assert!(stays(&gateway, "a-secret", "a").await);
    assert!(stays(&gateway, "b-secret", "b").await);
    let path = format!("/api/servers/{}", b.address());
    gateway.change("DELETE", &path, Value::Null).await;
    eventually("its sessions are gone", async || {
        gateway.api("/api/sessions").await.as_array().map(Vec::len) == Some(1)
    })
    .await;
    assert!(stays(&gateway, "b-secret", "a").await);
}

#[tokio::test]
async fn sessions_outlive_another_build_of_their_plugin() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    let mut homes = Vec::new();
    for number in 0..8 {
        let session = format!("shopper-{number}");
        let home = ask(&gateway, "/shop", &session).await.text().to_owned();
        homes.push((home, session));
    }
    let before = gateway.api("/api/session-stats").await;
    assert_eq!(before["sessions"], 8);
    let seat = "web/affinity";
    let rebuilt = gateway.activate_rebuilt("sticky-learn", seat).await;
    assert_eq!(gateway.api("/api/session-stats").await, before);
    // Those of one server one after the other: who takes turns is found out.
    homes.sort();
    for (home, session) in &homes {
        assert!(stays(&gateway, session, home).await, "{session}");
    }
    assert!(gateway.has_seated(&rebuilt, seat).await);
    let stats = gateway.api("/api/plugins/sticky-learn/stats").await;
    let decisions = &stats["bindings"][0]["decisions"];
    assert!(decisions.as_u64() > Some(0), "{stats}");
}

#[tokio::test]
async fn operators_see_whose_session_is_where_and_never_its_name() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    while gateway.get("/").await.text() != "a" {}
    ask(&gateway, "/", "mine").await;
    let answer = gateway.admin("/api/sessions?pool=web&limit=1").await;
    let total: usize = answer
        .header("x-total-count")
        .expect("a count")
        .parse()
        .expect("a number");
    assert_eq!(answer.json()["data"].as_array().map(Vec::len), Some(1));
    let all = gateway.api("/api/sessions").await;
    let all = all.as_array().expect("sessions");
    assert_eq!(all.len(), total);
    let told = json!(all).to_string();
    assert!(!told.contains("secret") && !told.contains("mine"), "{told}");
    for session in all {
        for moment in ["createdAt", "lastAccessed", "expiresAt"] {
            assert!(session[moment].is_string(), "{session}");
        }
        assert!(session["expiresAt"].as_str() > session["lastAccessed"].as_str());
    }
    // Nor does a moment that is past move.
    for session in all {
        let id = session["sessionId"].as_str().expect("an id");
        let again = gateway.api(&format!("/api/sessions?search={id}")).await;
        assert_eq!(again[0]["createdAt"], session["createdAt"]);
        assert_eq!(again[0]["lastAccessed"], session["lastAccessed"]);
    }
    // Who knows the name finds the session by it, or by what the API calls it.
    let found = gateway.api("/api/sessions?search=a-secret").await;
    assert_eq!(found[0]["serverId"], a.address().to_string());
    let id = found[0]["sessionId"].as_str().expect("an id");
    let by_id = gateway
        .api(&format!("/api/sessions?search={}", &id[..6]))
        .await;
    assert_eq!(by_id[0]["sessionId"], id);
    let at = gateway
        .api(&format!("/api/sessions?server={}", a.address()))
        .await;
    assert!(
        at.as_array()
            .is_some_and(|at| at.iter().any(|one| one["sessionId"] == id))
    );
    let nobody = gateway.api("/api/sessions?search=nobody").await;
    assert_eq!(nobody, json!([]));
}

#[tokio::test]
async fn a_name_that_only_a_request_says_is_soon_forgotten_unless_it_is_used_again() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    let lives = async |name: &str| {
        let found = gateway.api(&format!("/api/sessions?search={name}")).await;
        let moment = |key: &str| {
            let text = found[0][key].as_str().expect("a moment");
            humantime::parse_rfc3339(text).expect("a time")
        };
        let left = moment("expiresAt").duration_since(moment("lastAccessed"));
        left.expect("a period").as_secs()
    };
    ask(&gateway, "/shop", "claimed").await;
    assert!((59..=60).contains(&lives("claimed").await));
    ask(&gateway, "/shop", "claimed").await;
    assert!((3599..=3600).contains(&lives("claimed").await));
    let server = gateway.get("/").await.text().to_owned();
    let named = format!("{server}-secret");
    assert!((3599..=3600).contains(&lives(&named).await));
}

#[tokio::test]
async fn a_list_of_sessions_confirms_no_guess() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    while gateway.get("/").await.text() != "a" {}
    let found = gateway.api("/api/sessions?search=a-secret").await;
    let id = found[0]["sessionId"].as_str().expect("an id");
    for guess in ["web\0a-secret", "a-secret"] {
        let digest = Sha256::digest(guess);
        assert!(!format!("{digest:x}").starts_with(id), "{guess}");
    }
}

#[tokio::test]
async fn a_session_that_an_operator_deletes_is_forgotten_and_noted() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    while gateway.get("/").await.text() != "a" {}
    let found = gateway.api("/api/sessions?search=a-secret").await;
    let id = found[0]["sessionId"].as_str().expect("an id");
    let path = format!("/api/sessions/{id}");
    // What cannot be noted is not done.
    gateway.limit_files(Some(0));
    gateway.call("DELETE", &path).refused(507).await;
    let left = gateway.api("/api/sessions?search=a-secret").await;
    assert_eq!(left[0]["sessionId"], id);
    gateway.limit_files(None);
    let deleted = gateway.change("DELETE", &path, Value::Null).await;
    assert_eq!(deleted, json!({ "sessionId": id, "deleted": true }));
    assert_eq!(
        gateway.api("/api/sessions?search=a-secret").await,
        json!([])
    );
    gateway.call("DELETE", &path).refused(404).await;
    let audit = gateway.api("/api/audit").await;
    assert_eq!(audit[0]["action"], "session.delete");
    assert_eq!(audit[0]["target"], id);
}

#[tokio::test]
async fn of_two_who_delete_a_session_at_once_one_does_and_is_noted() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    while gateway.get("/").await.text() != "a" {}
    let found = gateway.api("/api/sessions?search=a-secret").await;
    let id = found[0]["sessionId"].as_str().expect("an id");
    let path = format!("/api/sessions/{id}");
    let delete = async || gateway.call("DELETE", &path).send().await.status();
    let (one, other) = tokio::join!(delete(), delete());
    assert_eq!([one.min(other), one.max(other)], [200, 404]);
    let audit = gateway.api("/api/audit").await;
    let entries = audit.as_array().expect("entries").iter();
    let noted = entries.filter(|entry| entry["action"] == "session.delete");
    assert_eq!(noted.count(), 1, "{audit}");
}

#[tokio::test]
async fn sessions_are_counted_by_pools_and_servers() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    let stats = async || gateway.api("/api/session-stats").await;
    assert_eq!(stats().await["sessions"], 0);
    while gateway.get("/").await.text() != "a" {}
    ask(&gateway, "/", "mine").await;
    let listed = gateway.api("/api/sessions").await;
    let listed = listed.as_array().expect("sessions");
    let counted = stats().await;
    assert_eq!(counted["sessions"], listed.len());
    assert_eq!(gateway.api("/api/session-stats?pool=web").await, counted);
    let pool = &counted["pools"][0];
    assert_eq!(
        (&pool["pool"], &pool["affinity"]),
        (&json!("web"), &json!("sticky-learn"))
    );
    for (place, server) in [&a, &b].into_iter().enumerate() {
        let id = server.address().to_string();
        let own = listed.iter().filter(|one| one["serverId"] == id).count();
        let told = json!({ "serverId": id, "sessions": own });
        assert_eq!(pool["servers"][place], told);
    }
}

#[tokio::test]
async fn the_newest_sessions_come_first_on_every_page() {
    let [a, b] = [application("a").await, application("b").await];
    let gateway = sticky("sticky-learn", [&a, &b]).await;
    let names: Vec<_> = (0..10).map(|n| format!("session-{n}")).collect();
    let mut ids = Vec::new();
    for name in &names {
        ask(&gateway, "/", name).await;
        let found = gateway.api(&format!("/api/sessions?search={name}")).await;
        ids.push(found[0]["sessionId"].clone());
    }
    ids.reverse();
    let mut paged = Vec::new();
    for offset in [0, 4, 8, 12] {
        let path = format!("/api/sessions?limit=4&offset={offset}");
        let page = gateway.api(&path).await;
        let page = page.as_array().expect("sessions");
        paged.extend(page.iter().map(|one| one["sessionId"].clone()));
    }
    assert_eq!(paged, ids);
}
