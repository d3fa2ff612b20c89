//! The metrics of each plugin in its seat.

use std::fmt;

use gatewright_host::{Figure, Part};

use super::families::{Families, Labelled, Labels, Scale};
use crate::burden::Burden;
use crate::overview::{PluginFigures, PluginState};

pub(super) fn write(families: &mut Families<'_>, plugins: &[PluginFigures]) -> fmt::Result {
    let labelled: Vec<_> = plugins
        .iter()
        .map(|plugin| (labels(plugin), plugin))
        .collect();
    decisions(families, &labelled)?;
    burdens(families, plugins)?;
    faults(families, plugins)?;
    own(families, plugins)
}

fn labels(plugin: &PluginFigures) -> Labels {
    let mut labels = vec![
        ("plugin", plugin.name.to_string()),
        ("role", plugin.role.to_string()),
        ("version", plugin.version.short()),
    ];
    if let Some(pool) = &plugin.pool {
        labels.push(("pool", pool.to_string()));
    }
    if plugin.part != Part::Active {
        labels.push(("part", plugin.part.to_string()));
    }
    if let Some(policy) = &plugin.policy {
        labels.push(("policy", policy.to_string()));
    }
    labels
}

fn decisions(families: &mut Families<'_>, plugins: &[Labelled<&PluginFigures>]) -> fmt::Result {
    let mut counter = |name, help, value: fn(&PluginFigures) -> u64| {
        families.counters((name, help), plugins, |plugin| value(plugin))
    };
    counter(
        "plugin_decisions",
        "Decisions that were asked for.",
        |plugin| plugin.decisions,
    )?;
    counter(
        "plugin_fallbacks",
        "Decisions that somebody else had to make, whatever the reason.",
        |plugin| plugin.fallbacks,
    )?;
    counter(
        "plugin_capped",
        "Fallbacks because the plugin's share of a worker's time was used up.",
        |plugin| plugin.capped,
    )?;
    counter(
        "plugin_overruled",
        "Answers that could not be used.",
        |plugin| plugin.overruled,
    )?;
    counter(
        "plugin_restarts",
        "Instances made after a fault.",
        |plugin| plugin.restarts,
    )?;
    families.gauges(
        ("plugin_quarantined", "1 when the plugin is asked no more."),
        plugins,
        |plugin| f64::from(u8::from(plugin.state == PluginState::Quarantined)),
    )?;
    families.histograms(
        (
            "plugin_decision_seconds",
            "Durations of one decision in 64.",
        ),
        Scale::NANOSECONDS,
        plugins,
        |plugin| &plugin.time_ns,
    )
}

/// What was measured over the last ten seconds.
fn burdens(families: &mut Families<'_>, plugins: &[PluginFigures]) -> fmt::Result {
    let known = plugins.iter();
    let known = known.filter_map(|plugin| Some((labels(plugin), plugin.burden?)));
    let known: Vec<_> = known.collect();
    let mut gauge =
        |name, help, value: fn(&Burden) -> f64| families.gauges((name, help), &known, value);
    gauge(
        "plugin_time_ratio",
        "Share of all workers' time that decisions took lately.",
        |burden| burden.percent / 100.0,
    )?;
    gauge(
        "plugin_time_ratio_busiest",
        "Share of the time of the worker that decisions took most of lately.",
        |burden| burden.busiest / 100.0,
    )?;
    gauge(
        "plugin_heavy",
        "1 while the plugin takes more of a worker's time than its alarm says.",
        |burden| f64::from(u8::from(burden.heavy)),
    )
}

fn faults(families: &mut Families<'_>, plugins: &[PluginFigures]) -> fmt::Result {
    let kinds = |plugin: &PluginFigures| {
        let faults = plugin.faults;
        [
            ("trapped", faults.trapped),
            ("overran", faults.overran),
            ("out-of-memory", faults.out_of_memory),
            ("impossible", faults.impossible),
        ]
    };
    let mut samples = Vec::with_capacity(plugins.len() * 4);
    for plugin in plugins {
        for (kind, count) in kinds(plugin) {
            samples.push((and(plugin, "kind", kind), count));
        }
    }
    families.counters(
        ("plugin_faults", "Decisions without an answer, by cause."),
        &samples,
        |n| *n,
    )
}

/// What plugins count themselves.
fn own(families: &mut Families<'_>, plugins: &[PluginFigures]) -> fmt::Result {
    let mut counters = Vec::new();
    let mut gauges = Vec::new();
    for plugin in plugins {
        for (name, figure) in &plugin.own {
            let labels = and(plugin, "name", name);
            match figure {
                Figure::Counter(count) => counters.push((labels, *count)),
                Figure::Gauge(value) => gauges.push((labels, *value)),
            }
        }
    }
    families.counters(
        ("plugin_own", "Counters of the plugin's own."),
        &counters,
        |n| *n,
    )?;
    families.gauges(
        ("plugin_own_value", "Gauges of the plugin's own."),
        &gauges,
        |n| *n,
    )
}

fn and(plugin: &PluginFigures, key: &'static str, value: &str) -> Labels {
    let mut labels = labels(plugin);
    labels.push((key, value.to_owned()));
    labels
}
