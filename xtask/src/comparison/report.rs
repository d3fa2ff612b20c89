//! What a simulation tells, as far as the page shows it.

use std::fmt::Write as _;

use serde::Deserialize;

/// A simulation's report.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    objective_ms: Option<f64>,
    policies: Vec<Outcome>,
}

/// What a balancer came to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    policy: String,
    requests: u64,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    mean_ms: f64,
    within: Option<f64>,
    errors: u64,
    imbalance: f64,
}

impl Report {
    /// Its figures as a table in Markdown. How long a decision took is left out:
    /// it is the machine's.
    pub(super) fn table(&self) -> String {
        let mut within = "within".to_owned();
        if let Some(objective) = self.objective_ms {
            let _ = write!(within, " {objective} ms");
        }
        let mut table = format!(
            "| balancer | p50 ms | p90 ms | p99 ms | p99.9 ms | mean ms | {within} % | errors % | imbalance |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        );
        for one in &self.policies {
            let times = [one.p50_ms, one.p90_ms, one.p99_ms, one.p999_ms, one.mean_ms];
            let times = times.map(|ms| format!("{ms:.1}")).join(" | ");
            let within = one.within.unwrap_or(1.0) * 100.0;
            let errors = one.errors as f64 / one.requests.max(1) as f64 * 100.0;
            let _ = writeln!(
                table,
                "| `{}` | {times} | {within:.2} | {errors:.2} | {:.2} |",
                one.policy, one.imbalance
            );
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_balancer() {
        let json = r#"{ "objectiveMs": 50.0, "policies": [{ "policy": "first", "requests": 200,
            "p50Ms": 1.04, "p90Ms": 2, "p99Ms": 3, "p999Ms": 4.06, "meanMs": 1.5, "within": 0.98,
            "errors": 1, "imbalance": 3 }] }"#;
        let table = serde_json::from_str::<Report>(json).unwrap().table();
        assert!(table.contains("| within 50 ms % |"), "{table}");
        let row = "| `first` | 1.0 | 2.0 | 3.0 | 4.1 | 1.5 | 98.00 | 0.50 | 3.00 |\n";
        assert!(table.ends_with(row), "{table}");
    }
}
