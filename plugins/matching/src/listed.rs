//! One text or a list of them.

use serde::Deserialize;

/// One text or a list of them, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub enum Listed {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Default for Listed {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Listed {
    /// As a list.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
        }
    }
}
