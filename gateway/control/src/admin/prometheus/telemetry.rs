//! The metrics of what is told of requests: the access log, and traces.

use std::fmt;

use super::families::{Families, Labels};
use crate::overview::TelemetryFigures;

pub(super) fn write(families: &mut Families<'_>, figures: TelemetryFigures) -> fmt::Result {
    let whole = [(Labels::new(), figures)];
    let mut counter = |name, help, value: fn(&TelemetryFigures) -> u64| {
        families.counters((name, help), &whole, value)
    };
    counter(
        "access_log_lines",
        "Lines of the access log that were written.",
        |figures| figures.lines,
    )?;
    counter(
        "access_log_dropped",
        "Lines of the access log that were dropped, since its writer was behind or could not write.",
        |figures| figures.lines_dropped,
    )?;
    counter(
        "trace_spans_exported",
        "Spans that a collector has taken.",
        |figures| figures.spans,
    )?;
    counter(
        "trace_spans_dropped",
        "Spans that no collector has taken.",
        |figures| figures.spans_dropped,
    )
}
