//! Tokens: what names of headers, methods and protocols are made of.

/// Whether a text is a token (RFC 9110, 5.6.2).
#[must_use]
pub fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::is_token;

    #[test]
    fn a_token_has_no_delimiter_and_is_not_empty() {
        for token in ["x-user", "X_User", "GET", "1.1", "!#$%&'*+-.^_`|~"] {
            assert!(is_token(token), "{token}");
        }
        for other in ["", "x user", "x:", "x,y", "\"x\"", "x\n", "\u{fc}"] {
            assert!(!is_token(other), "{other}");
        }
    }
}
