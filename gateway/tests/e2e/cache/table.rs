//! What may be kept and for how long, by RFC 9111: each line is a server's answer,
//! two requests, and whether the second needs the server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::numbered;
use crate::support::{Gateway, Message, Pool, Upstream};

/// Whether the second request is answered from what is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Kept,
    Asked,
}
use Then::{Asked, Kept};

/// The status and the headers of the answer, those of the first request and of the
/// second. `{-60}` is the date of a minute ago.
type Case = (&'static str, &'static str, &'static str, Then);

/// What a client says that proves who it is.
const BASIC: &str = "Authorization: Basic a";

const FRESHNESS: &[Case] = &[
    // Without a word about it, and without a date to guess from (§4.2.2).
    ("", "", "", Asked),
    ("|ETag: \"a\"", "", "", Asked),
    ("|Last-Modified: {-86400}", "", "", Kept),
    ("|Last-Modified: {-86400}|Date: {-9000}", "", "", Asked),
    ("|Last-Modified: {60}", "", "", Asked),
    ("201 Created|Last-Modified: {-86400}", "", "", Asked),
    (
        "201 Created|Last-Modified: {-86400}|Cache-Control: public",
        "",
        "",
        Kept,
    ),
    // For as long as it says (§5.2.2.1, §5.2.2.10, §5.3), in that order.
    ("|Cache-Control: max-age=60", "", "", Kept),
    ("|Cache-Control: max-age=0", "", "", Asked),
    ("|Cache-Control: s-maxage=60", "", "", Kept),
    ("|Cache-Control: max-age=60, s-maxage=0", "", "", Asked),
    ("|Cache-Control: max-age=0, s-maxage=60", "", "", Kept),
    ("|Expires: {60}", "", "", Kept),
    ("|Expires: {-60}", "", "", Asked),
    ("|Expires: 0", "", "", Asked),
    ("|Expires: -1|Last-Modified: {-86400}", "", "", Asked),
    ("|Expires: {60}|Expires: {-60}", "", "", Asked),
    ("|Expires: {60}|Cache-Control: max-age=0", "", "", Asked),
    ("|Expires: {-60}|Cache-Control: max-age=60", "", "", Kept),
    ("|Expires: {60}|Cache-Control: public", "", "", Kept),
    ("|Expires: {3660}|Date: {3600}", "", "", Kept),
    (
        "|Expires: Sunday, 06-Nov-94 08:49:37 GMT|Last-Modified: {-86400}",
        "",
        "",
        Asked,
    ),
    ("|Expires: Sun Nov  6 08:49:37 2044", "", "", Kept),
    // How old it is already (§4.2.3).
    ("|Cache-Control: max-age=60|Age: 30", "", "", Kept),
    ("|Cache-Control: max-age=60|Age: 60", "", "", Asked),
    ("|Cache-Control: max-age=60|Age: 61", "", "", Asked),
    (
        "|Cache-Control: max-age=60|Age: 99999999999999999999",
        "",
        "",
        Asked,
    ),
    ("|Cache-Control: max-age=60|Age: -60", "", "", Kept),
    ("|Cache-Control: max-age=60|Age: x", "", "", Kept),
    ("|Cache-Control: max-age=60|Date: {-30}", "", "", Kept),
    ("|Cache-Control: max-age=60|Date: {-90}", "", "", Asked),
    ("|Cache-Control: max-age=60|Date: {90}", "", "", Kept),
    ("|Cache-Control: max-age=60|Date: x", "", "", Kept),
    ("|Expires: {60}|Age: 90", "", "", Asked),
    // How it is written (§5.2).
    ("|Cache-Control: MAX-AGE=60", "", "", Kept),
    ("|Cache-Control: max-age=\"60\"", "", "", Kept),
    (
        "|Cache-Control: max-age=60|Cache-Control: public",
        "",
        "",
        Kept,
    ),
    (
        "|Cache-Control: max-age=0|Cache-Control: max-age=60",
        "",
        "",
        Asked,
    ),
    ("|Cache-Control: max-age=60, max-age=0", "", "", Asked),
    ("|Cache-Control: max-age=x", "", "", Asked),
    ("|Cache-Control: max-age=-60", "", "", Asked),
    ("|Cache-Control: max-age=60.5", "", "", Asked),
    ("|Cache-Control: max-age", "", "", Asked),
    ("|Cache-Control: max-age=060", "", "", Kept),
    ("|Cache-Control: max-age=99999999999999999999", "", "", Kept),
    ("|Cache-Control: x=\"max-age=60\"", "", "", Asked),
    (
        "|Cache-Control: x=\"a, max-age=0\", max-age=60",
        "",
        "",
        Kept,
    ),
    ("|Cache-Control: xmax-age=60", "", "", Asked),
    ("|Cache-Control: ,max-age=60 ,", "", "", Kept),
    ("|Cache-Control: immutable", "", "", Asked),
    ("|Cache-Control: immutable, max-age=60", "", "", Kept),
    ("|Pragma: no-cache|Cache-Control: max-age=60", "", "", Kept),
];

const STORING: &[Case] = &[
    // What a server forbids (§3, §5.2.2).
    ("|Cache-Control: max-age=60, no-store", "", "", Asked),
    ("|Cache-Control: max-age=60, No-Store", "", "", Asked),
    ("|Cache-Control: max-age=60, xno-store", "", "", Kept),
    ("|Cache-Control: max-age=60, no-cache", "", "", Asked),
    (
        "|Cache-Control: max-age=60, no-cache=\"x-a\"",
        "",
        "",
        Asked,
    ),
    ("|Cache-Control: max-age=60, private", "", "", Asked),
    ("|Cache-Control: max-age=60, Private=\"x-a\"", "", "", Asked),
    ("|Cache-Control: max-age=60, must-revalidate", "", "", Kept),
    (
        "|Cache-Control: max-age=60, must-understand, no-store",
        "",
        "",
        Kept,
    ),
    (
        "299 X|Cache-Control: max-age=60, must-understand",
        "",
        "",
        Asked,
    ),
    ("|Cache-Control: max-age=60|Set-Cookie: a=b", "", "", Asked),
    (
        "|Cache-Control: max-age=60|Warning: 110 a stale",
        "",
        "",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Cache-Status: other; fwd=miss",
        "",
        "",
        Kept,
    ),
    // By the status.
    ("203 X|Cache-Control: max-age=60", "", "", Kept),
    ("299 X|Cache-Control: max-age=60", "", "", Kept),
    ("301 X|Cache-Control: max-age=60|Location: /x", "", "", Kept),
    ("302 X|Location: /x|Last-Modified: {-86400}", "", "", Asked),
    ("302 X|Cache-Control: max-age=60|Location: /x", "", "", Kept),
    ("308 X|Last-Modified: {-86400}|Location: /x", "", "", Kept),
    ("404 X|Cache-Control: max-age=60", "", "", Kept),
    ("404 X|Last-Modified: {-86400}", "", "", Kept),
    ("410 X|Last-Modified: {-86400}", "", "", Kept),
    ("403 X|Last-Modified: {-86400}", "", "", Asked),
    ("403 X|Expires: {60}", "", "", Kept),
    ("500 X|Last-Modified: {-86400}", "", "", Asked),
    ("503 X|Cache-Control: max-age=60", "", "", Kept),
    ("599 X|Cache-Control: max-age=60", "", "", Kept),
    (
        "206 X|Cache-Control: max-age=60|Content-Range: bytes 0-0/9",
        "",
        "",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60|Content-Range: bytes 0-0/9",
        "",
        "",
        Asked,
    ),
    ("412 X|Cache-Control: max-age=60", "", "", Asked),
    ("416 X|Cache-Control: max-age=60", "", "", Asked),
    ("417 X|Cache-Control: max-age=60", "", "", Asked),
    (
        "404 X|Cache-Control: max-age=60",
        "Range: bytes=0-0",
        "",
        Asked,
    ),
    ("|Cache-Control: max-age=60", "Range: bytes=0-0", "", Kept),
    // For those who have proved who they are (§3.5).
    ("|Cache-Control: max-age=60", BASIC, "", Asked),
    ("|Cache-Control: max-age=60, public", BASIC, "", Kept),
    (
        "|Cache-Control: max-age=60, must-revalidate",
        BASIC,
        "",
        Kept,
    ),
    ("|Cache-Control: s-maxage=60", BASIC, "", Kept),
    ("|Cache-Control: max-age=60", "", BASIC, Asked),
    ("|Cache-Control: max-age=60, public", "", BASIC, Kept),
];

const REQUESTS: &[Case] = &[
    // What a client wants (§5.2.1, §5.4).
    (
        "|Cache-Control: max-age=60",
        "Cache-Control: no-store",
        "",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60",
        "",
        "Cache-Control: no-store",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60",
        "",
        "Cache-Control: no-cache",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60",
        "",
        "Cache-Control: No-Cache",
        Asked,
    ),
    ("|Cache-Control: max-age=60", "", "Pragma: no-cache", Asked),
    ("|Cache-Control: max-age=60", "", "Pragma: x", Kept),
    (
        "|Cache-Control: max-age=60",
        "",
        "Cache-Control: x|Pragma: no-cache",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Age: 30",
        "",
        "Cache-Control: max-age=10",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60|Age: 10",
        "",
        "Cache-Control: max-age=30",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Age: 30",
        "",
        "Cache-Control: min-fresh=40",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60|Age: 10",
        "",
        "Cache-Control: min-fresh=20",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Age: 90|ETag: \"a\"",
        "",
        "Cache-Control: max-stale",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Age: 90|ETag: \"a\"",
        "",
        "Cache-Control: max-stale=60",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Age: 90|ETag: \"a\"",
        "",
        "Cache-Control: max-stale=10",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60, must-revalidate|Age: 90|ETag: \"a\"",
        "",
        "Cache-Control: max-stale",
        Asked,
    ),
    (
        "|Cache-Control: s-maxage=60|Age: 90|ETag: \"a\"",
        "",
        "Cache-Control: max-stale",
        Asked,
    ),
    // By what selects an answer (§4.1).
    (
        "|Cache-Control: max-age=60|Vary: X-A",
        "X-A: 1",
        "X-A: 1",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Vary: X-A",
        "X-A: 1",
        "X-A: 2",
        Asked,
    ),
    ("|Cache-Control: max-age=60|Vary: X-A", "X-A: 1", "", Asked),
    ("|Cache-Control: max-age=60|Vary: X-A", "", "X-A: 1", Asked),
    (
        "|Cache-Control: max-age=60|Vary: X-A",
        "X-A: 1|X-A: 2",
        "X-A: 1",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60|Vary: x-b, x-A",
        "X-A: 1|X-B: 2",
        "X-A: 1|X-B: 2",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60|Vary: x-b, x-A",
        "X-A: 1|X-B: 2",
        "X-A: 1",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60|Vary: X-A|Vary: X-B",
        "X-B: 1",
        "X-B: 2",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60|Vary: X-A|Vary: X-B",
        "X-A: 1",
        "X-A: 2",
        Asked,
    ),
    ("|Cache-Control: max-age=60|Vary: *", "", "", Asked),
    ("|Cache-Control: max-age=60|Vary: X-A, *", "", "", Asked),
    ("|Cache-Control: max-age=60|Vary: ,", "", "", Kept),
    // What the gateway writes for each client.
    (
        "|Cache-Control: max-age=60|Vary: X-Forwarded-For",
        "",
        "",
        Asked,
    ),
    (
        "|Cache-Control: max-age=60|Vary: X-Forwarded-Proto",
        "",
        "",
        Kept,
    ),
    // What says nothing of the cache.
    (
        "|Cache-Control: max-age=60",
        "Cookie: a=b",
        "Cookie: c=d",
        Kept,
    ),
    (
        "|Cache-Control: max-age=60",
        "User-Agent: a",
        "User-Agent: b",
        Kept,
    ),
];

/// Dates in the place of `{seconds}` from now.
fn dated(text: &str) -> String {
    let mut dated = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (seconds, after) = after.split_once('}').expect("a brace");
        let seconds: i64 = seconds.parse().expect("seconds");
        let period = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        let date = match seconds < 0 {
            true => now - period,
            false => now + period,
        };
        dated += before;
        dated += &httpdate::fmt_http_date(date);
        rest = after;
    }
    dated + rest
}

fn request(path: usize, headers: &str) -> String {
    let lines = headers.split('|').filter(|line| !line.is_empty());
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("GET /{path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

async fn holds(cases: &'static [Case]) {
    let counts = Arc::<Mutex<HashMap<usize, usize>>>::default();
    let server = Upstream::answering(move |request: &Message| {
        let case: usize = request.target()[1..].parse().expect("a case");
        let mut counts = counts.lock().expect("no panic");
        let count = counts.entry(case).or_default();
        *count += 1;
        numbered(&dated(cases[case].0), *count)
    })
    .await;
    let pool = Pool::of(&[&server])
        .with("cache", "true")
        .with("breaker", "false");
    let gateway = Gateway::before(pool).await;
    let mut wire = gateway.connect().await;
    for (number, (head, first, second, then)) in cases.iter().enumerate() {
        let mut bodies = Vec::new();
        for headers in [first, second] {
            wire.send(request(number, headers)).await;
            bodies.push(wire.response().await.text().to_owned());
        }
        let came = match &*bodies[1] {
            "1" => Kept,
            _ => Asked,
        };
        assert_eq!(
            came, *then,
            "{number}: {head:?}, {first:?}, {second:?}: {bodies:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_is_fresh_for_as_long_as_it_says() {
    holds(FRESHNESS).await;
}

#[tokio::test]
async fn an_answer_is_kept_only_where_it_may_be() {
    holds(STORING).await;
}

#[tokio::test]
async fn a_request_gets_what_is_kept_only_where_it_is_meant() {
    holds(REQUESTS).await;
}
