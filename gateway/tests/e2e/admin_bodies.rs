//! Requests to the API that do not say what they must: which field is to blame,
//! what came, and what to write.

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Pool, Upstream};

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

/// A field and what is said of it.
fn blamed(error: &Value) -> [&str; 2] {
    ["field", "message"].map(|name| error[name].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_body_is_refused_with_the_field_and_in_words_that_are_no_programmers() {
    let (gateway, _a) = gateway().await;
    let port = "does not fit here; write a whole number from 0 to 65535";
    for (path, body, field, message) in [
        (
            "/api/servers",
            json!({ "host": "a", "port": "80" }),
            "port",
            format!("\"80\" {port}"),
        ),
        (
            "/api/servers",
            json!({ "host": "a", "port": 80, "wieght": 1 }),
            "wieght",
            "this field is not known; did you mean \"weight\"? (there are: host, port, weight, \
             pool, labels, draining, healthCheckPath, healthCheckInterval)"
                .to_owned(),
        ),
        (
            "/api/servers",
            json!({ "port": 80 }),
            "host",
            "the field \"host\" is missing; add it".to_owned(),
        ),
        (
            "/api/servers",
            json!([]),
            "",
            "a list does not fit here; write an object".to_owned(),
        ),
        (
            "/api/pools",
            json!({ "pool": "shop", "servers": [{ "host": "a", "port": [1] }] }),
            "servers[0].port",
            format!("a list {port}"),
        ),
    ] {
        let call = gateway.call("POST", path).json(&body);
        let error = call.refused(422).await;
        assert_eq!(blamed(&error), [field, &message], "{body}");
    }
    let seat = |body: Value| {
        gateway
            .call("PUT", "/api/bindings/-/policy.one")
            .json(&body)
    };
    // Where one of several words is expected, too.
    let error = seat(json!({ "plugin": "mine", "onFault": 5 }))
        .refused(422)
        .await;
    assert_eq!(
        blamed(&error),
        ["onFault", "5 does not fit here; write a text in quotes"]
    );
    let error = seat(json!({ "plugin": "mine", "onFault": "alow" }))
        .refused(422)
        .await;
    assert_eq!(
        blamed(&error),
        [
            "onFault",
            "\"alow\" is not known; did you mean \"allow\"? (there are: deny, allow)"
        ]
    );
}

#[tokio::test]
async fn a_field_that_is_there_twice_is_refused() {
    let (gateway, _a) = gateway().await;
    let call = gateway.call("POST", "/api/servers");
    let call = call.header("content-type", "application/json");
    let call = call.body("{\"host\": \"a\", \"port\": 1, \"port\": 2}");
    let error = call.refused(422).await;
    assert_eq!(
        blamed(&error)[1],
        "the field \"port\" is there twice; leave one out"
    );
}

#[tokio::test]
async fn a_query_is_refused_with_the_name_and_what_came() {
    let (gateway, _a) = gateway().await;
    for (path, field, message) in [
        (
            "/api/metrics/history?minutes=2",
            "minutes",
            "\"2\" is not known; write one of: 1, 5, 15",
        ),
        (
            "/api/metrics/history?top=0",
            "top",
            "0 does not fit here; write a whole number from 1 to 65535",
        ),
        (
            "/api/explain?limit=many",
            "limit",
            "\"many\" does not fit here; write a whole number",
        ),
    ] {
        let error = gateway.call("GET", path).refused(400).await;
        assert_eq!(error["code"], "bad_address");
        assert_eq!(blamed(&error), [field, message], "{path}");
    }
}

#[tokio::test]
async fn a_name_that_is_not_known_changes_nothing() {
    let (gateway, a) = gateway().await;
    let server = format!("/api/servers/{}", a.address());
    let pool = "this field is not known; did you mean \"pool\"? (there are: pool)";
    let none = "this field is not known; leave it out: nothing may follow the question mark here";
    for (method, path, field, message) in [
        ("DELETE", format!("{server}?pol=web"), "pol", pool),
        ("PUT", format!("{server}/weight?pol=web"), "pol", pool),
        ("GET", "/api/servers?pol=web".to_owned(), "pol", pool),
        ("GET", "/api/session-stats?pol=web".to_owned(), "pol", pool),
        ("GET", "/api/pools?pool=web".to_owned(), "pool", none),
        ("POST", "/api/servers?pool=web".to_owned(), "pool", none),
    ] {
        let error = gateway.call(method, &path).refused(400).await;
        assert_eq!(error["code"], "bad_address");
        assert_eq!(blamed(&error), [field, message], "{method} {path}");
    }
    let servers = gateway.api("/api/servers").await;
    assert_eq!(servers.as_array().expect("a list").len(), 1);
    // Probes and scrapers may add what they like.
    for path in ["/livez?now=1", "/metrics?job=gateway"] {
        let answer = gateway.call("GET", path).send().await;
        assert_eq!(answer.status(), 200, "{path}");
    }
}
