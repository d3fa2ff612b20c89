//! What is done with the answers of a pool's servers: which are kept, and how
//! they are compressed.

use super::super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{CacheRules, Coding, Compression, Levels, MediaTypes};
use crate::config::quantity::{Period, Size};
use crate::config::written;
use crate::token::is_token;

/// Which answers are kept, where all of them may take so much memory.
pub(super) fn cache(
    written: &written::PoolCache,
    memory: Size,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> CacheRules {
    let largest = Size(memory.0 / defaults::MAX_OBJECT_SHARE).max(defaults::SMALLEST_MAX_OBJECT);
    let max_object = written.max_object;
    if max_object > largest {
        let share = defaults::MAX_OBJECT_SHARE;
        let message = format!(
            "{max_object} is more than one answer may take, {largest} (cache.memory / {share}); \
             write less here, or more there"
        );
        report.fail(&path.key("max_object"), message);
    } else {
        let range = defaults::SMALLEST_MAX_OBJECT..=largest;
        report.within(&path.key("max_object"), max_object, &range);
    }
    let mut within = |key, period: Period, range| report.within(&path.key(key), period, range).0;
    let default_ttl = written.default_ttl;
    CacheRules {
        max_object: max_object.0,
        default_ttl: default_ttl.map(|ttl| within("default_ttl", ttl, &defaults::DEFAULT_TTL)),
        stale_if_error: within(
            "stale_if_error",
            written.stale_if_error,
            &defaults::STALE_IF_ERROR,
        ),
        store_cookies: written.store_cookies,
        wait: within("wait", written.wait, &defaults::CACHE_WAIT),
    }
}

/// How bodies are compressed.
pub(super) fn compression(
    written: &written::Compression,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Compression {
    let algorithms = algorithms(&written.algorithms, &path.key("algorithms"), report);
    let min_size = path.key("min_size");
    let min_size = report.within(&min_size, written.min_size, &defaults::MIN_SIZE);
    let levels = path.key("levels");
    let mut level = |key, level, range| report.within(&levels.key(key), level, range);
    let levels = Levels {
        zstd: level("zstd", written.levels.zstd, &defaults::ZSTD_LEVEL),
        br: level("br", written.levels.br, &defaults::BR_LEVEL),
        gzip: level("gzip", written.levels.gzip, &defaults::GZIP_LEVEL),
    };
    Compression {
        algorithms,
        min_size: min_size.0,
        types: types(&written.types, &path.key("types"), report),
        levels,
    }
}

fn algorithms(written: &[Coding], path: &KeyPath, report: &mut Report<'_>) -> Vec<Coding> {
    if written.is_empty() {
        let message = "nothing would be compressed; write some of \"zstd\", \"br\" and \"gzip\", or \
                       compression = false";
        report.fail(path, message);
    }
    for (index, coding) in written.iter().enumerate() {
        if written[..index].contains(coding) {
            report.fail(&path.index(index), "it is there already; write each once");
        }
    }
    written.to_vec()
}

fn types(written: &[String], path: &KeyPath, report: &mut Report<'_>) -> MediaTypes {
    if written.is_empty() {
        let message = "nothing would be compressed; write types such as \"text/*\"";
        report.fail(path, message);
    }
    let mut types = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        types.extend(report.value(&path.index(index), media_type(text)));
    }
    MediaTypes(types)
}

/// A type whose subtype is a name, `*`, or `*+suffix`.
fn media_type(text: &str) -> Result<(String, String), String> {
    let is_name = |text: &str| is_token(text) && !text.contains('*');
    let parts = text.split_once('/').filter(|(kind, subtype)| {
        is_name(kind)
            && match subtype.strip_prefix('*') {
                Some("") => true,
                Some(suffix) => suffix.starts_with('+') && is_name(suffix),
                None => is_name(subtype),
            }
    });
    let parts = parts.map(|(kind, subtype)| (kind.to_owned(), subtype.to_owned()));
    parts.ok_or_else(|| {
        format!(
            "{text:?} is no media type; write one such as \"application/json\", \"text/*\" or \
             \"image/*+xml\""
        )
    })
}
