//! `/metrics`: every figure, for Prometheus, as its text or in OpenMetrics.

mod cache;
mod certificates;
mod cluster;
mod families;
mod form;
mod lookups;
mod plugins;
mod pools;
mod servers;
mod telemetry;
mod traffic;

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use self::certificates::Certificates;
use self::families::Families;
use self::form::Form;
use super::envelope::{Failure, failure};
use crate::control::Control;
use crate::overview::{Overview, gather};

const PREFIX: &str = "gatewright";

/// Show every figure to Prometheus.
///
/// In OpenMetrics where `Accept` likes that better, otherwise in the text form that
/// every program for metrics takes.
#[utoipa::path(
    get, path = "/metrics", operation_id = "scrape", tag = "figures",
    responses(
        (status = OK, description = "All figures as they are now",
         content((String = Form::TEXT), (String = Form::OPEN_METRICS)),
         headers(("vary" = String, description = "`accept`: the form follows it"))),
        (status = INTERNAL_SERVER_ERROR, description = "They cannot be written", body = Failure),
    )
)]
pub(super) async fn scrape(State(control): State<Arc<Control>>, headers: HeaderMap) -> Response {
    let told = (Certificates::of(&control), cluster::Figures::of(&control));
    match render(gather(&control), told) {
        Ok(open_metrics) => {
            let form = Form::wanted(&headers);
            let told = [
                (header::CONTENT_TYPE, form.content_type()),
                (header::VARY, "accept"),
            ];
            (told, form.of(open_metrics)).into_response()
        }
        Err(error) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            failure(
                status,
                "unwritable",
                format!("the metrics cannot be written: {error}"),
            )
        }
    }
}

/// All figures in OpenMetrics, which the library writes.
fn render(
    overview: Overview,
    (certificates, cluster): (Certificates, Option<cluster::Figures>),
) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Figures(overview, certificates, cluster)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

/// The figures, which are counted elsewhere, as the library wants them.
#[derive(Debug)]
struct Figures(Overview, Certificates, Option<cluster::Figures>);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = Families::new(encoder);
        traffic::write(&mut families, &self.0)?;
        telemetry::write(&mut families, self.0.telemetry)?;
        certificates::write(&mut families, &self.1)?;
        cluster::write(&mut families, self.2)?;
        pools::write(&mut families, &self.0.pools)?;
        cache::write(&mut families, &self.0.cache, &self.0.pools)?;
        servers::write(&mut families, &self.0.servers)?;
        lookups::write(&mut families, &self.0.lookups)?;
        plugins::write(&mut families, &self.0.plugins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::burden::Burden;
    use crate::discovery::LookUpFigures;
    use crate::overview::{
        Faults, PluginFigures, PluginState, PoolFigures, ServerFigures, TelemetryFigures, Totals,
    };
    use crate::reloads::Reloads;
    use gatewright_host::{Figure, Part};
    use gatewright_model::circuit::Phase;
    use gatewright_model::endpoint::Health;
    use gatewright_model::histogram::{Histogram, Reading};
    use gatewright_model::id::Digest;
    use gatewright_model::queue::Figures;
    use gatewright_model::role::Role;
    use gatewright_proxy::Kept;
    use std::time::Duration;

    /// Every name and type, and the labels of one sample of each.
    const GOLDEN: &str = include_str!("../../tests/golden/metrics.txt");

    fn reading(recorded: u32) -> Reading {
        let histogram = Histogram::default();
        histogram.record(recorded);
        let mut reading = Reading::default();
        histogram.add_to(&mut reading);
        reading
    }

    fn overview() -> Overview {
        let server = ServerFigures {
            id: "127.0.0.1:3001".into(),
            pool: "web".into(),
            host: "127.0.0.1".into(),
            port: 3001,
            weight: 3,
            health: Health::Healthy,
            circuit: Phase::Closed,
            ejections: 1,
            warmth: 100,
            draining: false,
            eligible: true,
            active: 2,
            requests: 40,
            failures: 1,
            connect_failures: 1,
            connections: 4,
            latency: reading(700),
            mean_ms: Some(0.7),
            state: std::sync::Weak::new(),
        };
        let plugin = PluginFigures {
            name: "mine".into(),
            role: Role::Balancer,
            pool: Some("web".into()),
            policy: None,
            part: Part::Active,
            version: Digest([7; 32]),
            decisions: 41,
            faults: Faults {
                trapped: 1,
                ..Faults::default()
            },
            fallbacks: 1,
            capped: 1,
            overruled: 2,
            restarts: 1,
            time_ns: reading(400),
            ns_per_decision: Some(400.0),
            burden: Some(Burden {
                percent: 3.0,
                busiest: 5.0,
                ..Burden::default()
            }),
            memory: 1 << 20,
            own: vec![
                ("hits".into(), Figure::Counter(5)),
                ("depth".into(), Figure::Gauge(0.5)),
            ],
            state: PluginState::Active,
        };
        Overview {
            uptime: Duration::from_secs(90),
            totals: Totals {
                latency: reading(900),
                ..Totals::default()
            },
            pools: vec![PoolFigures {
                name: "web".into(),
                queue: Figures::default(),
                panicking: false,
                cache: Some([9, 1, 2, 3, 4]),
            }],
            servers: vec![server],
            plugins: vec![plugin],
            cache: Kept::default(),
            lookups: vec![LookUpFigures {
                pool: "web".into(),
                lookups: 9,
                failed: 2,
                failed_in_a_row: 1,
                servers: 3,
            }],
            last_reload: Reloads::default().last(),
            telemetry: TelemetryFigures::default(),
        }
    }

    fn certificates() -> Certificates {
        let labels = [
            ("listener", "tls"),
            ("certificate", "a.example"),
            ("source", "acme"),
        ];
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        let orders = ["issued", "failed"].map(|name| (vec![("outcome", name.to_owned())], 1));
        Certificates {
            expiry: vec![(labels.to_vec(), 1.8e9)],
            orders: orders.to_vec(),
        }
    }

    fn in_a_cluster() -> (Certificates, Option<cluster::Figures>) {
        let cluster = cluster::Figures {
            is_connected: true,
            version: 7,
            gateways: 3,
            problems: 0,
            failed: 1,
        };
        (certificates(), Some(cluster))
    }

    /// The lines of a text without help and without what a run would change.
    fn shape(text: &str) -> String {
        let lines = text.lines().filter(|line| !line.starts_with("# HELP"));
        let one = |line: &str| match line.rsplit_once(' ') {
            Some((name, _)) if !line.starts_with('#') => name.to_owned(),
            _ => line.to_owned(),
        };
        // One rung of a ladder stands for all.
        let rung = |line: &String| !line.contains("{le=\"") || line.contains("le=\"+Inf\"");
        lines
            .map(one)
            .filter(rung)
            .map(|line| line + "\n")
            .collect()
    }

    #[test]
    fn names_types_and_labels_are_as_promised() {
        let text = render(overview(), in_a_cluster()).unwrap();
        assert_eq!(shape(&text), GOLDEN, "metrics were:\n{}", shape(&text));
    }

    #[test]
    fn values_are_in_base_units() {
        let text = render(overview(), in_a_cluster()).unwrap();
        for line in [
            "gatewright_uptime_seconds 90.0",
            "gatewright_certificate_expiry_timestamp_seconds{listener=\"tls\",certificate=\"a.example\",source=\"acme\"} 1800000000.0",
            "gatewright_server_requests_total{pool=\"web\",server=\"127.0.0.1:3001\"} 40",
            "gatewright_request_duration_seconds_bucket{le=\"0.000512\"} 0",
            "gatewright_request_duration_seconds_bucket{le=\"0.001024\"} 1",
            "gatewright_request_duration_seconds_bucket{le=\"+Inf\"} 1",
            "gatewright_request_duration_seconds_count 1",
        ] {
            assert!(
                text.lines().any(|given| given == line),
                "no {line} in\n{text}"
            );
        }
        let decision = "gatewright_plugin_decision_seconds_bucket{le=\"5.12e-7\",plugin=\"mine\"";
        let mut lines = text.lines();
        assert!(
            lines.any(|line| line.starts_with(decision) && line.ends_with(" 1")),
            "{text}"
        );
    }
}
