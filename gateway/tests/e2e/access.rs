//! Who comes in, by rules and by credentials, and which requests are in order.

use crate::support::{Builder, Gateway, Message, Pool, Upstream};

/// Ann's password is `correct horse`.
const PASSWORD: &str =
    "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M";

/// What the policy's own tests verify tokens with.
const JWKS: &str = include_str!("../../../plugins/auth/src/tests/jwks.json");
const TOKENS: &str = include_str!("../../../plugins/auth/src/tests/tokens.json");

/// A gateway with this policy.
async fn guarded(plugin: &str, config: &str, server: &Upstream) -> Gateway {
    Builder::new()
        .file("jwks.json", JWKS)
        .with(&format!("[[policy]]\nplugin = \"{plugin}\"\n{config}"))
        .pool(Pool::of(&[server]))
        .start()
        .await
}

/// Ask with these header lines, each with its end.
async fn ask(gateway: &Gateway, line: &str, headers: &str) -> Message {
    gateway
        .exchange(format!("{line} HTTP/1.1\r\nhost: a\r\n{headers}\r\n"))
        .await
}

#[tokio::test]
async fn rules_decide_by_address_path_method_and_agent() {
    let server = Upstream::named("a").await;
    let gateway = guarded(
        "access",
        r#"[policy.config]
rules = [
  { action = "allow", path = "/admin/*", network = "10.0.0.0/8" },
  { action = "deny", path = "/admin/*" },
  { action = "deny", method = "DELETE", status = 405 },
  { action = "deny", user_agent = "~(?i)sqlmap" },
  { action = "deny", body_over = "1KiB" },
]"#,
        &server,
    )
    .await;
    assert_eq!(ask(&gateway, "GET /", "").await.status(), 200);
    let refused = ask(&gateway, "GET /admin/users", "").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.error(), "this request is not allowed");
    // Nobody is believed to be somewhere else.
    let claims = "x-forwarded-for: 10.1.2.3\r\n";
    assert_eq!(
        ask(&gateway, "GET /admin/users", claims).await.status(),
        403
    );
    assert_eq!(
        ask(&gateway, "GET /a/../admin/users", "").await.status(),
        403
    );
    assert_eq!(ask(&gateway, "DELETE /", "").await.status(), 405);
    let agent = "user-agent: SQLMap/1.7\r\n";
    assert_eq!(ask(&gateway, "GET /", agent).await.status(), 403);
    let large = "content-length: 4096\r\n";
    assert_eq!(ask(&gateway, "POST /", large).await.status(), 413);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn no_spelling_of_a_path_and_no_second_header_leads_around_a_rule() {
    let server = Upstream::named("a").await;
    let gateway = guarded(
        "access",
        r#"[policy.config]
rules = [
  { action = "deny", path = "/admin/*" },
  { action = "deny", path = "/*", method = "OPTIONS" },
  { action = "deny", headers = { X-Region = "aq" } },
]"#,
        &server,
    )
    .await;
    for path in [
        "/admin%2Fusers",
        "/ADMIN/users",
        "/admin;v=1/users",
        "/%61dmin%5cusers",
        "/admin%252fusers",
        "/a/..//admin/",
    ] {
        let refused = ask(&gateway, &format!("GET {path}"), "").await;
        assert_eq!(refused.status(), 403, "{path}");
    }
    assert_eq!(ask(&gateway, "OPTIONS *", "").await.status(), 403);
    let twice = "x-region: eu\r\nx-region: aq\r\n";
    assert_eq!(ask(&gateway, "GET /", twice).await.status(), 403);
    let latin = b"GET / HTTP/1.1\r\nhost: a\r\nx-region: \xff\r\n\r\n".to_vec();
    assert_eq!(gateway.exchange(latin).await.status(), 403);
    assert!(server.requests().is_empty());
    let fine = "x-region: eu\r\nx-region: us\r\n";
    assert_eq!(ask(&gateway, "GET /shop", fine).await.status(), 200);
}

#[tokio::test]
async fn a_value_that_is_too_long_for_an_expression_is_denied_and_lets_nobody_in() {
    let server = Upstream::named("a").await;
    let gateway = guarded(
        "access",
        r#"[policy.config]
default = "deny"
rules = [
  { action = "deny", headers = { X-Query = "~<script" } },
  { action = "allow", headers = { X-Key = "~^a+$" } },
]"#,
        &server,
    )
    .await;
    let with = |length: usize, query: usize| {
        let (key, query) = ("a".repeat(length), "q".repeat(query));
        format!("x-key: {key}\r\nx-query: {query}\r\n")
    };
    for (key, query, status) in [(2048, 2048, 200), (2049, 2048, 403), (2048, 2049, 403)] {
        let answer = ask(&gateway, "GET /", &with(key, query)).await;
        assert_eq!(answer.status(), status, "{key} {query}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_around_being_asked_for_credentials() {
    let server = Upstream::named("a").await;
    let config = format!(
        "[policy.config]\npath = \"/admin/*\"\nexcept = \"/admin/health\"\n\
         [policy.config.basic.users]\nann = '{PASSWORD}'"
    );
    let gateway = guarded("auth", &config, &server).await;
    for path in [
        "/admin%2Fusers",
        "/Admin/users",
        "/admin;/users",
        "/admin/health;x",
        "/admin/HEALTH",
        "/public/..%3bx/admin",
    ] {
        let refused = ask(&gateway, &format!("GET {path}"), "").await;
        assert_eq!(refused.status(), 401, "{path}");
    }
    assert!(server.requests().is_empty());
    for path in ["/", "/admin/health", "/administrators"] {
        assert_eq!(
            ask(&gateway, &format!("GET {path}"), "").await.status(),
            200
        );
    }
}

#[tokio::test]
async fn a_user_comes_in_by_password_and_the_server_is_told_who_it_is() {
    let server = Upstream::named("a").await;
    let config = format!(
        "[policy.config]\nrealm = \"shop\"\nuser_header = \"X-User\"\nhide_credentials = true\n\
         except = \"/health\"\n[policy.config.basic.users]\nann = '{PASSWORD}'"
    );
    let gateway = guarded("auth", &config, &server).await;
    let refused = ask(&gateway, "GET /", "").await;
    assert_eq!(refused.status(), 401);
    assert_eq!(
        refused.headers("www-authenticate"),
        ["Basic realm=\"shop\", charset=\"UTF-8\""]
    );
    let wrong = "authorization: Basic YW5uOndyb25n\r\n";
    assert_eq!(ask(&gateway, "GET /", wrong).await.status(), 401);
    let right = "authorization: Basic YW5uOmNvcnJlY3QgaG9yc2U=\r\nx-user: root\r\n";
    for _ in 0..3 {
        assert_eq!(ask(&gateway, "GET /", right).await.status(), 200);
    }
    for request in server.requests() {
        assert_eq!(request.headers("x-user"), ["ann"]);
        assert!(request.headers("authorization").is_empty());
    }
    assert_eq!(
        ask(&gateway, "GET /health", "x-user: root\r\n")
            .await
            .status(),
        200
    );
    assert!(server.requests()[3].headers("x-user").is_empty());
}

#[tokio::test]
async fn a_signed_token_comes_in_with_keys_from_a_file() {
    let server = Upstream::named("a").await;
    let config = "[policy.config.jwt]\njwks = \"${file:jwks.json}\"\n\
                  issuer = \"https://id.example\"\naudience = \"shop\"\nscopes = [\"write\"]";
    let gateway = guarded("auth", config, &server).await;
    let tokens: serde_json::Value = serde_json::from_str(TOKENS).expect("tokens");
    let bearer = |name: &str| {
        let token = tokens[name].as_str().expect("a token");
        format!("authorization: Bearer {token}\r\n")
    };
    for name in ["HS256", "RS256", "ES256", "EdDSA"] {
        for _ in 0..2 {
            assert_eq!(
                ask(&gateway, "GET /", &bearer(name)).await.status(),
                200,
                "{name}"
            );
        }
    }
    for name in ["NONE", "CONFUSED", "OVER", "OTHER_ISSUER"] {
        let refused = ask(&gateway, "GET /", &bearer(name)).await;
        assert_eq!(refused.status(), 401, "{name}");
        assert!(
            refused
                .header("www-authenticate")
                .expect("a challenge")
                .contains("invalid_token")
        );
    }
    assert_eq!(
        ask(&gateway, "GET /", &bearer("NO_SCOPE")).await.status(),
        403
    );
    assert!(!gateway.log().contains("did not answer in time"));
}

#[tokio::test]
async fn requests_that_are_not_in_order_reach_no_server() {
    let server = Upstream::named("a").await;
    let config = r#"[policy.config]
rules = [{ path = "/api/*", methods = ["GET", "POST"], headers = { X-Tenant = "*" },
           content_types = "application/json", body_max = "1KiB", length_required = true }]"#;
    let gateway = guarded("validate", config, &server).await;
    let tenant = "x-tenant: acme\r\n";
    let with = |more: &str| format!("{tenant}{more}");
    let refused = ask(&gateway, "PUT /api/a", tenant).await;
    assert_eq!(refused.status(), 405);
    assert_eq!(refused.headers("allow"), ["GET, POST"]);
    assert_eq!(ask(&gateway, "GET /api/a", "").await.status(), 400);
    assert_eq!(
        ask(&gateway, "POST /api/a", &with("content-length: 9999\r\n"))
            .await
            .status(),
        413
    );
    let text = with("content-type: text/plain\r\ncontent-length: 2\r\n");
    let refused = ask(&gateway, "POST /api/a", &text).await;
    assert_eq!(refused.status(), 415);
    assert_eq!(refused.error(), "this path takes application/json");
    assert!(server.requests().is_empty());
    assert_eq!(ask(&gateway, "GET /api/a", tenant).await.status(), 200);
    assert_eq!(ask(&gateway, "PUT /else", "").await.status(), 200);
}
