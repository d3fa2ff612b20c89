//! The metrics of a cluster; none of a gateway that is alone.

use std::fmt;

use super::families::{Families, Labelled};
use crate::control::Control;

/// What there is to say of the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) is_connected: bool,
    pub(super) version: u64,
    pub(super) gateways: u64,
    pub(super) problems: u64,
    pub(super) failed: u64,
}

impl Figures {
    pub(super) fn of(control: &Control) -> Option<Self> {
        let cluster = control.keeper.cluster.as_ref()?;
        let is_connected = cluster.connection.standing().is_connected();
        let heard = cluster.gateways();
        let heard = heard.iter().filter(|one| !one.is_silent()).count() as u64;
        Some(Self {
            is_connected,
            version: cluster.revision().map_or(0, |revision| revision.version),
            gateways: if is_connected { heard.max(1) } else { 1 },
            problems: cluster.problems().len() as u64,
            failed: cluster.connection.failed(),
        })
    }
}

pub(super) fn write(families: &mut Families<'_>, cluster: Option<Figures>) -> fmt::Result {
    let cluster: Vec<Labelled<Figures>> =
        cluster.into_iter().map(|one| (Vec::new(), one)).collect();
    families.gauges(
        (
            "cluster_connected",
            "Whether the cluster's server answers: 1, or 0.",
        ),
        &cluster,
        |one| f64::from(u8::from(one.is_connected)),
    )?;
    families.gauges(
        (
            "cluster_version",
            "How many changes there were of the cluster's state that this gateway has.",
        ),
        &cluster,
        |one| one.version as f64,
    )?;
    families.gauges(
        (
            "cluster_gateways",
            "Gateways that are there, this one among them; 1 while the server is away.",
        ),
        &cluster,
        |one| one.gateways as f64,
    )?;
    families.gauges(
        (
            "cluster_problems",
            "What is wrong while the server answers, as GET /api/cluster has it.",
        ),
        &cluster,
        |one| one.problems as f64,
    )?;
    families.counters(
        (
            "cluster_commands_failed",
            "Commands that the cluster's server did not answer, or refused.",
        ),
        &cluster,
        |one| one.failed,
    )
}
