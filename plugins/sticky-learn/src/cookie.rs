//! What a response does to a cookie (RFC 6265, section 5.2).

use gatewright_plugin_sdk::response;

/// What a response says of a session.
#[derive(Debug, PartialEq)]
pub(crate) enum Given {
    /// That it has this name.
    Named(String),
    /// That it is over.
    Deleted,
    /// Nothing.
    Nothing,
}

/// What the response does to a cookie: the last `Set-Cookie` of its name counts.
pub(crate) fn given(cookie: &str) -> Given {
    let mut last = Given::Nothing;
    for index in 0.. {
        let Some(line) = response::header_bytes("set-cookie", index) else {
            break;
        };
        let line = std::str::from_utf8(&line).ok();
        if let Some(given) = line.and_then(|line| of_line(line, cookie)) {
            last = given;
        }
    }
    last
}

/// What one line does, if it is about the cookie.
fn of_line(line: &str, cookie: &str) -> Option<Given> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    if name.trim() != cookie {
        return None;
    }
    let value = value.trim().trim_matches('"');
    let is_over = value.is_empty() || parts.any(ends_it);
    Some(match is_over {
        true => Given::Deleted,
        false => Given::Named(value.into()),
    })
}

/// Whether an attribute deletes the cookie. `Expires` in the past does too, and
/// is always sent with an empty value or beside `Max-Age`; dates are not read.
fn ends_it(attribute: &str) -> bool {
    let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
    let age = value.trim();
    name.trim().eq_ignore_ascii_case("max-age") && (age == "0" || age.starts_with('-'))
}
