//! The metrics of all traffic and of the gateway itself.

use std::fmt;

use gatewright_model::counters::Protocol;

use super::families::{Families, Labels, Scale};
use crate::overview::Overview;

/// The classes of statuses, in the order of the counters.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

pub(super) fn write(families: &mut Families<'_>, overview: &Overview) -> fmt::Result {
    gateway(families, overview)?;
    requests(families, overview)?;
    connections(families, overview)?;
    protocols(families, overview)
}

fn gateway(families: &mut Families<'_>, overview: &Overview) -> fmt::Result {
    let build = [(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)];
    families.gauges(
        ("build_info", "The version of the gateway."),
        &build,
        |one| *one,
    )?;
    let whole = [(Labels::new(), overview)];
    let mut gauge = |name, help, value: fn(&Overview) -> f64| {
        families.gauges((name, help), &whole, |overview| value(overview))
    };
    gauge("uptime_seconds", "Seconds since the start.", |overview| {
        overview.uptime.as_secs_f64()
    })?;
    gauge(
        "generation",
        "The number of the published snapshot.",
        |overview| overview.totals.generation.0 as f64,
    )?;
    gauge("workers", "Worker threads.", |overview| {
        overview.totals.workers as f64
    })?;
    gauge(
        "workers_current",
        "Worker threads that have taken over the published snapshot.",
        |overview| overview.totals.workers_current as f64,
    )?;
    gauge(
        "longest_switch_seconds",
        "The longest that taking over a snapshot held a worker.",
        |overview| overview.totals.longest_switch_us as f64 / 1e6,
    )?;
    gauge(
        "config_last_reload_successful",
        "Whether what the files said when they were last read is in force: 1 or 0.",
        |overview| f64::from(u8::from(overview.last_reload.error.is_none())),
    )?;
    gauge(
        "config_last_reload_success_timestamp_seconds",
        "When the files were last read and taken.",
        |overview| overview.last_reload.succeeded_at.0 as f64 / 1e3,
    )
}

fn requests(families: &mut Families<'_>, overview: &Overview) -> fmt::Result {
    let whole = [(Labels::new(), &overview.totals)];
    families.counters(
        ("requests", "Requests whose head was read."),
        &whole,
        |totals| totals.requests,
    )?;
    let responses = CLASSES.iter().zip(overview.totals.responses);
    let class = |(class, count): (&&str, u64)| (vec![("class", (*class).to_owned())], count);
    let responses: Vec<_> = responses.map(class).collect();
    families.counters(
        ("responses", "Responses by status class."),
        &responses,
        |count| *count,
    )?;
    families.gauges(
        ("requests_in_flight", "Requests in flight."),
        &whole,
        |totals| totals.in_flight as f64,
    )?;
    families.gauges(
        (
            "tunnels_open",
            "Connections and streams that have switched protocols, such as WebSockets.",
        ),
        &whole,
        |totals| totals.tunnels as f64,
    )?;
    families.histograms(
        (
            "request_duration_seconds",
            "From a request's head to its response's head.",
        ),
        Scale::MICROSECONDS,
        &whole,
        |totals| &totals.latency,
    )?;
    families.counters(
        ("retries", "Attempts beyond a request's first."),
        &whole,
        |totals| totals.retries,
    )?;
    families.counters(
        (
            "shed",
            "Requests refused because a worker had as many as it may have.",
        ),
        &whole,
        |totals| totals.shed,
    )?;
    families.counters(
        (
            "hedges",
            "Second servers that were asked while the first was thinking.",
        ),
        &whole,
        |totals| totals.hedges,
    )?;
    families.counters(
        ("hedges_won", "Those of them that answered first."),
        &whole,
        |totals| totals.hedges_won,
    )?;
    families.counters(
        (
            "fallbacks",
            "Decisions made in the place of a plugin that had no answer.",
        ),
        &whole,
        |totals| totals.fallbacks,
    )?;
    families.counters(
        (
            "overruled",
            "Plugin answers that could not be used and were replaced.",
        ),
        &whole,
        |totals| totals.overruled,
    )?;
    families.counters(
        ("mirrored", "Copies of requests that were sent to a mirror."),
        &whole,
        |totals| totals.mirrored,
    )?;
    families.counters(
        (
            "unmirrored",
            "Copies of requests that could not be sent to a mirror, or failed there.",
        ),
        &whole,
        |totals| totals.unmirrored,
    )?;
    families.counters(
        (
            "uncompressed",
            "Answers that went as they were, since a worker was compressing too many.",
        ),
        &whole,
        |totals| totals.uncompressed,
    )?;
    families.counters(
        (
            "abandoned",
            "Requests whose client left before the response's end.",
        ),
        &whole,
        |totals| totals.abandoned,
    )
}

fn connections(families: &mut Families<'_>, overview: &Overview) -> fmt::Result {
    let whole = [(Labels::new(), &overview.totals)];
    families.gauges(
        ("connections", "Client connections open."),
        &whole,
        |totals| totals.connections as f64,
    )?;
    families.counters(
        ("connections_accepted", "Client connections accepted."),
        &whole,
        |totals| totals.accepted,
    )?;
    families.counters(
        ("tls_failures", "TLS handshakes that failed."),
        &whole,
        |totals| totals.tls_failures,
    )
}

fn protocols(families: &mut Families<'_>, overview: &Overview) -> fmt::Result {
    let figures = Protocol::ALL.into_iter().zip(overview.totals.protocols);
    let labelled = |(protocol, figures): (Protocol, _)| {
        (vec![("protocol", protocol.name().to_owned())], figures)
    };
    let figures: Vec<_> = figures.map(labelled).collect();
    families.counters(
        (
            "protocol_requests",
            "Requests whose head was read, by what their client speaks.",
        ),
        &figures,
        |figures| figures.requests,
    )?;
    families.counters(
        (
            "protocol_connections_accepted",
            "Client connections that have made a request, by what they speak.",
        ),
        &figures,
        |figures| figures.accepted,
    )?;
    families.gauges(
        (
            "protocol_connections",
            "Client connections open that have made a request, by what they speak.",
        ),
        &figures,
        |figures| figures.connections as f64,
    )
}
