//! Names as RFC 9110 has them: of headers, of cookies, of methods.

use gatewright_plugin_sdk::{ConfigError, refuse};

/// Headers that say how a message is framed or that live for one hop. The
/// gateway writes them, whatever a plugin asks for.
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a text is a token of RFC 9110, which names of headers and cookies are.
pub fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// A header's name as it is written at `key`.
///
/// # Errors
///
/// When it is no name of a header.
pub fn header_name(name: &str, key: &str) -> Result<String, ConfigError> {
    if is_token(name) {
        return Ok(name.to_ascii_lowercase());
    }
    Err(refuse(
        key,
        format!("`{name}` is no header's name, such as X-Team"),
    ))
}

/// [`header_name`], of a header that a plugin may write.
///
/// # Errors
///
/// When it is no name of a header, or one that is the gateway's to write.
pub fn written_header(name: &str, key: &str) -> Result<String, ConfigError> {
    let name = header_name(name, key)?;
    if FRAMING.contains(&name.as_str()) {
        return Err(refuse(
            key,
            format!("`{name}` is the gateway's to write: leave it out"),
        ));
    }
    Ok(name)
}

/// The methods at `key`, each as it is sent.
///
/// # Errors
///
/// When one of them is no method.
pub fn methods(written: &[String], key: &str) -> Result<Vec<String>, ConfigError> {
    let is_method = |text: &str| {
        let is_part = |byte: u8| byte.is_ascii_uppercase() || b"-_".contains(&byte);
        !text.is_empty() && text.bytes().all(is_part)
    };
    match written.iter().find(|method| !is_method(method)) {
        Some(method) => Err(refuse(
            key,
            format!("`{method}` is no method: write it as sent, such as GET"),
        )),
        None => Ok(written.to_vec()),
    }
}

/// Whether a text can be a header's value: no control characters.
pub fn is_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7F))
}

#[cfg(test)]
mod tests {
    use super::{FRAMING, header_name, is_value, methods, written_header};

    #[test]
    fn names_are_told_in_lower_case_and_framing_is_left_to_the_gateway() {
        assert_eq!(header_name("X-Team", "k").unwrap(), "x-team");
        for name in ["", "a b", "a:", "ü"] {
            assert_eq!(header_name(name, "k").unwrap_err().key, "k", "{name}");
        }
        for name in FRAMING {
            assert!(written_header(name, "k").is_err(), "{name}");
        }
    }

    #[test]
    fn methods_are_written_as_they_are_sent() {
        let written = ["GET".to_owned(), "get".to_owned()];
        assert!(methods(&written[..1], "k").is_ok());
        assert_eq!(methods(&written, "k").unwrap_err().key, "k");
    }

    #[test]
    fn a_value_begins_no_other_header() {
        assert!(is_value("a\tb ü"));
        assert!(!is_value("a\r\nb: c"));
    }
}
