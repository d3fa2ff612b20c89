//! The demo shop: what is at which path. Everything is made up on the spot,
//! so that any server can answer any shopper.

use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::replies::{self, Reply};

/// Each product's name and price in cents.
const PRODUCTS: [(&str, u64); 12] = [
    ("Anvil", 4900),
    ("Bellows", 3200),
    ("Chisel", 850),
    ("Drawknife", 1900),
    ("Engraver", 2400),
    ("File", 700),
    ("Gouge", 1100),
    ("Hammer", 1500),
    ("Iron bar", 600),
    ("Jointer plane", 5600),
    ("Kiln", 19900),
    ("Lathe", 89900),
];

/// The longest wait that `/slow` accepts: none should outlive its tester.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest body that `/bytes` accepts, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// What an answer may say about the server that gives it.
pub(super) struct Server<'a> {
    pub(super) name: &'a str,
    pub(super) requests: u64,
    pub(super) started: Instant,
    pub(super) healthy: bool,
}

/// Whether a path is a health check's.
pub(super) fn is_health(path: &str) -> bool {
    matches!(path, "/health" | "/api/health")
}

/// The answer to a health check.
pub(super) fn health(server: &Server<'_>) -> Reply {
    let (status, word) = match server.healthy {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let body = json!({
        "status": word,
        "server": server.name,
        "requests": server.requests,
        "uptime_s": server.started.elapsed().as_secs(),
    });
    replies::json(status, &body)
}

/// The answer to anything else.
pub(super) async fn visit(server: &Server<'_>, request: Request<Incoming>) -> Reply {
    let path = request.uri().path();
    let page = path.strip_prefix("/api").unwrap_or(path);
    match (path, request.method()) {
        ("/echo", _) => return echo(request),
        (_, &Method::GET | &Method::HEAD) => {}
        (_, &Method::POST) if matches!(page, "/cart" | "/checkout") => {}
        _ if matches!(page, "/cart" | "/checkout") => {
            return replies::method_not_allowed("GET, HEAD, POST");
        }
        _ => return replies::method_not_allowed("GET, HEAD"),
    }
    match (path, page) {
        ("/", _) => front_page(server),
        ("/slow", _) => slow(server, request.uri().query()).await,
        ("/bytes", _) => bytes(request.uri().query()),
        ("/api/test", _) => test(server, &request),
        (_, "/products") => products(server),
        (_, "/cart") => cart(server),
        (_, "/checkout") => checkout(server),
        _ => match page.strip_prefix("/products/") {
            Some(number) => product(server, number),
            None => replies::error(StatusCode::NOT_FOUND, &format!("nothing is at {path}")),
        },
    }
}

fn front_page(server: &Server<'_>) -> Reply {
    replies::html(format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>The tool shop</title>\n\
         <h1>The tool shop</h1>\n<p>This page came from <strong>{}</strong>.</p>\n\
         <p><a href=\"/products\">Products</a> · <a href=\"/cart\">Cart</a> · \
         <a href=\"/api/test\">API</a></p>\n</html>\n",
        escape(server.name)
    ))
}

fn products(server: &Server<'_>) -> Reply {
    let products: Vec<_> = (1..=PRODUCTS.len()).filter_map(describe).collect();
    ok(&json!({ "server": server.name, "products": products }))
}

fn product(server: &Server<'_>, number: &str) -> Reply {
    match number.parse().ok().and_then(describe) {
        Some(product) => ok(&json!({ "server": server.name, "product": product })),
        None => replies::error(
            StatusCode::NOT_FOUND,
            &format!("products are numbered from 1 to {}", PRODUCTS.len()),
        ),
    }
}

fn describe(number: usize) -> Option<Value> {
    let (name, cents) = PRODUCTS.get(number.checked_sub(1)?)?;
    Some(json!({ "id": number, "name": name, "price_cents": cents }))
}

fn cart(server: &Server<'_>) -> Reply {
    ok(
        &json!({ "server": server.name, "items": [describe(3), describe(8)], "total_cents": total() }),
    )
}

fn checkout(server: &Server<'_>) -> Reply {
    ok(&json!({ "server": server.name, "status": "ready to order", "total_cents": total() }))
}

/// What the cart's two products cost together.
fn total() -> u64 {
    PRODUCTS[2].1 + PRODUCTS[7].1
}

/// What arrived of the request: for seeing what a gateway in between adds.
fn test(server: &Server<'_>, request: &Request<Incoming>) -> Reply {
    let header = |name: HeaderName| {
        let value = request.headers().get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    ok(&json!({
        "message": "it works",
        "server": server.name,
        "requests": server.requests,
        "method": request.method().as_str(),
        "host": header(HOST),
        "forwarded_for": header(HeaderName::from_static("x-forwarded-for")),
        "forwarded_proto": header(HeaderName::from_static("x-forwarded-proto")),
    }))
}

async fn slow(server: &Server<'_>, query: Option<&str>) -> Reply {
    let wait = match number(query, "ms") {
        Some(ms) if Duration::from_millis(ms) <= LONGEST_WAIT => Duration::from_millis(ms),
        _ => return replies::error(StatusCode::BAD_REQUEST, "write /slow?ms=N, N up to 60000"),
    };
    tokio::time::sleep(wait).await;
    // The wait is at most a minute, so it fits.
    ok(&json!({ "server": server.name, "waited_ms": wait.as_millis() as u64 }))
}

fn bytes(query: Option<&str>) -> Reply {
    match number(query, "n") {
        Some(count) if count <= MOST_BYTES => replies::bytes(count),
        _ => replies::error(
            StatusCode::BAD_REQUEST,
            "write /bytes?n=N, N up to 1073741824",
        ),
    }
}

fn echo(request: Request<Incoming>) -> Reply {
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    replies::echo(content_type, request.into_body())
}

fn ok(value: &Value) -> Reply {
    replies::json(StatusCode::OK, value)
}

/// The number that a query gives for a key.
fn number(query: Option<&str>, key: &str) -> Option<u64> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key)?.1.parse().ok()
}

/// A text with what HTML would take for markup made harmless.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_among_other_parameters() {
        assert_eq!(number(Some("a=1&ms=250"), "ms"), Some(250));
        assert_eq!(number(Some("ms=soon"), "ms"), None);
        assert_eq!(number(Some("ms"), "ms"), None);
        assert_eq!(number(None, "ms"), None);
    }

    #[test]
    fn products_are_numbered_from_one() {
        assert!(describe(0).is_none());
        assert_eq!(describe(1).expect("the first")["name"], "Anvil");
        assert!(describe(PRODUCTS.len()).is_some());
        assert!(describe(PRODUCTS.len() + 1).is_none());
    }

    #[test]
    fn a_name_cannot_become_markup() {
        assert_eq!(escape("<b>&"), "&lt;b&gt;&amp;");
    }
}
