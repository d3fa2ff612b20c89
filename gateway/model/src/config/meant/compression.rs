//! How the bodies of a pool's answers are compressed.

use super::{Coding, Levels};

/// How the bodies of a pool's answers are compressed.
#[derive(Clone, Debug, PartialEq)]
pub struct Compression {
    /// The codings, the preferred one first; at least one, and each once.
    pub algorithms: Vec<Coding>,
    /// The smallest body whose length is known, in bytes.
    pub min_size: u64,
    /// What is compressed.
    pub types: MediaTypes,
    /// How hard each coding tries.
    pub levels: Levels,
}

/// Media types, of which a part may be any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTypes(pub(crate) Vec<(String, String)>);

impl MediaTypes {
    /// Whether the value of a `Content-Type` is one of them, whatever its
    /// parameters are.
    pub fn has(&self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let Some((kind, subtype)) = essence.split_once('/') else {
            return false;
        };
        self.0.iter().any(|(known_kind, known_subtype)| {
            known_kind.eq_ignore_ascii_case(kind) && fits(known_subtype, subtype)
        })
    }
}

/// Whether a subtype is meant by `pattern`: a name, `*`, or `*+suffix` (RFC 6839).
fn fits(pattern: &str, subtype: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(suffix) => {
            let end = subtype.len().checked_sub(suffix.len());
            let end = end.and_then(|start| subtype.get(start..));
            end.is_some_and(|end| end.eq_ignore_ascii_case(suffix))
        }
        None => pattern.eq_ignore_ascii_case(subtype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_name_by_family_and_by_suffix_whatever_its_parameters() {
        let known = [("text", "*"), ("application", "json"), ("image", "*+xml")];
        let known = known.map(|(kind, subtype)| (kind.to_owned(), subtype.to_owned()));
        let types = MediaTypes(known.to_vec());
        for one in [
            "text/html; charset=utf-8",
            "TEXT/CSS",
            "Application/JSON",
            "image/svg+xml",
        ] {
            assert!(types.has(one), "{one}");
        }
        for other in [
            "",
            "text",
            "application/json2",
            "image/png",
            "image/xml",
            "x/text/html",
        ] {
            assert!(!types.has(other), "{other}");
        }
    }
}
