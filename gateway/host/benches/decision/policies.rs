//! Policies, each with a configuration as operators write it, about a request
//! that may go on.

use std::hint::black_box;

use criterion::Criterion;
use gatewright_host::{Lent, Verdict};

use crate::exchange::Exchange;
use crate::place::{Worker, pool, request, settle};

/// Name, plugin and configuration of each request policy.
const POLICIES: [(&str, &str, &str); 8] = [
    ("access", "access", ACCESS),
    ("geo", "geo", GEO),
    ("headers", "headers", HEADERS),
    ("rate-limit", "rate-limit", "rate = \"100000000/s\""),
    (
        "rate-limit, untold",
        "rate-limit",
        "rate = \"100000000/s\"\nheaders = false",
    ),
    ("validate", "validate", VALIDATE),
    ("ab-split, by cookie", "ab-split", AB_SPLIT),
    ("ab-split, by address", "ab-split", AB_SPLIT_BY_ADDRESS),
];

const ACCESS: &str = r#"
rules = [
  { action = "allow", path = "/admin/*", network = "10.0.0.0/8" },
  { action = "deny", path = "/admin/*" },
  { action = "deny", network = ["198.51.100.0/24", "192.0.2.0/24"] },
  { action = "deny", method = "TRACE", status = 405 },
]"#;

const GEO: &str = r#"
default = "rest"
networks = { eu = ["203.0.113.0/24"], us = ["198.51.100.0/24", "192.0.2.0/24"], rest = [] }
"#;

const HEADERS: &str = r#"
request = { set = { X-Client = "{client_address}" }, remove = ["X-Debug"] }
"#;

const RESPONSE_HEADERS: &str = r#"
response = { default = { X-Frame-Options = "DENY" }, remove = ["Server"] }
"#;

const VALIDATE: &str = r#"
rules = [{ path = "/api/*", methods = ["GET", "POST"], headers = { accept = "*" } }]
"#;

const AB_SPLIT: &str = r#"
name = "checkout"
variants = { a = 90, b = 10 }
"#;

const AB_SPLIT_BY_ADDRESS: &str = r#"
name = "checkout"
variants = { a = 90, b = 10 }
by = "client-address"
"#;

/// The password of `ann` is `correct horse`, the token of `ci` is `secret-token`.
const AUTH: &str = r#"
basic.users.ann = "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M"
bearer.tokens.ci = "930bbdc51b6aed5c2a5678fd6e28dee7a05e8a4b643cfc0b4427c3efb86c0d94"
"#;

const JWKS: &str = include_str!("../../../../plugins/auth/src/tests/jwks.json");
const TOKENS: &str = include_str!("../../../../plugins/auth/src/tests/tokens.json");

fn config(plugin: &str, role: &str, config: &str) -> String {
    let pool = pool(10, "");
    format!(
        "[[policy]]\nplugin = \"{plugin}\"\nrole = \"{role}\"\ndeadline = \"1s\"\n\
         [policy.config]\n{config}\n{pool}"
    )
}

/// Every request policy but `auth`.
pub(crate) fn requests(criterion: &mut Criterion) {
    for (name, plugin, settings) in POLICIES {
        let mut worker = Worker::of(&config(plugin, "request-policy", settings));
        let variant = ("gw_split_checkout".to_owned(), "a".to_owned());
        let asked = request().with_cookie(Some(&variant));
        check(criterion, name, &mut worker, &mut [asked.lent()]);
    }
}

/// `auth`: for clients that have proved before who they are, and for those that
/// prove it now.
pub(crate) fn credentials(criterion: &mut Criterion) {
    let tokens: serde_json::Value = serde_json::from_str(TOKENS).unwrap();
    let token = |name: &str| format!("Bearer {}", tokens[name].as_str().unwrap());
    let settings = format!("{AUTH}\njwt.jwks = '''{JWKS}'''\n");
    let worker = || Worker::of(&config("auth", "request-policy", &settings));
    for (name, credentials) in [
        ("Basic", "Basic YW5uOmNvcnJlY3QgaG9yc2U=".to_owned()),
        ("Bearer", "Bearer secret-token".to_owned()),
        ("HS256", token("HS256")),
        ("RS256", token("RS256")),
        ("ES256", token("ES256")),
        ("EdDSA", token("EdDSA")),
    ] {
        let known = with_credentials(&credentials);
        let name = format!("auth, {name}");
        check(criterion, &name, &mut worker(), &mut [known.lent()]);
        // The same credentials in more spellings than are remembered.
        let spellings = (0..1100).map(|number| spelled(&credentials, number));
        let strangers = spellings.map(|spelling| with_credentials(&spelling).lent());
        let mut strangers: Vec<_> = strangers.collect();
        let name = format!("{name}, first time");
        check(criterion, &name, &mut worker(), &mut strangers);
    }
}

/// Credentials in another spelling: the bits of a number choose the case of the
/// scheme's letters, and how many spaces follow.
fn spelled(credentials: &str, number: usize) -> String {
    let (scheme, rest) = credentials.split_once(' ').unwrap();
    let letters = scheme.chars().zip(0..);
    let scheme: String = letters
        .map(|(letter, bit)| match (number >> bit) & 1 {
            0 => letter.to_ascii_lowercase(),
            _ => letter.to_ascii_uppercase(),
        })
        .collect();
    let spaces = number >> scheme.len();
    format!("{scheme} {rest}{:spaces$}", "")
}

fn with_credentials(credentials: &str) -> Exchange {
    request().with("authorization", credentials)
}

/// Let requests in, by turns.
fn check(criterion: &mut Criterion, name: &str, worker: &mut Worker, requests: &mut [Lent]) {
    let seat = &mut worker.chain.policies[0].seat;
    let mut turn = 0;
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            turn = (turn + 1) % requests.len();
            let lent = &mut requests[turn];
            settle(lent);
            assert_eq!(black_box(seat.check(lent)).unwrap(), Verdict::Proceed);
        });
    });
}

/// The response policy.
pub(crate) fn responses(criterion: &mut Criterion) {
    let settings = config("headers", "response-policy", RESPONSE_HEADERS);
    let mut worker = Worker::of(&settings);
    let seat = &mut worker.chain.finishers[0];
    let mut lent = request().answered_with("server", "app").lent();
    criterion.bench_function("headers, of responses", |bencher| {
        bencher.iter(|| {
            settle(&mut lent);
            seat.finish(200, &mut lent).unwrap();
        });
    });
}
