//! What a component says of itself: the custom sections that `wasm-tools
//! metadata add`, `cargo component` and their like write.
//!
//! It is a stranger's text that ends in terminals and on pages, so it is read
//! with bounds, each field for itself: what is too long, no text, or would
//! trick a reader is left out, and no component is refused for it. (The crate
//! `wasm-metadata` reads all fields or none, without bounds.)

use wasmparser::{ComponentName, ComponentNameSectionReader, KnownCustom, Parser, Payload};

use crate::plain::is_deceptive;

/// Bytes of a field.
const FIELD_BYTES: usize = 256;

/// Bytes of a description.
const DESCRIPTION_BYTES: usize = 1024;

/// What a component says of itself; none of it is checked to be true.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: Option<String>,
    /// Its version, as its author counts.
    pub version: Option<String>,
    /// What it is.
    pub description: Option<String>,
    /// Where to read more: an address that begins with `http://` or `https://`.
    pub homepage: Option<String>,
    /// Who made it.
    pub authors: Option<String>,
    /// Its licences, as an SPDX expression.
    pub licenses: Option<String>,
}

impl About {
    /// Read it from a component's bytes; of what is none, nothing. What stands
    /// in the component's parts is theirs and not its own.
    pub fn of(component: &[u8]) -> Self {
        let mut about = Self::default();
        let mut depth = 0_usize;
        // What cannot be parsed further says no more.
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 0 => match section.as_known() {
                    KnownCustom::ComponentName(names) => about.take_name(names),
                    _ => about.take(section.name(), section.data()),
                },
                _ => {}
            }
        }
        about
    }

    fn take_name(&mut self, names: ComponentNameSectionReader<'_>) {
        for name in names.into_iter().map_while(Result::ok) {
            if let ComponentName::Component { name, .. } = name {
                fill(&mut self.name, plain(name.as_bytes(), FIELD_BYTES));
            }
        }
    }

    fn take(&mut self, section: &str, data: &[u8]) {
        let (field, bytes) = match section {
            "version" => (&mut self.version, FIELD_BYTES),
            "description" => (&mut self.description, DESCRIPTION_BYTES),
            "homepage" => (&mut self.homepage, FIELD_BYTES),
            "authors" => (&mut self.authors, FIELD_BYTES),
            "licenses" => (&mut self.licenses, FIELD_BYTES),
            _ => return,
        };
        let text = plain(data, bytes);
        let is_address = |text: &String| {
            let begins = |scheme| text.starts_with(scheme);
            begins("https://") || begins("http://")
        };
        fill(
            field,
            text.filter(|text| section != "homepage" || is_address(text)),
        );
    }
}

/// The first of several counts.
fn fill(field: &mut Option<String>, text: Option<String>) {
    if field.is_none() {
        *field = text;
    }
}

/// A text on one line; none for what is empty, too long, no UTF-8, or has
/// characters that show nothing or change how others are shown.
fn plain(data: &[u8], most: usize) -> Option<String> {
    if data.len() > most {
        return None;
    }
    let text = std::str::from_utf8(data).ok()?;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_plain = !line.is_empty() && !line.contains(is_deceptive);
    is_plain.then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn empty() -> Vec<u8> {
        wat::parse_str("(component)").unwrap()
    }

    /// A component with one more custom section; its length is one byte.
    fn with(mut component: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
        let length = 1 + name.len() + data.len();
        component.extend([0, (length % 128) as u8 | 0x80, (length / 128) as u8]);
        component.push(name.len() as u8);
        component.extend(name.as_bytes());
        component.extend(data);
        component
    }

    #[test]
    fn what_it_says_is_read() {
        let text = r#"(component $near
            (@custom "version" "1.2.0")
            (@custom "description" "Prefers\n  its own zone.")
            (@custom "homepage" "https://near.example/")
            (@custom "authors" "Ada, Grace")
            (@custom "licenses" "MIT OR Apache-2.0")
            (@custom "revision" "5f1d20ab"))"#;
        let about = About::of(&wat::parse_str(text).unwrap());
        let some = |text: &str| Some(text.to_owned());
        let expected = About {
            name: some("near"),
            version: some("1.2.0"),
            description: some("Prefers its own zone."),
            homepage: some("https://near.example/"),
            authors: some("Ada, Grace"),
            licenses: some("MIT OR Apache-2.0"),
        };
        assert_eq!(about, expected);
    }

    #[test]
    fn what_says_nothing_has_nothing_to_say() {
        assert_eq!(About::of(&empty()), About::default());
        assert_eq!(About::of(b"\x7fELF"), About::default());
    }

    #[test]
    fn a_field_that_would_trick_a_reader_is_left_out_and_the_others_stay() {
        for data in [
            &b"\x1b[2J"[..],
            b"\xff\xfe",
            b" \n ",
            b"",
            "a\u{202e}b".as_bytes(),
            "a\u{200b}b".as_bytes(),
        ] {
            let component = with(with(empty(), "authors", data), "version", b"1.0");
            let about = About::of(&component);
            assert_eq!(about.authors, None, "{data:?}");
            assert_eq!(about.version.as_deref(), Some("1.0"));
        }
    }

    #[test]
    fn a_homepage_is_an_address_of_the_web() {
        for address in ["javascript:alert(1)", "data:text/html,", "//near.example"] {
            let component = with(empty(), "homepage", address.as_bytes());
            assert_eq!(About::of(&component).homepage, None, "{address}");
        }
    }

    #[test]
    fn a_field_has_its_length() {
        for (name, most) in [("version", FIELD_BYTES), ("description", DESCRIPTION_BYTES)] {
            for (bytes, is_there) in [(most, true), (most + 1, false)] {
                let about = About::of(&with(empty(), name, &vec![b'a'; bytes]));
                let field = about.version.or(about.description);
                assert_eq!(field.is_some(), is_there, "{bytes} bytes of {name}");
            }
        }
    }

    #[test]
    fn the_first_of_several_counts() {
        let component = with(with(empty(), "version", b"1"), "version", b"2");
        assert_eq!(About::of(&component).version.as_deref(), Some("1"));
    }

    #[test]
    fn what_its_parts_say_is_not_its_own() {
        let text = r#"(component
            (core module (@custom "version" "of the module"))
            (component (@custom "version" "of a part"))
            (@custom "authors" "its own"))"#;
        let about = About::of(&wat::parse_str(text).unwrap());
        assert_eq!(about.version, None);
        assert_eq!(about.authors.as_deref(), Some("its own"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes: Vec<u8>) {
            About::of(&with(empty(), "description", &bytes[..bytes.len().min(99)]));
            About::of(&bytes);
        }

        #[test]
        fn a_cut_component_says_no_more_than_the_whole(cut in 0_usize..200) {
            let whole = with(with(empty(), "version", b"1"), "authors", b"Ada");
            let about = About::of(&whole[..cut.min(whole.len())]);
            prop_assert!(about.version.is_none_or(|version| version == "1"));
            prop_assert!(about.authors.is_none_or(|authors| authors == "Ada"));
        }
    }
}
