//! The two text forms of `/metrics`, and which of them a client gets (RFC 9110,
//! 12.5.1).

use std::collections::HashSet;

use axum::http::{HeaderMap, header};
use mime::{Mime, MimeIter};

/// How the figures are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The text form of Prometheus, which every program that reads metrics takes.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

impl Form {
    pub(super) const TEXT: &'static str = "text/plain; version=0.0.4; charset=utf-8";
    pub(super) const OPEN_METRICS: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// The form that a client likes better: OpenMetrics where `Accept` gives it more
    /// weight, or as much but names it more exactly, and text otherwise, also for
    /// whoever accepts neither.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let lines = accepted.filter_map(|line| line.to_str().ok());
        let ranges: Vec<_> = lines.flat_map(MimeIter::new).flatten().collect();
        let open_metrics = liking(&ranges, "application", "openmetrics-text", "1.0.0");
        let text = liking(&ranges, "text", "plain", "0.0.4");
        match open_metrics.weight > 0.0 && open_metrics > text {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => Self::TEXT,
            Self::OpenMetrics => Self::OPEN_METRICS,
        }
    }

    /// What is written in OpenMetrics, in this form.
    pub(super) fn of(self, open_metrics: String) -> String {
        match self {
            Self::Text => text(&open_metrics),
            Self::OpenMetrics => open_metrics,
        }
    }
}

/// How much a client likes a form: by the weight first.
#[derive(Debug, Default, PartialEq, PartialOrd)]
struct Liking {
    /// From 0, not at all, to 1.
    weight: f32,
    /// How exactly it is named: by nothing, any type, its type, its name, its version.
    exactness: u8,
}

/// How much these ranges, of which the most exact one counts, like a media type.
fn liking(ranges: &[Mime], kind: &str, name: &str, version: &str) -> Liking {
    let of_one = |range: &Mime| {
        let wanted = range.get_param("version");
        let exactness = match (range.type_().as_str(), range.subtype().as_str()) {
            ("*", "*") => 1,
            (one, "*") if one == kind => 2,
            (one, other) if (one, other) == (kind, name) => match wanted {
                None => 3,
                Some(wanted) if wanted == version => 4,
                Some(_) => return None,
            },
            _ => return None,
        };
        let weight = match range.get_param("q") {
            Some(weight) => weight.as_str().parse::<f32>().ok()?,
            None => 1.0,
        };
        Some(Liking { weight, exactness })
    };
    let fitting = ranges.iter().filter_map(of_one);
    fitting
        .max_by_key(|liking| liking.exactness)
        .unwrap_or_default()
}

/// What is written in OpenMetrics, in the text form of Prometheus: a counter's family
/// has the name that its samples have, and nothing marks the end.
fn text(open_metrics: &str) -> String {
    let types = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let counters: HashSet<_> = types
        .filter_map(|line| line.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        let told = ["# HELP ", "# TYPE "].into_iter().find_map(|word| {
            let (family, rest) = line.strip_prefix(word)?.split_once(' ')?;
            counters.contains(family).then_some((word, family, rest))
        });
        match told {
            Some((word, family, rest)) => {
                for part in [word, family, "_total ", rest] {
                    text.push_str(part);
                }
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Form {
        let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
        Form::wanted(&headers)
    }

    #[test]
    fn open_metrics_is_for_those_who_like_it_better() {
        for accept in [
            // Prometheus 2.
            "application/openmetrics-text;version=1.0.0;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            // Prometheus 3.
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=\"1.0.0\"; charset=utf-8",
            "application/openmetrics-text, */*",
            "application/*, text/*;q=0.5",
            "text/plain;q=0,*/*",
        ] {
            assert_eq!(wanted(accept), Form::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn everybody_else_gets_text() {
        assert_eq!(Form::wanted(&HeaderMap::new()), Form::Text);
        for accept in [
            "*/*",
            "",
            "text/html, application/json;q=0.9",
            "text/plain;version=0.0.4",
            "text/plain, application/openmetrics-text",
            "text/plain, application/openmetrics-text;q=0.9",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=0.0.1, text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=much",
            "application/openmetrics-texts",
            "application/openmetrics-text;q=0,*/*;q=1",
        ] {
            assert_eq!(wanted(accept), Form::Text, "{accept}");
        }
    }

    #[test]
    fn several_headers_are_one_list() {
        let values = ["text/plain;q=0.3", "application/openmetrics-text;q=0.5"];
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        assert_eq!(Form::wanted(&headers), Form::OpenMetrics);
    }

    #[test]
    fn in_text_a_counter_is_called_as_its_samples_are() {
        let open_metrics = "# HELP a Of a.\n# TYPE a counter\na_total{b=\"# TYPE c\"} 1\n\
                            # HELP a_of A gauge.\n# TYPE a_of gauge\na_of 2.0\n# EOF\n";
        let expected = "# HELP a_total Of a.\n# TYPE a_total counter\na_total{b=\"# TYPE c\"} 1\n\
                        # HELP a_of A gauge.\n# TYPE a_of gauge\na_of 2.0\n";
        assert_eq!(Form::Text.of(open_metrics.to_owned()), expected);
        assert_eq!(Form::OpenMetrics.of(open_metrics.to_owned()), open_metrics);
    }
}
