//! The metrics of each server.

use std::fmt;

use gatewright_model::circuit::Phase;
use gatewright_model::endpoint::Health;

use super::families::{Families, Labelled, Scale};
use crate::overview::ServerFigures;

pub(super) fn write(families: &mut Families<'_>, servers: &[ServerFigures]) -> fmt::Result {
    let servers: Vec<_> = servers.iter().map(labelled).collect();
    state(families, &servers)?;
    work(families, &servers)
}

fn labelled(server: &ServerFigures) -> Labelled<&ServerFigures> {
    let labels = vec![
        ("pool", server.pool.to_string()),
        ("server", server.id.to_string()),
    ];
    (labels, server)
}

fn state(families: &mut Families<'_>, servers: &[Labelled<&ServerFigures>]) -> fmt::Result {
    let mut gauge = |name, help, value: fn(&ServerFigures) -> f64| {
        families.gauges((name, help), servers, |server| value(server))
    };
    gauge(
        "server_up",
        "0 when the checks find the server unhealthy, else 1.",
        |server| f64::from(u8::from(server.health != Health::Unhealthy)),
    )?;
    gauge(
        "server_circuit_state",
        "Whether the server gets requests: 0 closed, it does; 1 half-open, one at a time; 2 open, it gets none.",
        |server| match server.circuit {
            Phase::Closed => 0.0,
            Phase::HalfOpen => 1.0,
            Phase::Open => 2.0,
        },
    )?;
    gauge(
        "server_warmth_ratio",
        "How much of its share the server takes: less than 1 during its slow start.",
        |server| f64::from(server.warmth) / 100.0,
    )?;
    gauge(
        "server_draining",
        "1 when the server takes no new work.",
        |server| f64::from(u8::from(server.draining)),
    )?;
    gauge(
        "server_weight",
        "The server's share of the work.",
        |server| f64::from(server.weight),
    )?;
    gauge(
        "server_active_requests",
        "Requests in flight on the server.",
        |server| f64::from(server.active),
    )
}

fn work(families: &mut Families<'_>, servers: &[Labelled<&ServerFigures>]) -> fmt::Result {
    let mut counter = |name, help, value: fn(&ServerFigures) -> u64| {
        families.counters((name, help), servers, |server| value(server))
    };
    counter(
        "server_requests",
        "Attempts that were given to the server.",
        |server| server.requests,
    )?;
    counter(
        "server_failures",
        "Attempts without a response, or with one of 500 or above.",
        |server| server.failures,
    )?;
    counter(
        "server_ejections",
        "How often the server's circuit has opened.",
        |server| server.ejections,
    )?;
    counter(
        "server_connect_failures",
        "Attempts that could not connect.",
        |server| server.connect_failures,
    )?;
    counter(
        "server_connections",
        "Connections opened to the server.",
        |server| server.connections,
    )?;
    families.histograms(
        (
            "server_response_seconds",
            "From sending a request's head to the response's head.",
        ),
        Scale::MICROSECONDS,
        servers,
        |server| &server.latency,
    )
}
