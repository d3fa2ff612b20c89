//! The table of what each language costs.

use super::trial::Found;
use crate::bench::figures::grouped;

/// One language's figures.
pub(super) struct Row {
    /// The folder's name.
    pub(super) language: &'static str,
    /// The component's size.
    pub(super) bytes: usize,
    /// What the gateway told of it.
    pub(super) found: Found,
}

/// Print all of them.
pub(super) fn print(rows: &[Row]) {
    println!(
        "\n| language | component | compile time | memory | ns per decision | ns among 1,000 | faults |"
    );
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            row.language,
            size(row.bytes),
            time(row.found.compiling.as_secs_f64()),
            size((row.found.memory_kib as usize) << 10),
            grouped(row.found.ns_per_decision),
            grouped(row.found.ns_among_many),
            row.found.faults,
        );
    }
}

fn size(bytes: usize) -> String {
    let kib = bytes as f64 / 1024.0;
    if kib < 1024.0 {
        format!("{kib:.0} KiB")
    } else {
        format!("{:.1} MiB", kib / 1024.0)
    }
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use super::{size, time};

    #[test]
    fn figures_have_the_unit_that_keeps_them_short() {
        assert_eq!(size(1536), "2 KiB");
        assert_eq!(size(3 << 20), "3.0 MiB");
        assert_eq!(time(0.0305), "30 ms");
        assert_eq!(time(2.25), "2.2 s");
    }
}
