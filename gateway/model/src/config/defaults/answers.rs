//! The defaults and ranges of what is done with answers: keeping and compressing
//! them.

use std::ops::RangeInclusive;

use crate::config::quantity::{Period, Size};
use crate::config::written::{Cache, Coding, Compression, Levels, PoolCache};

const DAY: u64 = 24 * 3600;

pub(in crate::config) const CACHE_MEMORY: RangeInclusive<Size> = Size::mib(1)..=Size::mib(1 << 16);
/// The smallest that is worth being kept; how large is a matter of the memory.
pub(in crate::config) const SMALLEST_MAX_OBJECT: Size = Size::kib(1);
/// The share of the memory that one answer may take: what is kept lies in eight parts of
/// seven eighths of it, and what is on its way in the last eighth, in each of which one
/// is to leave room for others.
pub(in crate::config) const MAX_OBJECT_SHARE: u64 = 16;
pub(in crate::config) const DEFAULT_TTL: RangeInclusive<Period> =
    Period::s(1)..=Period::s(365 * DAY);
pub(in crate::config) const STALE_IF_ERROR: RangeInclusive<Period> =
    Period::s(0)..=Period::s(30 * DAY);
pub(in crate::config) const CACHE_WAIT: RangeInclusive<Period> = Period::s(0)..=Period::s(60);

pub(in crate::config) const MIN_SIZE: RangeInclusive<Size> = Size(0)..=Size::mib(16);
/// Beyond it an encoder takes more than 8 MiB for each answer.
pub(in crate::config) const ZSTD_LEVEL: RangeInclusive<u8> = 1..=12;
/// The two beyond it take tens of times as long.
pub(in crate::config) const BR_LEVEL: RangeInclusive<u8> = 0..=9;
pub(in crate::config) const GZIP_LEVEL: RangeInclusive<u8> = 1..=9;

impl Default for Cache {
    fn default() -> Self {
        Self {
            memory: Size::mib(64),
        }
    }
}

impl Default for PoolCache {
    fn default() -> Self {
        Self {
            max_object: Size::mib(1),
            default_ttl: None,
            stale_if_error: Period::s(0),
            store_cookies: false,
            wait: Period::s(5),
        }
    }
}

impl Default for Compression {
    fn default() -> Self {
        let types = [
            "text/*",
            "application/json",
            "application/*+json",
            "application/javascript",
            "application/xml",
            "application/*+xml",
            "application/wasm",
            "image/svg+xml",
            "font/ttf",
            "font/otf",
        ];
        Self {
            algorithms: vec![Coding::Zstd, Coding::Br, Coding::Gzip],
            min_size: Size::kib(1),
            types: types.map(str::to_owned).to_vec(),
            levels: Levels::default(),
        }
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            zstd: 3,
            br: 4,
            gzip: 5,
        }
    }
}
