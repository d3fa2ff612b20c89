//! Which headers a plugin may touch.

use std::sync::Arc;

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

/// Names that are remembered: a plugin writes the same few.
const NAMES: usize = 16;

/// Bytes of a name that is remembered: a plugin may make names as long as it likes.
const NAME_BYTES: usize = 64;

/// The first names that a plugin gave in lower case and may touch: they need not be
/// checked again, nor copied.
#[derive(Default)]
pub(crate) struct Names(Vec<Arc<str>>);

impl Names {
    /// A header's name in lower case, or why it may not be touched.
    pub(super) fn checked(&mut self, name: &str) -> Result<Arc<str>, String> {
        if let Some(known) = self.0.iter().find(|known| ***known == *name) {
            return Ok(Arc::clone(known));
        }
        let mut checked: Arc<str> = name.into();
        Arc::make_mut(&mut checked).make_ascii_lowercase();
        header_name(&checked)?;
        if self.0.len() < NAMES && name.len() <= NAME_BYTES && *checked == *name {
            self.0.push(Arc::clone(&checked));
        }
        Ok(checked)
    }

    /// A header with its name in lower case, or why it may not be written.
    pub(super) fn header(
        &mut self,
        name: &str,
        value: String,
    ) -> Result<(Arc<str>, String), String> {
        let name = self.checked(name)?;
        header_value(&name, &value)?;
        Ok((name, value))
    }
}

/// Why a header of this name, in lower case, may not be touched, if it may not.
fn header_name(name: &str) -> Result<(), String> {
    if !is_token(name) {
        return Err(format!("{name:?} is not a header name"));
    }
    if RESERVED.contains(&name) {
        return Err(format!("the header {name:?} is the gateway's to write"));
    }
    Ok(())
}

/// Why a header may not have this value, if it may not.
pub(super) fn header_value(name: &str, value: &str) -> Result<(), String> {
    if value.len() > VALUE_BYTES {
        return Err(format!(
            "the value of {name:?} is longer than {VALUE_BYTES} bytes"
        ));
    }
    let (eights, rest) = value.as_bytes().as_chunks();
    let mut rest = rest.iter().copied();
    if !eights.iter().copied().all(are_printable) || !rest.all(is_printable) {
        return Err(format!("the value of {name:?} holds a control character"));
    }
    Ok(())
}

fn is_printable(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The same of eight bytes, in one number: the top bit of each says whether
/// the byte is suspect. Tabs are too, and looked at again.
fn are_printable(eight: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let bytes = u64::from_ne_bytes(eight);
    let below_space = bytes.wrapping_sub(ONES * 0x20) & !bytes;
    let not_delete = bytes ^ (ONES * 0x7f);
    let delete = not_delete.wrapping_sub(ONES) & !not_delete;
    (below_space | delete) & TOPS == 0 || eight.into_iter().all(is_printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_headers_are_refused_in_any_case() {
        for name in RESERVED {
            let name = name.to_ascii_uppercase();
            assert!(Names::default().checked(&name).is_err());
        }
    }

    #[test]
    fn a_control_character_is_found_wherever_it_is() {
        for byte in 0..=0x7f_u8 {
            for at in 0..20 {
                let mut value = [b'~'; 20];
                value[at] = byte;
                let found = header_value("x-a", std::str::from_utf8(&value).unwrap());
                assert_eq!(found.is_ok(), is_printable(byte), "{byte} at {at}");
            }
        }
        assert!(header_value("x-a", "grüne Äpfel\tund \u{80}\u{10ffff} Birnen").is_ok());
    }

    #[test]
    fn a_value_cannot_begin_another_header() {
        let mut names = Names::default();
        assert!(names.header("x-a", "1\r\nx-b: 2".into()).is_err());
        assert!(names.header("x-a\r\nx-b", "1".into()).is_err());
        let ordinary = names.header("X-A", "grün\t1".into());
        assert_eq!(ordinary, Ok(("x-a".into(), "grün\t1".into())));
    }

    #[test]
    fn some_names_that_may_be_touched_are_remembered() {
        let mut names = Names::default();
        let first = names.checked("x-a").unwrap();
        assert!(Arc::ptr_eq(&names.checked("x-a").unwrap(), &first));
        assert_eq!(names.checked("X-A").unwrap(), first);
        for _ in 0..2 {
            assert!(names.checked("host").is_err());
        }
        for number in 0..2 * NAMES {
            let name = format!("x-{number}");
            assert_eq!(&*names.checked(&name).unwrap(), name);
        }
        assert_eq!(names.0.len(), NAMES);
    }
}
