//! A shopper's cookies, kept as a browser keeps them (RFC 6265, section 5),
//! for one origin. `Domain` is therefore of no account, and of `Expires` only
//! the usual way to delete a cookie, a date in 1970, is heeded.

use std::time::{Duration, Instant};

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

/// More than browsers are required to keep for a site.
const MOST_COOKIES: usize = 64;

/// The cookies of one customer.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Debug, PartialEq)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    secure: bool,
    expires: Option<Instant>,
}

impl Jar {
    /// Forget everything.
    pub(super) fn clear(&mut self) {
        self.cookies.clear();
    }

    /// Keep what a response to a request for `path` sets.
    pub(super) fn keep(&mut self, headers: &HeaderMap, path: &str, now: Instant) {
        let texts = headers.get_all(SET_COOKIE).iter();
        for text in texts.filter_map(|value| value.to_str().ok()) {
            let Some(cookie) = parse(text, path, now) else {
                continue;
            };
            let same = |old: &Cookie| old.name == cookie.name && old.path == cookie.path;
            self.cookies.retain(|old| !same(old));
            if cookie.is_live(now) && self.cookies.len() < MOST_COOKIES {
                self.cookies.push(cookie);
            }
        }
    }

    /// The `Cookie` header of a request for `path`, if it gets one.
    pub(super) fn header(&self, path: &str, secure: bool, now: Instant) -> Option<HeaderValue> {
        let mut text = String::new();
        let fits = |cookie: &&Cookie| {
            cookie.is_live(now) && (secure || !cookie.secure) && matches(&cookie.path, path)
        };
        for cookie in self.cookies.iter().filter(fits) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(&cookie.name);
            text.push('=');
            text.push_str(&cookie.value);
        }
        if text.is_empty() {
            return None;
        }
        HeaderValue::try_from(text).ok()
    }
}

impl Cookie {
    fn is_live(&self, now: Instant) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// Read a `Set-Cookie` header's value.
fn parse(text: &str, request_path: &str, now: Instant) -> Option<Cookie> {
    let mut parts = text.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.trim().to_owned(),
        path: default_path(request_path).to_owned(),
        secure: false,
        expires: None,
    };
    let mut max_age = None;
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => cookie.path = value.to_owned(),
            "secure" => cookie.secure = true,
            "max-age" => max_age = value.trim().parse::<i64>().ok().or(max_age),
            "expires" if value.contains("1970") => cookie.expires = Some(now),
            _ => {}
        }
    }
    // Max-Age wins over Expires, in whichever order they come.
    if let Some(seconds) = max_age {
        let age = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        // An age beyond the clock's range is as good as none.
        cookie.expires = now.checked_add(age);
    }
    Some(cookie)
}

/// The folder of a request's path (RFC 6265, 5.1.4).
fn default_path(request_path: &str) -> &str {
    let path = request_path.split('?').next().unwrap_or(request_path);
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(end) => &path[..end],
    }
}

/// Whether a cookie's path covers a request's (RFC 6265, 5.1.4).
fn matches(cookie_path: &str, request_path: &str) -> bool {
    let path = request_path.split('?').next().unwrap_or(request_path);
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(jar: &mut Jar, path: &str, now: Instant, set_cookies: &[&'static str]) {
        let mut headers = HeaderMap::new();
        for text in set_cookies {
            headers.append(SET_COOKIE, HeaderValue::from_static(text));
        }
        jar.keep(&headers, path, now);
    }

    fn header(jar: &Jar, path: &str, now: Instant) -> Option<String> {
        let value = jar.header(path, false, now)?;
        Some(value.to_str().expect("plain text").to_owned())
    }

    #[test]
    fn a_cookie_comes_back_with_every_request_below_its_path() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        keep(
            &mut jar,
            "/",
            now,
            &["a=1; Path=/; HttpOnly", "b=2; Path=/api"],
        );
        assert_eq!(header(&jar, "/", now).as_deref(), Some("a=1"));
        assert_eq!(header(&jar, "/api", now).as_deref(), Some("a=1; b=2"));
        assert_eq!(header(&jar, "/api/x?y", now).as_deref(), Some("a=1; b=2"));
        assert_eq!(header(&jar, "/apix", now).as_deref(), Some("a=1"));
    }

    #[test]
    fn without_a_path_it_is_the_folder_that_was_asked_for() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        keep(&mut jar, "/shop/cart?x=/y/", now, &["a=1"]);
        assert_eq!(header(&jar, "/shop/other", now).as_deref(), Some("a=1"));
        assert_eq!(header(&jar, "/", now), None);
    }

    #[test]
    fn the_newest_value_is_kept() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        keep(&mut jar, "/", now, &["a=1", "a=2"]);
        keep(&mut jar, "/", now, &["a=3"]);
        assert_eq!(header(&jar, "/", now).as_deref(), Some("a=3"));
    }

    #[test]
    fn both_ways_to_delete_a_cookie_work() {
        let now = Instant::now();
        for end in ["a=; Max-Age=0", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            let mut jar = Jar::default();
            keep(&mut jar, "/", now, &["a=1"]);
            keep(&mut jar, "/", now, &[end]);
            assert_eq!(header(&jar, "/", now), None, "{end}");
        }
    }

    #[test]
    fn a_cookie_ends_with_its_age() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        keep(&mut jar, "/", now, &["a=1; Max-Age=10"]);
        assert!(header(&jar, "/", now + Duration::from_secs(9)).is_some());
        assert_eq!(header(&jar, "/", now + Duration::from_secs(10)), None);
    }

    #[test]
    fn a_secure_cookie_goes_through_tls_alone() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        keep(&mut jar, "/", now, &["a=1; Secure"]);
        assert!(jar.header("/", true, now).is_some());
        assert!(jar.header("/", false, now).is_none());
    }

    #[test]
    fn what_is_no_cookie_is_passed_over_and_the_jar_has_an_end() {
        let (mut jar, now) = (Jar::default(), Instant::now());
        keep(
            &mut jar,
            "/",
            now,
            &["", "=1", "a", "; Path=/", "ok=1; Max-Age=soon"],
        );
        assert_eq!(header(&jar, "/", now).as_deref(), Some("ok=1"));
        for number in 0..2 * MOST_COOKIES {
            let mut headers = HeaderMap::new();
            let text = HeaderValue::try_from(format!("n{number}=1")).expect("plain text");
            headers.append(SET_COOKIE, text);
            jar.keep(&headers, "/", now);
        }
        assert_eq!(jar.cookies.len(), MOST_COOKIES);
    }
}
