//! Registries that behave well, badly, or ask for more.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::HOST;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::*;

/// A path, and the credentials that were shown for it.
type Asked = (String, Option<String>);

/// What a registry does.
#[derive(Clone, Default)]
struct Manners {
    component: Vec<u8>,
    /// In place of the manifest.
    manifest: Option<Vec<u8>>,
    /// In place of the component.
    blob: Option<Vec<u8>>,
    /// Whether it asks for a token.
    tokens: bool,
    /// Where it sends those who ask for the component.
    sends_to: Option<String>,
    /// What was asked.
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Manners {
    fn of(component: &[u8]) -> Self {
        Self {
            component: component.to_vec(),
            ..Self::default()
        }
    }

    fn manifest(&self) -> Vec<u8> {
        let digest = Digest(Sha256::digest(&self.component).into());
        let layer = json!({
            "mediaType": "application/wasm",
            "digest": format!("sha256:{digest}"),
            "size": self.component.len(),
            "annotations": { "gatewright.minisig": "signed" },
        });
        let own = json!({ "schemaVersion": 2, "layers": [layer] });
        self.manifest.clone().unwrap_or(own.to_string().into())
    }

    /// Start it; its host.
    async fn serve(self) -> String {
        let routes = Router::new()
            .route("/v2/shop/near/{kind}/{name}", get(answer))
            .route("/token", get(token))
            .route("/stored", get(stored))
            .with_state(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        host
    }
}

/// Note who asks for what.
fn note(manners: &Manners, request: &Request) -> Option<String> {
    let credentials = request.headers().get("authorization");
    let credentials = credentials.map(|value| value.to_str().unwrap().to_owned());
    let path = request.uri().path().to_owned();
    let mut asked = manners.asked.lock().unwrap();
    asked.push((path, credentials.clone()));
    credentials
}

async fn answer(
    State(manners): State<Manners>,
    Path((kind, _)): Path<(String, String)>,
    request: Request,
) -> Response {
    let credentials = note(&manners, &request);
    if manners.tokens && credentials.as_deref() != Some("Bearer the-token") {
        let host = request.headers()[HOST].to_str().unwrap();
        let asks = format!("Bearer realm=\"http://{host}/token\",service=\"here\"");
        return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, asks)]).into_response();
    }
    match (kind.as_str(), &manners.sends_to) {
        ("manifests", _) => manners.manifest().into_response(),
        (_, Some(to)) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to.clone())]).into_response(),
        (_, None) => manners.blob.unwrap_or(manners.component).into_response(),
    }
}

async fn token(State(manners): State<Manners>, request: Request) -> Response {
    note(&manners, &request);
    let query = request.uri().query().unwrap().to_owned();
    assert_eq!(query, "service=here&scope=repository:shop/near:pull");
    json!({ "token": "the-token" }).to_string().into_response()
}

async fn stored(State(manners): State<Manners>, request: Request) -> Response {
    note(&manners, &request);
    manners.component.into_response()
}

async fn fetched(host: &str, end: &str) -> Result<Fetched, FetchError> {
    fetched_with(host, end, &nobodys()).await
}

async fn fetched_with(
    host: &str,
    end: &str,
    registries: &Registries,
) -> Result<Fetched, FetchError> {
    let reference = format!("{host}/shop/near{end}").parse().unwrap();
    fetch(&reference, registries).await
}

/// No login, not even that of whoever runs the tests.
fn nobodys() -> Registries {
    Registries {
        auth: Some("/dev/null/none".into()),
        ..Registries::default()
    }
}

fn logins(host: &str) -> (tempfile::TempDir, Registries) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let auth = BASE64_STANDARD.encode("ada:secret");
    let text = json!({ "auths": { host: { "auth": auth } } }).to_string();
    std::fs::write(&file, text).unwrap();
    let registries = Registries {
        auth: Some(file),
        ..Registries::default()
    };
    (folder, registries)
}

#[tokio::test]
async fn a_component_comes_by_tag_and_by_digest() {
    let manners = Manners::of(b"component");
    let manifest = Digest(Sha256::digest(manners.manifest()).into());
    let host = manners.serve().await;
    let (_folder, registries) = logins("other.example");
    let by_tag = fetched_with(&host, ":1.2", &registries).await.unwrap();
    assert_eq!(by_tag.component, b"component");
    assert_eq!(by_tag.signature.as_deref(), Some("signed"));
    let pinned = format!("{host}/shop/near@sha256:{manifest}");
    assert_eq!(by_tag.pinned, pinned);
    let end = format!("@sha256:{manifest}");
    let by_digest = fetched_with(&host, &end, &registries).await.unwrap();
    assert_eq!(by_digest.component, b"component");
}

#[tokio::test]
async fn a_token_is_asked_for_with_the_login_and_shown_to_the_registry() {
    let manners = Manners {
        tokens: true,
        ..Manners::of(b"component")
    };
    let asked = Arc::clone(&manners.asked);
    let host = manners.serve().await;
    let (_folder, registries) = logins(&host);
    fetched_with(&host, ":1", &registries).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    let basic = format!("Basic {}", BASE64_STANDARD.encode("ada:secret"));
    let (bearer, basic) = (Some("Bearer the-token"), Some(basic.as_str()));
    let seen: Vec<_> = asked.iter().map(|(_, shown)| shown.as_deref()).collect();
    assert_eq!(seen, [None, basic, bearer, bearer], "{asked:?}");
}

#[tokio::test]
async fn credentials_do_not_go_where_the_registry_sends() {
    let storage = Manners::of(b"component");
    let stored = Arc::clone(&storage.asked);
    let storage = storage.serve().await;
    let elsewhere = Manners {
        sends_to: Some(format!("http://{storage}/stored")),
        ..Manners::of(b"component")
    };
    let host = elsewhere.serve().await;
    let (_folder, registries) = logins(&host);
    let refused = fetched_with(&host, ":1", &registries).await.unwrap_err();
    assert!(refused.to_string().contains("not HTTPS"), "{refused}");
    assert!(stored.lock().unwrap().is_empty());
    let itself = Manners {
        tokens: true,
        sends_to: Some("/stored".to_owned()),
        ..Manners::of(b"component")
    };
    let asked = Arc::clone(&itself.asked);
    let host = itself.serve().await;
    let (_folder, registries) = logins(&host);
    fetched_with(&host, ":1", &registries).await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked.last().unwrap(), &("/stored".to_owned(), None));
}

#[tokio::test]
async fn what_is_not_what_was_named_is_refused() {
    let component = b"component".to_vec();
    let large = vec![b' '; MANIFEST_BYTES + 1];
    let of = |component: &[u8]| Manners::of(component);
    for (manners, end, reason) in [
        (
            Manners {
                blob: Some(b"nonsense!".to_vec()),
                ..of(&component)
            },
            ":1",
            "not what the manifest says",
        ),
        (
            Manners {
                blob: Some(b"longer than it says".to_vec()),
                ..of(&component)
            },
            ":1",
            "more than the 9 bytes",
        ),
        (
            Manners {
                manifest: Some(large),
                ..of(&component)
            },
            ":1",
            "more than the",
        ),
        (
            Manners {
                manifest: Some(b"<html>".to_vec()),
                ..of(&component)
            },
            ":1",
            "does not read",
        ),
        (
            of(&component),
            "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "not the one of the digest",
        ),
        (
            Manners {
                sends_to: Some("/v2/shop/near/blobs/again".to_owned()),
                ..of(&component)
            },
            ":1",
            "more than 3 times",
        ),
    ] {
        let host = manners.serve().await;
        let (_folder, registries) = logins(&host);
        let refused = fetched_with(&host, end, &registries).await.unwrap_err();
        assert!(refused.to_string().contains(reason), "{reason}: {refused}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_how_to_log_in() {
    let manners = Manners {
        tokens: true,
        ..Manners::of(b"component")
    };
    let host = manners.serve().await;
    let unread = fetched(&host, ":1").await.unwrap_err();
    assert!(
        unread.to_string().contains("admin.registries.auth"),
        "{unread}"
    );
    let gone = fetched("127.0.0.1:1", ":1");
    assert!(gone.await.is_err());
}

#[tokio::test]
async fn only_who_is_named_or_near_is_spoken_to_in_the_clear() {
    let host = Manners::of(b"component").serve().await;
    let port = host.rsplit_once(':').unwrap().1;
    // Another name of the same machine, which nobody has named.
    let other = format!("[::ffff:127.0.0.1]:{port}");
    let (_folder, mut registries) = logins("other.example");
    assert!(fetched_with(&other, ":1", &registries).await.is_err());
    registries.plain_http.push(other.as_str().into());
    let fetched = fetched_with(&other, ":1", &registries).await.unwrap();
    assert_eq!(fetched.component, b"component");
}
