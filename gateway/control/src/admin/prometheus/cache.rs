//! The metrics of what is kept of servers' answers.

use std::fmt;

use gatewright_model::cache::Way;
use gatewright_proxy::Kept;

use super::families::{Families, Labelled, Labels};
use crate::overview::PoolFigures;

pub(super) fn write(
    families: &mut Families<'_>,
    kept: &Kept,
    pools: &[PoolFigures],
) -> fmt::Result {
    let caching = pools.iter().filter_map(|pool| Some((pool, pool.cache?)));
    let requests: Vec<Labelled<u64>> = caching
        .flat_map(|(pool, ways)| {
            Way::ALL.into_iter().zip(ways).map(|(way, count)| {
                let labels = vec![
                    ("pool", pool.name.to_string()),
                    ("result", way.name().to_owned()),
                ];
                (labels, count)
            })
        })
        .collect();
    if requests.is_empty() {
        // No pool caches.
        return Ok(());
    }
    families.counters(
        (
            "cache_requests",
            "Requests to pools that cache, by how they were answered.",
        ),
        &requests,
        |count| *count,
    )?;
    let whole = [(Labels::new(), *kept)];
    families.gauges(
        (
            "cache_entries",
            "URLs of which an answer is kept, or that there is none to keep.",
        ),
        &whole,
        |kept| kept.entries as f64,
    )?;
    families.gauges(
        (
            "cache_bytes",
            "What they and bodies on their way to them take of the memory, about.",
        ),
        &whole,
        |kept| kept.bytes as f64,
    )?;
    families.gauges(
        ("cache_capacity_bytes", "What they may take of the memory."),
        &whole,
        |kept| kept.capacity as f64,
    )?;
    families.counters(
        (
            "cache_evictions",
            "How often something kept gave way to something else.",
        ),
        &whole,
        |kept| kept.evictions,
    )
}
