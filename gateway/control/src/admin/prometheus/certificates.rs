//! The metrics of certificates: how long they hold, and what became of orders.

use std::collections::BTreeMap;
use std::fmt;
use std::time::UNIX_EPOCH;

use super::families::{Families, Labelled, Labels};
use crate::admin::certificates::Source;
use crate::control::Control;

/// What there is to say of certificates.
#[derive(Debug)]
pub(super) struct Certificates {
    /// When each holds no more, in seconds since 1970.
    pub(super) expiry: Vec<Labelled<f64>>,
    /// Orders by their outcome; none where nothing is ordered.
    pub(super) orders: Vec<Labelled<u64>>,
}

impl Certificates {
    pub(super) fn of(control: &Control) -> Self {
        let in_force = control.publisher.in_force();
        let config = &in_force.snapshot.config;
        // Of several for one name, such as with an RSA and an ECDSA key, the one
        // counts that ends first.
        let mut expiry: BTreeMap<Labels, f64> = BTreeMap::new();
        for listener in &config.listeners {
            for shown in in_force.tls.shown(&listener.name) {
                let labels = vec![
                    ("listener", listener.name.to_string()),
                    (
                        "certificate",
                        shown.names.first().cloned().unwrap_or_default(),
                    ),
                    ("source", Source::of(&shown.from).name().to_owned()),
                ];
                let end = shown.not_after.duration_since(UNIX_EPOCH);
                let end = end.unwrap_or_default().as_secs_f64();
                let earliest = expiry.entry(labels).or_insert(end);
                *earliest = earliest.min(end);
            }
        }
        let outcomes = ["issued", "failed"]
            .into_iter()
            .zip(control.standings.orders());
        let orders = outcomes.map(|(name, count)| (vec![("outcome", name.to_owned())], count));
        Self {
            expiry: expiry.into_iter().collect(),
            orders: orders.filter(|_| config.acme.is_some()).collect(),
        }
    }
}

pub(super) fn write(families: &mut Families<'_>, certificates: &Certificates) -> fmt::Result {
    families.gauges(
        (
            "certificate_expiry_timestamp_seconds",
            "When a listener's certificate holds no more, in seconds since 1970.",
        ),
        &certificates.expiry,
        |end| *end,
    )?;
    families.counters(
        ("certificate_orders", "Certificates that were ordered."),
        &certificates.orders,
        |count| *count,
    )
}
