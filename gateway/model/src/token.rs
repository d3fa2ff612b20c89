//! Tokens: what names of headers, methods and protocols are made of.

/// The bytes that tokens are made of.
const IS_TOKEN: [bool; 256] = {
    let mut is_token = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        let is_sign = matches!(
            byte,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~'
        );
        is_token[byte as usize] = is_sign || byte.is_ascii_alphanumeric();
        byte += 1;
    }
    is_token
};

/// Whether a text is a token (RFC 9110, 5.6.2).
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| IS_TOKEN[usize::from(byte)])
}

#[cfg(test)]
mod tests {
    use super::is_token;

    #[test]
    fn all_signs_of_tokens_are_known_and_no_others() {
        for byte in 0..128_u8 {
            let is_sign = b"!#$%&'*+-.^_`|~".contains(&byte);
            let expected = is_sign || byte.is_ascii_alphanumeric();
            assert_eq!(is_token(&char::from(byte).to_string()), expected, "{byte}");
        }
    }

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
