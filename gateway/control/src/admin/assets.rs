//! The dashboard's files, which are in the program.
//!
//! `dashboard/` is served as it lies there: a page has its file's name without
//! `.html`, everything else its path. A debug build reads the files from that
//! folder whenever they are asked for, so that an edit needs no new build.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use rust_embed::{Embed, EmbeddedFile};

use super::envelope;

/// What the pages are made of: neither their tests nor the viewer of the API's
/// description, which is served with its own policy.
#[derive(Embed)]
#[folder = "../../dashboard"]
#[include = "*.html"]
#[include = "icon.svg"]
#[include = "lib/*.js"]
#[include = "pages/*.js"]
#[include = "style/*.css"]
#[include = "vendor/uplot/*.js"]
#[include = "vendor/uplot/*.css"]
#[exclude = "docs.html"]
#[exclude = "tests/*"]
struct Assets;

/// A browser asks each time whether a file is still the same, so that a page
/// never runs with the scripts of another version.
const CACHE_CONTROL: HeaderValue = HeaderValue::from_static("no-cache");

/// A path for each file.
pub(super) fn router() -> Router {
    let add = |router: Router, name: String| {
        let path = path_of(&name);
        router.route(
            &path,
            get(move |request: Request| async move { answer(&name, &request) }),
        )
    };
    Assets::iter().map(String::from).fold(Router::new(), add)
}

/// Where a file is: a page has no ending, and the first one no name.
fn path_of(name: &str) -> String {
    match name.strip_suffix(".html") {
        Some("index") => "/".to_owned(),
        Some(page) => format!("/{page}"),
        None => format!("/{name}"),
    }
}

fn answer(name: &str, request: &Request) -> Response {
    // Only a debug build, which reads the folder, can have lost a file.
    let Some(file) = Assets::get(name) else {
        return envelope::missing(request.uri().path());
    };
    let tag = tag(&file);
    let is_known = knows(request.headers(), &tag);
    let headers = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, CACHE_CONTROL),
        (header::CONTENT_TYPE, kind(name)),
    ];
    match is_known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, file.data).into_response(),
    }
}

/// A file's hash as its entity tag.
fn tag(file: &EmbeddedFile) -> HeaderValue {
    let hash = file.metadata.sha256_hash();
    let tag = format!("\"{}\"", HEXLOWER.encode(&hash[..16]));
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether who asks has the file already.
fn knows(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    let tag = tag.to_str().unwrap_or_default();
    known.any(|value| {
        let mut tags = value.split(',').map(str::trim);
        tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    })
}

/// The content type of the few kinds that there are.
fn kind(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_have_paths_without_endings() {
        let paths: Vec<_> = Assets::iter().map(|name| path_of(&name)).collect();
        for page in [
            "/",
            "/traffic",
            "/plugins",
            "/requests",
            "/sessions",
            "/events",
            "/simulations",
        ] {
            assert!(paths.iter().any(|path| path == page), "{page}: {paths:?}");
        }
        assert!(paths.contains(&"/icon.svg".to_owned()));
    }

    #[test]
    fn every_file_is_of_a_known_kind_and_none_is_a_test() {
        for name in Assets::iter() {
            assert_ne!(kind(&name), "application/octet-stream", "{name}");
            assert!(
                !name.contains("test") && !name.contains("node_modules"),
                "{name}"
            );
        }
    }

    #[test]
    fn a_browser_that_has_the_file_is_told_so() {
        let tag = HeaderValue::from_static("\"abc\"");
        let knows = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            super::knows(&headers, &tag)
        };
        assert!(knows("\"abc\"") && knows("\"x\", W/\"abc\"") && knows("*"));
        assert!(!knows("\"abd\"") && !knows("abc"));
        assert!(!super::knows(&HeaderMap::new(), &tag));
    }
}
