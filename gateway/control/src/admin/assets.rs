//! The dashboard's files, which are in the program.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// A file: its path, its type, its content.
type Asset = (&'static str, &'static str, &'static str);

macro_rules! asset {
    ($path:literal, $type:literal, $file:literal) => {
        (
            $path,
            $type,
            include_str!(concat!("../../../../dashboard/", $file)),
        )
    };
}

const ASSETS: [Asset; 4] = [
    asset!("/", "text/html; charset=utf-8", "index.html"),
    asset!(
        "/dashboard.js",
        "text/javascript; charset=utf-8",
        "dashboard.js"
    ),
    asset!("/dashboard.css", "text/css; charset=utf-8", "dashboard.css"),
    asset!("/icon.svg", "image/svg+xml", "icon.svg"),
];

/// A path for each file.
pub(super) fn router() -> Router {
    let add = |router: Router, (path, kind, content): Asset| {
        let answer =
            move || async move { ([(header::CONTENT_TYPE, kind)], content).into_response() };
        router.route(path, get(answer))
    };
    ASSETS.into_iter().fold(Router::new(), add)
}
