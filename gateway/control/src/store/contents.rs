//! What the fields of a cluster's state say, all of them read before any is kept: what
//! this program cannot read must not come to lie in its store, where it would keep it
//! from starting.

use std::collections::BTreeMap;
use std::fmt::Display;

use gatewright_cluster::Fields;
use gatewright_model::config::{Key, Overlay, Override};
use gatewright_model::id::Digest;
use serde::de::DeserializeOwned;

use super::replica::{HISTORY, OVERRIDE, SECRET, TOKEN, VERSION, unhex};
use super::secrets::SESSIONS;
use super::{Histories, TokenRecord, Versions};

/// What fields say.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) overlay: Overlay,
    pub(crate) versions: Versions,
    pub(crate) histories: Histories,
    /// By their ids.
    pub(crate) tokens: Vec<TokenRecord>,
    /// None where nobody has drawn it yet.
    pub(crate) session_key: Option<[u8; 32]>,
}

/// A record that this program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("{record}: {why}")]
pub(crate) struct Unreadable {
    record: String,
    why: String,
}

impl Contents {
    /// What these fields say.
    pub(crate) fn of(fields: &Fields) -> Result<Self, Unreadable> {
        let mut overrides = Vec::new();
        let mut contents = Self {
            overlay: Overlay::default(),
            versions: BTreeMap::new(),
            histories: BTreeMap::new(),
            tokens: Vec::new(),
            session_key: None,
        };
        for (field, text) in fields {
            let unreadable = |why: &dyn Display| Unreadable {
                record: field.clone(),
                why: why.to_string(),
            };
            if let Some(key) = field.strip_prefix(OVERRIDE) {
                let key: Key = parse(field, key)?;
                let held: Override = parse(field, text)?;
                overrides.push((key, held));
            } else if let Some(version) = field.strip_prefix(VERSION) {
                let (plugin, digest) = version.rsplit_once(':').unwrap_or((version, ""));
                let digest = digest.parse::<Digest>();
                let digest = digest.map_err(|error| unreadable(&error))?;
                let record = parse(field, text)?;
                contents.versions.insert((plugin.into(), digest), record);
            } else if let Some(seat) = field.strip_prefix(HISTORY) {
                let steps = parse(field, text)?;
                contents.histories.insert(seat.to_owned(), steps);
            } else if field.starts_with(TOKEN) {
                contents.tokens.push(parse(field, text)?);
            } else if field.strip_prefix(SECRET) == Some(SESSIONS) {
                let key = unhex(text);
                let key = key.ok_or_else(|| unreadable(&"it is no key of 64 hexadecimal digits"));
                contents.session_key = Some(key?);
            } else {
                return Err(unreadable(&"it is of a kind that is not known here"));
            }
        }
        contents.overlay = overrides.into_iter().collect();
        Ok(contents)
    }
}

/// What a record says; an error names the field of it.
fn parse<T: DeserializeOwned>(record: &str, text: &str) -> Result<T, Unreadable> {
    let mut reading = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut reading);
    let unreadable = |why: String| Unreadable {
        record: record.to_owned(),
        why,
    };
    let parsed = parsed.map_err(|error| unreadable(error.to_string()))?;
    reading
        .end()
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::{Contents, Fields};

    fn refusal(field: &str, text: &str) -> String {
        let fields = Fields::from([(field.to_owned(), text.to_owned())]);
        Contents::of(&fields).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_read_is_named_with_its_field() {
        let token = r#"{"id":"a","name":"ops","role":"king","created":0,"sha256":""}"#;
        let refused = refusal("token:a", token);
        assert!(refused.starts_with("token:a: role: "), "{refused}");
        assert!(refused.contains("king"), "{refused}");
        for (field, text) in [
            ("override:[", "{}"),
            (r#"override:["pools"]"#, "{"),
            ("version:mine:00", "{}"),
            ("version:mine", "{}"),
            ("history:web/balancer", "[{}]"),
            ("history:web/balancer", "[] more"),
            ("secret:sessions", "00"),
            ("secret:more", ""),
            ("quota:web", "{}"),
        ] {
            let refused = refusal(field, text);
            assert!(refused.starts_with(&format!("{field}: ")), "{refused}");
        }
    }
}
