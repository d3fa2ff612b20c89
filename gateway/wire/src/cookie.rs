//! One cookie out of a `Cookie` header, without allocation.
//!
//! The grammar is that of RFC 6265 §4.2.1, read as leniently as browsers write
//! it: any bytes but `;` in a value, optional white space around each pair.

/// The value of the first cookie called `name` in a `Cookie` header's value.
///
/// Names are compared exactly (they are case-sensitive). White space around
/// name and value and one pair of double quotes around the value are removed.
/// A value that is not UTF-8 is treated as absent; so is an empty `name`.
#[must_use]
pub fn find<'a>(cookie_header: &'a [u8], name: &str) -> Option<&'a str> {
    if name.is_empty() {
        return None;
    }
    cookie_header
        .split(|&byte| byte == b';')
        .filter_map(|pair| {
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            Some((&pair[..equals], &pair[equals + 1..]))
        })
        .find(|(candidate, _)| candidate.trim_ascii() == name.as_bytes())
        .and_then(|(_, value)| std::str::from_utf8(unquote(value.trim_ascii())).ok())
}

fn unquote(value: &[u8]) -> &[u8] {
    value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::find;

    #[test]
    fn the_named_cookie_is_found_anywhere_in_the_header() {
        let header = b"a=1; session=abc;b=2;  last=z ";
        assert_eq!(find(header, "a"), Some("1"));
        assert_eq!(find(header, "session"), Some("abc"));
        assert_eq!(find(header, "b"), Some("2"));
        assert_eq!(find(header, "last"), Some("z"));
        assert_eq!(find(header, "c"), None);
    }

    #[test]
    fn a_name_is_never_found_inside_another_name_or_value() {
        assert_eq!(find(b"xid=1; y=id=2", "id"), None);
        assert_eq!(find(b"ID=1", "id"), None);
        assert_eq!(find(b"id", "id"), None);
        assert_eq!(find(b"=1", ""), None);
    }

    #[test]
    fn quotes_go_only_as_a_pair() {
        assert_eq!(find(b"a=\"b\"", "a"), Some("b"));
        assert_eq!(find(b"a=\"\"", "a"), Some(""));
        assert_eq!(find(b"a=\"", "a"), Some("\""));
        assert_eq!(find(b"a=b\"", "a"), Some("b\""));
    }

    #[test]
    fn a_value_keeps_its_equals_signs() {
        assert_eq!(find(b"token=YWJj==; x=1", "token"), Some("YWJj=="));
    }

    #[test]
    fn the_first_of_two_wins_and_bytes_that_are_not_text_are_absent() {
        assert_eq!(find(b"a=1; a=2", "a"), Some("1"));
        assert_eq!(find(b"a=\xff", "a"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(header: Vec<u8>, name: String) {
            let _ = find(&header, &name);
        }

        #[test]
        fn a_written_cookie_is_read_back(
            before in "([a-m]{1,5}=[a-z0-9]{0,5}; ){0,4}",
            name in "[n-z]{1,8}",
            value in "[!#-+--:<-\\[\\]-~]{0,20}",
        ) {
            let header = format!("{before}{name}={value}");
            prop_assert_eq!(find(header.as_bytes(), &name), Some(value.as_str()));
        }
    }
}
