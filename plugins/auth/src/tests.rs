//! Who is let in, and what others are told.

mod tokens;

use gatewright_plugin_sdk::testing;
use gatewright_plugin_sdk::{ConfigError, RequestPolicy, Verdict, parse};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Auth;

/// Ann's password is `correct horse`.
const PASSWORD: &str =
    "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M";

/// SHA-256 of `secret-token`.
const TOKEN: &str = "930bbdc51b6aed5c2a5678fd6e28dee7a05e8a4b643cfc0b4427c3efb86c0d94";

fn configure(config: &Value) -> Result<Auth, ConfigError> {
    testing::reset();
    Auth::configure(parse(&config.to_string())?)
}

fn with_users(extra: &Value) -> Auth {
    let mut config = json!({"basic": {"users": {"ann": PASSWORD}}});
    let fields = config.as_object_mut().unwrap();
    fields.extend(extra.as_object().unwrap().clone());
    configure(&config).unwrap()
}

/// Ask with these credentials.
fn ask(auth: &mut Auth, credentials: Option<&str>) -> u16 {
    testing::host(|host| {
        host.request.headers.clear();
        host.response = Default::default();
        if let Some(credentials) = credentials {
            host.header("authorization", credentials);
        }
    });
    get(auth, "/")
}

fn get(auth: &mut Auth, path: &str) -> u16 {
    match auth.check("GET", "localhost", path) {
        Verdict::Proceed => 200,
        Verdict::Answer(status) => status,
    }
}

/// The challenges of the answer.
fn challenges() -> Vec<String> {
    let headers = testing::host(|host| host.response.headers.clone());
    headers.into_iter().map(|(_, value)| value).collect()
}

/// What the server is told of the client.
fn told() -> Option<(String, Option<String>)> {
    testing::host(|host| host.rewrites.headers.pop())
}

#[test]
fn a_user_with_the_right_password_comes_in() {
    let mut auth = with_users(&json!({}));
    assert_eq!(ask(&mut auth, None), 401);
    assert_eq!(
        challenges(),
        ["Basic realm=\"gatewright\", charset=\"UTF-8\""]
    );
    for right in [
        "Basic YW5uOmNvcnJlY3QgaG9yc2U=",
        "basic YW5uOmNvcnJlY3QgaG9yc2U",
    ] {
        assert_eq!(ask(&mut auth, Some(right)), 200, "{right}");
        // The second time it is remembered.
        assert_eq!(ask(&mut auth, Some(right)), 200, "{right}");
    }
    // ann:wrong, bob:correct horse, ann, and nonsense.
    for wrong in ["YW5uOndyb25n", "Ym9iOmNvcnJlY3QgaG9yc2U=", "YW5u", "=", ""] {
        assert_eq!(
            ask(&mut auth, Some(&format!("Basic {wrong}"))),
            401,
            "{wrong}"
        );
    }
}

#[test]
fn a_token_is_known_by_its_digest() {
    let mut auth = configure(&json!({"realm": "api", "bearer": {"tokens": {
        "other": "00".repeat(32), "ci": TOKEN,
    }}, "user_header": "X-User"}))
    .unwrap();
    assert_eq!(ask(&mut auth, Some("Bearer secret-token")), 200);
    assert_eq!(told(), Some(("x-user".into(), Some("ci".into()))));
    assert_eq!(ask(&mut auth, Some("Bearer secret-tokem")), 401);
    assert_eq!(
        challenges(),
        ["Bearer realm=\"api\", error=\"invalid_token\""]
    );
    assert_eq!(ask(&mut auth, Some("Basic YW5u")), 401);
    assert_eq!(challenges(), ["Bearer realm=\"api\""]);
}

#[test]
fn a_wrong_password_is_no_wrong_token() {
    let mut auth = with_users(&json!({"bearer": {"tokens": {"ci": TOKEN}}}));
    let basic = "Basic realm=\"gatewright\", charset=\"UTF-8\"";
    for (wrong, bearer) in [
        ("Basic YW5uOndyb25n", "Bearer realm=\"gatewright\""),
        (
            "Bearer secret-tokem",
            "Bearer realm=\"gatewright\", error=\"invalid_token\"",
        ),
    ] {
        assert_eq!(ask(&mut auth, Some(wrong)), 401, "{wrong}");
        assert_eq!(challenges(), [basic, bearer], "{wrong}");
    }
}

#[test]
fn a_client_cannot_say_itself_who_it_is() {
    let mut auth = with_users(&json!({"user_header": "x-user", "except": "/open"}));
    testing::host(|host| host.header("x-user", "root"));
    assert_eq!(get(&mut auth, "/open"), 200);
    assert_eq!(told(), Some(("x-user".into(), None)));
}

#[test]
fn servers_need_not_see_the_credentials() {
    let mut auth = with_users(&json!({"hide_credentials": true}));
    assert_eq!(ask(&mut auth, Some("Basic YW5uOmNvcnJlY3QgaG9yc2U=")), 200);
    assert_eq!(told(), Some(("authorization".into(), None)));
}

#[test]
fn only_the_paths_that_are_named_are_asked_about() {
    let mut auth = with_users(&json!({"path": ["/admin/*"], "except": ["/admin/health"]}));
    assert_eq!(get(&mut auth, "/"), 200);
    assert_eq!(get(&mut auth, "/admin/health"), 200);
    for path in [
        "/admin/users",
        "/ADMIN/users",
        "/admin%2Fusers",
        "/admin;x=1/users",
        "/admin/health;x",
        "/Admin/health",
        "/%2Fadmin",
    ] {
        assert_eq!(get(&mut auth, path), 401, "{path}");
    }
}

#[test]
fn the_whole_server_is_asked_about_with_its_root() {
    let options = |auth: &mut Auth| matches!(auth.check("OPTIONS", "a", "*"), Verdict::Proceed);
    assert!(!options(&mut with_users(&json!({}))));
    assert!(!options(&mut with_users(&json!({"path": "/*"}))));
    assert!(!options(&mut with_users(&json!({"except": "/*"}))));
    assert!(options(&mut with_users(&json!({"path": "/admin/*"}))));
}

#[test]
fn preflights_pass_where_that_is_wanted() {
    let asked = |auth: &mut Auth| {
        testing::host(|host| {
            host.header("origin", "https://shop.example");
            host.header("access-control-request-method", "PUT");
        });
        matches!(auth.check("OPTIONS", "localhost", "/"), Verdict::Proceed)
    };
    assert!(!asked(&mut with_users(&json!({}))));
    let mut auth = with_users(&json!({"allow_preflight": true}));
    assert!(asked(&mut auth));
    assert_eq!(get(&mut auth, "/"), 401);
    testing::reset();
}

#[test]
fn a_bad_configuration_is_refused_at_its_key() {
    let user = |password: &str| json!({"basic": {"users": {"ann": password}}});
    for (config, key) in [
        (json!({}), ""),
        (json!({"basic": {"users": {}}}), "basic.users"),
        (
            json!({"basic": {"users": {"a:b": PASSWORD}}}),
            "basic.users.a:b",
        ),
        (user("correct horse"), "basic.users.ann"),
        (
            user("$pbkdf2-sha256$i=0$MDEyMzQ1Njc$MDEy"),
            "basic.users.ann",
        ),
        (user("$pbkdf2-sha256$i=10$MDEy$MDEy"), "basic.users.ann"),
        (
            user(&PASSWORD.replace("i=1000", "i=100001")),
            "basic.users.ann",
        ),
        (json!({"bearer": {"tokens": {}}}), "bearer.tokens"),
        (
            json!({"bearer": {"tokens": {"ci": "secret-token"}}}),
            "bearer.tokens.ci",
        ),
        (
            json!({"bearer": {"tokens": {"ci": "zz".repeat(32)}}}),
            "bearer.tokens.ci",
        ),
        (
            json!({"bearer": {"tokens": {"ci": TOKEN}}, "realm": "\""}),
            "realm",
        ),
        (
            json!({"bearer": {"tokens": {"ci": TOKEN}}, "user_header": "te"}),
            "user_header",
        ),
        (
            json!({"bearer": {"tokens": {"ci": TOKEN}}, "except": "a"}),
            "except[0]",
        ),
        (json!({"ldap": {}}), "ldap"),
    ] {
        assert_eq!(configure(&config).unwrap_err().key, key, "{config}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_credentials_are_survived_and_none_is_taken(text in ".{0,80}") {
        let mut auth = with_users(&json!({"bearer": {"tokens": {"ci": TOKEN}}}));
        for scheme in ["Basic", "Bearer", "Digest"] {
            prop_assert_eq!(ask(&mut auth, Some(&format!("{scheme} {text}"))), 401);
        }
    }
}
