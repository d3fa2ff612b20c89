//! The API's own description: that it is whole, that it is true of who may ask,
//! and that people can read it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Builder, Gateway, Pool, Upstream};

/// The words of the roles, from the least to the most.
const ROLES: [&str; 3] = ["read", "operate", "deploy"];

async fn gateway() -> (Gateway, Upstream) {
    let a = Upstream::named("a").await;
    let gateway = Builder::new().pool(Pool::of(&[&a])).start().await;
    (gateway, a)
}

async fn document(gateway: &Gateway) -> Value {
    let answer = gateway.admin("/api/openapi.json").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()
}

/// A path's operations: the method, the path, what is said of it.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods
            .iter()
            .map(|(method, said)| (method.to_uppercase(), path.clone(), said))
    });
    operations.collect()
}

/// The role that an operation takes; none for everybody's.
fn role(operation: &Value) -> Option<&str> {
    operation["security"][0]["token"][0].as_str()
}

/// Everything in a document that a reference points to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let reference = fields.get("$ref").and_then(Value::as_str);
            found.extend(reference.map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_whole() {
    let (gateway, _server) = gateway().await;
    let document = document(&gateway).await;
    assert_eq!(document["openapi"], "3.1.0");
    let operations = operations(&document);
    let names = operations.iter().map(|(_, _, said)| &said["operationId"]);
    let names: BTreeSet<_> = names.map(|name| name.as_str().expect("a name")).collect();
    assert_eq!(names.len(), operations.len(), "two have the same name");
    let mut pointed = BTreeSet::new();
    references(&document, &mut pointed);
    for reference in &pointed {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "no {reference}");
    }
    let tags = document["tags"].as_array().expect("tags");
    for (method, path, said) in &operations {
        let tag = &said["tags"][0];
        assert!(
            tags.iter().any(|known| known["name"] == *tag),
            "{method} {path}: {tag}"
        );
    }
}

#[tokio::test]
async fn the_manual_tells_of_every_path_in_the_document() {
    let manual = include_str!("../../../docs/admin-api.md");
    let (gateway, _server) = gateway().await;
    for (method, path, _) in operations(&document(&gateway).await) {
        let is_told = manual.contains(&format!("{path}`"));
        assert!(
            is_told,
            "docs/admin-api.md does not tell of {method} {path}"
        );
    }
}

#[tokio::test]
async fn every_operation_asks_for_the_role_that_the_document_says() {
    let (gateway, _server) = gateway().await;
    let document = document(&gateway).await;
    let mut tokens = Vec::<String>::new();
    // The one that may make others comes first.
    for role in ROLES.iter().rev() {
        let call = gateway.call("POST", "/api/tokens");
        let call = match tokens.first() {
            Some(token) => call.token(token),
            None => call,
        };
        let made = call
            .json(&json!({ "name": role, "role": role }))
            .send()
            .await;
        let token = made.json()["data"]["token"].as_str().map(str::to_owned);
        tokens.push(token.expect("a token"));
    }
    tokens.reverse();
    for (method, path, said) in operations(&document) {
        let path = path.replace("{serverId}", "x:1").replace(['{', '}'], "");
        let bare = gateway.call(&method, &path).send().await;
        let Some(role) = role(said) else {
            assert_eq!(bare.status(), 200, "{method} {path}");
            continue;
        };
        assert_eq!(bare.status(), 401, "{method} {path}");
        let needed = ROLES.iter().position(|known| *known == role);
        for (at, token) in tokens.iter().enumerate() {
            let answer = gateway.call(&method, &path).token(token).head().await;
            let is_refused = answer.status() == 403;
            assert_eq!(
                is_refused,
                Some(at) < needed,
                "{method} {path} as {}",
                ROLES[at]
            );
            let status = answer.status().to_string();
            let known = said["responses"].get(&status);
            assert!(known.is_some(), "{method} {path} answers {status}");
        }
    }
}

#[tokio::test]
async fn the_viewer_comes_whole_from_the_gateway_and_runs_nothing_inline() {
    let (gateway, _server) = gateway().await;
    let page = gateway.admin("/api/docs").await;
    assert_eq!(page.status(), 200);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(
        policy.contains("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    let text = page.text();
    assert!(
        !text.contains("http:") && !text.contains("https:"),
        "{text}"
    );
    assert!(text.contains("spec-url=\"/api/openapi.json\""));
    for (path, kind) in [
        ("/api/docs/docs.css", "text/css"),
        ("/api/docs/rapidoc-min.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        assert!(
            text.contains(&format!("=\"{path}\"")),
            "the page has no {path}"
        );
        let file = gateway.admin(path).await;
        assert_eq!(file.status(), 200, "{path}");
        let is = file.header("content-type").expect("a type");
        assert!(is.starts_with(kind), "{path}: {is}");
    }
}
