//! What `Cache-Control` says (RFC 9111 §5.2), in requests and in responses.
//!
//! Names are read in any case, values bare or quoted. What is said twice counts as
//! its smaller value, and a time that is none as no time at all (§4.2.1): when in
//! doubt, an answer is asked for again.

use http::header::{self, HeaderMap};

/// The longest time that is told apart from for ever: 2³¹ s (§1.2.2).
const FOR_EVER: u64 = 1 << 31;

/// What a response says of being kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ResponseDirectives {
    pub(super) no_store: bool,
    /// With and without the names of headers: to keep less than may be kept is right.
    pub(super) no_cache: bool,
    /// Likewise.
    pub(super) private: bool,
    pub(super) public: bool,
    pub(super) must_understand: bool,
    /// `must-revalidate` or `proxy-revalidate`, which are the same in a shared cache.
    pub(super) must_revalidate: bool,
    /// In seconds, like all that follow.
    pub(super) max_age: Option<u64>,
    pub(super) s_maxage: Option<u64>,
    pub(super) stale_while_revalidate: Option<u64>,
    pub(super) stale_if_error: Option<u64>,
}

impl ResponseDirectives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut said = Self::default();
        each(headers, |name, value| match () {
            () if is(name, "no-store") => said.no_store = true,
            () if is(name, "no-cache") => said.no_cache = true,
            () if is(name, "private") => said.private = true,
            () if is(name, "public") => said.public = true,
            () if is(name, "must-understand") => said.must_understand = true,
            () if is(name, "must-revalidate") || is(name, "proxy-revalidate") => {
                said.must_revalidate = true;
            }
            () if is(name, "max-age") => smaller(&mut said.max_age, value),
            () if is(name, "s-maxage") => smaller(&mut said.s_maxage, value),
            () if is(name, "stale-while-revalidate") => {
                smaller(&mut said.stale_while_revalidate, value);
            }
            () if is(name, "stale-if-error") => smaller(&mut said.stale_if_error, value),
            () => {}
        });
        said
    }
}

/// What a request says of being answered from what is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequestDirectives {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) only_if_cached: bool,
    /// In seconds, like all that follow.
    pub(super) max_age: Option<u64>,
    pub(super) min_fresh: Option<u64>,
    pub(super) max_stale: Option<u64>,
}

impl RequestDirectives {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut said = Self::default();
        each(headers, |name, value| match () {
            () if is(name, "no-store") => said.no_store = true,
            () if is(name, "no-cache") => said.no_cache = true,
            () if is(name, "only-if-cached") => said.only_if_cached = true,
            () if is(name, "max-age") => smaller(&mut said.max_age, value),
            () if is(name, "min-fresh") => smaller(&mut said.min_fresh, value),
            // Without a value: however stale it is.
            () if is(name, "max-stale") && value.is_none() => said.max_stale = Some(FOR_EVER),
            () if is(name, "max-stale") => smaller(&mut said.max_stale, value),
            () => {}
        });
        // What HTTP/1.0 clients say instead (§5.4).
        if !headers.contains_key(header::CACHE_CONTROL) {
            let pragma = headers.get_all(header::PRAGMA).iter();
            let mut words = pragma.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
            said.no_cache = words.any(|word| is(word.trim_ascii(), "no-cache"));
        }
        said
    }
}

fn is(name: &[u8], known: &str) -> bool {
    name.eq_ignore_ascii_case(known.as_bytes())
}

/// Keep the smaller of what was said before and what is said now.
fn smaller(kept: &mut Option<u64>, value: Option<&[u8]>) {
    let seconds = value.map_or(0, seconds);
    *kept = Some(kept.map_or(seconds, |before| before.min(seconds)));
}

/// A time in seconds (§1.2.2); one that is none is no time.
pub(super) fn seconds(value: &[u8]) -> u64 {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    let digits = value.iter().map(|digit| u64::from(digit - b'0'));
    digits.fold(0, |sum, digit| (sum * 10 + digit).min(FOR_EVER))
}

/// Look at every directive: its name, and its value without quotes.
fn each(headers: &HeaderMap, mut look: impl FnMut(&[u8], Option<&[u8]>)) {
    let lists = headers.get_all(header::CACHE_CONTROL).iter();
    for element in lists.flat_map(|list| elements(list.as_bytes(), b',')) {
        match element.iter().position(|byte| *byte == b'=') {
            Some(equals) => {
                let value = unquoted(element[equals + 1..].trim_ascii());
                look(element[..equals].trim_ascii(), Some(value));
            }
            None => look(element, None),
        }
    }
}

/// What stands in a list between such bytes, unless they are quoted; without the spaces
/// around it.
pub(super) fn elements(list: &[u8], between: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = end_of_element(rest, between);
        let element = rest[..end].trim_ascii();
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(element)
    })
}

/// Where the first element of a list ends.
fn end_of_element(list: &[u8], between: u8) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_end = |byte: &u8| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            byte if *byte == between && !is_quoted => return true,
            _ => {}
        }
        false
    };
    list.iter().position(is_end).unwrap_or(list.len())
}

fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value.strip_prefix(b"\"");
    inner
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn response(values: &[&str]) -> ResponseDirectives {
        let mut headers = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(header::CACHE_CONTROL, value);
        }
        ResponseDirectives::of(&headers)
    }

    #[test]
    fn names_are_read_in_any_case_and_values_bare_or_quoted() {
        let said = response(&[
            "Max-AGE=\"60\" ,PUBLIC",
            "No-Store;x, private=\"set-cookie, x\"",
        ]);
        assert_eq!(
            (said.max_age, said.public, said.private),
            (Some(60), true, true)
        );
        assert!(!said.no_store, "another word: no-store;x");
    }

    #[test]
    fn what_is_quoted_is_no_directive() {
        let said = response(&["x=\"max-age=60, no-store\", y=\"\\\", public\", s-maxage=5"]);
        let only = ResponseDirectives {
            s_maxage: Some(5),
            ..ResponseDirectives::default()
        };
        assert_eq!(said, only);
    }

    #[test]
    fn what_is_said_twice_counts_as_its_smaller_value() {
        assert_eq!(response(&["max-age=60, max-age=30"]).max_age, Some(30));
        assert_eq!(response(&["max-age=30", "max-age=60"]).max_age, Some(30));
    }

    #[test]
    fn a_time_that_is_none_is_no_time_and_one_too_long_is_for_ever() {
        for value in ["", "x", "-1", "1.5", "60s", "0x10", "1 0"] {
            let said = response(&[&format!("max-age={value}")]);
            assert_eq!(said.max_age, Some(0), "{value}");
        }
        let said = response(&["max-age=99999999999999999999999"]);
        assert_eq!(said.max_age, Some(FOR_EVER));
        assert_eq!(response(&["max-age=0060"]).max_age, Some(60));
    }

    #[test]
    fn pragma_is_heard_where_nothing_newer_is_said() {
        let mut headers = HeaderMap::new();
        headers.insert(header::PRAGMA, HeaderValue::from_static("x, No-Cache"));
        assert!(RequestDirectives::of(&headers).no_cache);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-stale"));
        let said = RequestDirectives::of(&headers);
        assert_eq!((said.no_cache, said.max_stale), (false, Some(FOR_EVER)));
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in "[ -~]{0,64}") {
            let said = response(&[&value]);
            prop_assert!(said.max_age.is_none_or(|seconds| seconds <= FOR_EVER));
        }

        #[test]
        fn a_directive_is_found_wherever_it_stands(before in "[a-z]{1,8}(=\"[a-z, =]{0,8}\")?") {
            let said = response(&[&format!("{before},no-store")]);
            prop_assert!(said.no_store);
        }
    }
}
