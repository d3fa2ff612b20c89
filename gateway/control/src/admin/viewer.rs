//! `/api/docs`: the API's description for people, by a viewer that is in the
//! program and asks nobody else.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// As strict as for the dashboard, but for styles and small pictures: the viewer
/// writes them into its elements, which is no way to run code.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = include_str!("../../../../dashboard/docs.html");
const STYLE: &str = include_str!("../../../../dashboard/docs.css");
const VIEWER: &str = include_str!("../../../../dashboard/vendor/rapidoc/rapidoc-min.js");

/// The page and what it is made of.
pub(super) fn router() -> Router {
    Router::new()
        .route("/api/docs", get(page))
        .route("/api/docs/docs.css", file("text/css; charset=utf-8", STYLE))
        .route(
            "/api/docs/rapidoc-min.js",
            file("text/javascript; charset=utf-8", VIEWER),
        )
}

async fn page() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    (headers, PAGE)
}

fn file(kind: &'static str, content: &'static str) -> axum::routing::MethodRouter {
    get(move || async move { ([(header::CONTENT_TYPE, kind)], content) })
}
