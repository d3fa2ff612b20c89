//! Which JWTs are good. They were signed by another implementation
//! (`cryptography` of Python), for keys of `jwks.json`.

use gatewright_plugin_sdk::testing;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ask, challenges, configure, told};
use crate::Auth;

const JWKS: &str = include_str!("jwks.json");

/// The moment of the tests: after every `nbf` but one, before every `exp` but one.
const NOW_MS: u64 = 1_750_000_000_000;

fn token(name: &str) -> String {
    let tokens: Value = serde_json::from_str(include_str!("tokens.json")).unwrap();
    tokens[name].as_str().unwrap().to_owned()
}

/// A policy that takes tokens of these keys and asks all that it can of them.
fn strict() -> Auth {
    let config = json!({"user_header": "x-user", "jwt": {
        "jwks": JWKS, "issuer": "https://id.example", "audience": ["pay", "shop"],
        "scopes": ["read", "write"],
    }});
    configure(&config).unwrap()
}

fn bearer(auth: &mut Auth, token: &str) -> u16 {
    testing::host(|host| host.unix_ms = NOW_MS);
    ask(auth, Some(&format!("Bearer {token}")))
}

#[test]
fn a_token_of_each_algorithm_comes_in_twice() {
    let mut auth = strict();
    for name in ["HS256", "RS256", "ES256", "EdDSA"] {
        for _ in 0..2 {
            assert_eq!(bearer(&mut auth, &token(name)), 200, "{name}");
            assert_eq!(told(), Some(("x-user".into(), Some("ann".into()))));
        }
    }
}

#[test]
fn a_token_that_is_not_in_order_is_refused() {
    let mut auth = strict();
    for name in [
        "OVER",
        "EARLY",
        "ENDLESS",
        "OTHER_ISSUER",
        "OTHER_AUDIENCE",
        "CRITICAL",
        "WRONG_KID",
        "NO_KID",
        "NONE",
        "CONFUSED",
    ] {
        assert_eq!(bearer(&mut auth, &token(name)), 401, "{name}");
        assert_eq!(
            challenges(),
            ["Bearer realm=\"gatewright\", error=\"invalid_token\""]
        );
    }
}

/// The keys of `jwks.json`, changed.
fn keys(change: impl Fn(&mut serde_json::Map<String, Value>)) -> Value {
    let mut set: Value = serde_json::from_str(JWKS).unwrap();
    for key in set["keys"].as_array_mut().unwrap() {
        change(key.as_object_mut().unwrap());
    }
    set
}

fn with(jwt: &Value) -> Auth {
    configure(&json!({ "jwt": jwt })).unwrap()
}

#[test]
fn a_key_without_an_id_is_the_only_one_for_its_algorithm_and_takes_any() {
    let unnamed = keys(|key| {
        key.remove("kid");
    });
    let mut auth = with(&json!({ "jwks": unnamed }));
    for (name, status) in [("NO_KID", 200), ("ES256", 200), ("CONFUSED", 401)] {
        assert_eq!(bearer(&mut auth, &token(name)), status, "{name}");
    }
    let mut twice = unnamed;
    let another = twice["keys"][2].clone();
    twice["keys"].as_array_mut().unwrap().push(another);
    let error = configure(&json!({"jwt": {"jwks": twice}})).unwrap_err();
    assert_eq!(error.key, "jwt.jwks.keys[2].kid");
}

#[test]
fn two_keys_for_one_algorithm_have_different_ids() {
    for (id, key) in [
        (json!("es"), Some("jwt.jwks.keys[2].kid")),
        (Value::Null, Some("jwt.jwks.keys[4].kid")),
        (json!("new"), None),
    ] {
        let mut set = keys(|_| {});
        let mut another = set["keys"][2].clone();
        another["kid"] = id.clone();
        set["keys"].as_array_mut().unwrap().push(another);
        let configured = configure(&json!({"jwt": {"jwks": set}}));
        let refused = configured.err().map(|error| error.key);
        assert_eq!(refused.as_deref(), key, "{id}");
    }
}

#[test]
fn only_the_algorithms_that_are_wanted_are_taken() {
    let mut auth = with(&json!({"jwks": JWKS, "algorithms": ["ES256", "EdDSA"]}));
    for (name, status) in [
        ("ES256", 200),
        ("EdDSA", 200),
        ("HS256", 401),
        ("RS256", 401),
    ] {
        assert_eq!(bearer(&mut auth, &token(name)), status, "{name}");
    }
    let only_es = json!({"keys": [keys(|_| {})["keys"][2]]});
    for (jwks, algorithms, key) in [
        (json!(JWKS), json!(["ES256", "none"]), "jwt.algorithms[1]"),
        (json!(JWKS), json!("PS256"), "jwt.algorithms[0]"),
        (only_es, json!("HS256"), "jwt.jwks"),
        (json!({"keys": []}), json!("HS256"), "jwt.jwks.keys"),
    ] {
        let jwt = json!({"jwks": jwks, "algorithms": algorithms});
        assert_eq!(configure(&json!({ "jwt": jwt })).unwrap_err().key, key);
    }
}

#[test]
fn a_key_that_is_for_something_else_verifies_nothing() {
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("RS512")),
    ] {
        let set = keys(|key| {
            if key["kty"] == "RSA" {
                key.insert(name.into(), value.clone());
            }
        });
        let mut auth = with(&json!({ "jwks": set }));
        assert_eq!(bearer(&mut auth, &token("RS256")), 401, "{name}");
        assert_eq!(bearer(&mut auth, &token("ES256")), 200, "{name}");
    }
}

#[test]
fn a_token_without_a_scope_is_forbidden() {
    assert_eq!(bearer(&mut strict(), &token("NO_SCOPE")), 403);
    let expected =
        "Bearer realm=\"gatewright\", error=\"insufficient_scope\", scope=\"read write\"";
    assert_eq!(challenges(), [expected]);
}

#[test]
fn a_token_that_is_remembered_ends_all_the_same() {
    let mut auth = configure(&json!({"jwt": {"jwks": JWKS}})).unwrap();
    let credentials = format!("Bearer {}", token("OVER"));
    // Its end, and a minute that clocks may differ by.
    for (seconds, status) in [
        (1_700_000_099, 200),
        (1_700_000_159, 200),
        (1_700_000_160, 401),
    ] {
        testing::host(|host| host.unix_ms = seconds * 1000);
        assert_eq!(ask(&mut auth, Some(&credentials)), status, "{seconds}");
    }
}

#[test]
fn keys_that_will_not_do_are_refused_at_their_place() {
    let short = json!({"keys": [{"kty": "oct", "k": "c2hvcnQ"}]});
    let broken = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]});
    let encrypts = json!({"keys": [{"kty": "RSA", "use": "enc", "n": "AA", "e": "AQAB"}]});
    let unknown = json!({"keys": [{"kty": "EC", "crv": "P-521"}]});
    for (jwks, key) in [
        (short, "jwt.jwks.keys[0].k"),
        (broken, "jwt.jwks.keys[0].x"),
        (
            json!({"keys": [{"kty": "RSA", "e": "AQAB"}]}),
            "jwt.jwks.keys[0].n",
        ),
        (
            json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}),
            "jwt.jwks.keys[0].x",
        ),
        (encrypts, "jwt.jwks"),
        (unknown, "jwt.jwks"),
        (json!({"keys": []}), "jwt.jwks.keys"),
        (json!({}), "jwt.jwks"),
        (json!("{"), "jwt.jwks"),
    ] {
        let error = configure(&json!({"jwt": {"jwks": jwks}})).unwrap_err();
        assert_eq!(error.key, key, "{jwks}");
    }
    let error = configure(&json!({"jwt": {"jwks": JWKS, "scopes": "a b"}})).unwrap_err();
    assert_eq!(error.key, "jwt.scopes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_changed_character_spoils_a_token(at: prop::sample::Index, to in "[A-Za-z0-9_.-]") {
        let mut auth = strict();
        let whole = token("ES256");
        let at = at.index(whole.len());
        let mut changed = whole.clone();
        changed.replace_range(at..=at, &to);
        prop_assume!(changed != whole);
        prop_assert_eq!(bearer(&mut auth, &changed), 401);
    }
}
