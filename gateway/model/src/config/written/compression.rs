//! The keys of how the bodies of a pool's answers are compressed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::quantity::Size;

/// Compressing bodies for clients that accept it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Compression {
    /// The codings, the preferred one first. At least one.
    #[schemars(length(min = 1))]
    pub algorithms: Vec<Coding>,
    /// The smallest body that is compressed, where its length is known: up to
    /// 16 MiB.
    pub min_size: Size,
    /// The media types that are compressed, such as `application/json` or
    /// `text/*`. At least one.
    #[schemars(length(min = 1))]
    pub types: Vec<String>,
    /// How hard each coding tries.
    pub levels: Levels,
}

/// How hard each coding tries: more takes longer and makes less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Levels {
    /// 1 to 12.
    #[schemars(range(min = 1, max = 12))]
    pub zstd: u8,
    /// 0 to 9.
    #[schemars(range(max = 9))]
    pub br: u8,
    /// 1 to 9.
    #[schemars(range(min = 1, max = 9))]
    pub gzip: u8,
}

/// A content coding, by the name that HTTP has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Zstandard (RFC 8878).
    Zstd,
    /// Brotli (RFC 7932).
    Br,
    /// gzip (RFC 1952).
    Gzip,
}
