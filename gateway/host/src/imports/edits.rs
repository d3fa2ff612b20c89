//! Which headers a plugin may touch.

use gatewright_model::token::is_token;

/// Headers that say how a message is framed or that live for one hop: they are
/// the gateway's to write, or request smuggling would be a plugin's bug away.
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
];

/// Bytes of a header's value.
const VALUE_BYTES: usize = 8192;

/// A header's name in lower case, or why it may not be touched.
pub(super) fn header_name(mut name: String) -> Result<String, String> {
    name.make_ascii_lowercase();
    if !is_token(&name) {
        return Err(format!("{name:?} is not a header name"));
    }
    if RESERVED.contains(&name.as_str()) {
        return Err(format!("the header {name:?} is the gateway's to write"));
    }
    Ok(name)
}

/// A header with its name in lower case, or why it may not be written.
pub(super) fn header(name: String, value: String) -> Result<(String, String), String> {
    let name = header_name(name)?;
    header_value(&name, &value)?;
    Ok((name, value))
}

/// Why a header may not have this value, if it may not.
pub(super) fn header_value(name: &str, value: &str) -> Result<(), String> {
    if value.len() > VALUE_BYTES {
        return Err(format!(
            "the value of {name:?} is longer than {VALUE_BYTES} bytes"
        ));
    }
    // Eight bytes at a time, whatever they are: the compiler looks at them at once.
    let (eights, rest) = value.as_bytes().as_chunks::<8>();
    if !eights.iter().all(|eight| is_printable(eight)) || !is_printable(rest) {
        return Err(format!("the value of {name:?} holds a control character"));
    }
    Ok(())
}

fn is_printable(bytes: &[u8]) -> bool {
    let is_printable = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let bytes = bytes.iter();
    bytes.fold(true, |all, byte| all & is_printable(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_headers_are_refused_in_any_case() {
        for name in RESERVED {
            assert!(header_name(name.to_ascii_uppercase()).is_err());
        }
    }

    #[test]
    fn a_value_cannot_begin_another_header() {
        assert!(header("x-a".into(), "1\r\nx-b: 2".into()).is_err());
        assert!(header("x-a\r\nx-b".into(), "1".into()).is_err());
        let ordinary = header("X-A".into(), "grün\t1".into());
        assert_eq!(ordinary, Ok(("x-a".into(), "grün\t1".into())));
    }
}
