//! The metrics of the look-ups of servers by name.

use std::fmt;

use super::families::{Families, Labelled};
use crate::discovery::LookUpFigures;

pub(super) fn write(families: &mut Families<'_>, pools: &[LookUpFigures]) -> fmt::Result {
    let pools: Vec<_> = pools.iter().map(labelled).collect();
    families.counters(
        ("dns_lookups", "Look-ups of all names of the pool."),
        &pools,
        |pool| pool.lookups,
    )?;
    families.counters(
        (
            "dns_failed_lookups",
            "Look-ups in which a name was not found.",
        ),
        &pools,
        |pool| pool.failed,
    )?;
    families.gauges(
        (
            "dns_failed_in_a_row",
            "Look-ups in which a name was not found since one that found all.",
        ),
        &pools,
        |pool| pool.failed_in_a_row as f64,
    )?;
    families.gauges(
        ("dns_servers", "Servers that the names last gave."),
        &pools,
        |pool| pool.servers as f64,
    )
}

fn labelled(pool: &LookUpFigures) -> Labelled<&LookUpFigures> {
    (vec![("pool", pool.pool.to_string())], pool)
}
