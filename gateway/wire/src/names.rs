//! Names of headers that a server may take for one another.
//!
//! Servers that pass headers on as environment variables (CGI, WSGI, Rack) read
//! `X_User` as they read `X-User`: what is decided on the one has to hold for the
//! other.

use http::{HeaderMap, HeaderName};

/// Whether two names are one to such servers, whatever their case.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}

/// A byte of a name as such servers read it.
fn plain(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

/// Removes a header, in every spelling.
pub fn remove(headers: &mut HeaderMap, name: &str) {
    remove_all(headers, |known| is_same(known.as_str(), name));
}

/// Removes the headers that have to go by their names.
pub fn remove_all(headers: &mut HeaderMap, has_to_go: impl Fn(&HeaderName) -> bool) {
    let gone = headers.keys().filter(|name| has_to_go(name));
    // Mostly there is none, and nothing is allocated.
    for name in gone.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn case_and_underscores_make_no_difference_and_all_else_does() {
        assert!(is_same("X_User-Name", "x-user_name"));
        assert!(!is_same("x-user", "x-users"));
        assert!(!is_same("x-user", "x.user"));
    }

    #[test]
    fn a_header_is_removed_in_every_spelling() {
        let mut headers = HeaderMap::new();
        for name in ["x-user", "x_user", "x-user", "x-users"] {
            headers.append(name, HeaderValue::from_static("ann"));
        }
        remove(&mut headers, "X-User");
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-users"]);
    }
}
