//! Where a version is bound, or named.

use gatewright_host::Part;
use gatewright_model::config::{Binding, Config, Overlay};
use gatewright_model::id::{Digest, PluginName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::seats::SeatName;

/// A place that a plugin is bound at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Naming {
    /// The seat, such as `web/balancer`; a policy's is `-/policy.NAME`.
    pub(crate) binding: String,
    /// What the version is there for: `active`, `canary` or `shadow`.
    pub(crate) part: String,
    /// The version that is named there; none for what the plugin has.
    #[schema(value_type = Option<String>)]
    pub(crate) version: Option<Digest>,
}

/// Every place that a plugin is bound at.
pub(crate) fn naming(config: &Config, plugin: &PluginName) -> Vec<Naming> {
    let seats = SeatName::all(config).into_iter();
    let seats = seats.filter_map(|seat| Some((seat.to_string(), seat.binding(config)?)));
    let bound = seats.filter(|(_, binding)| binding.plugin == *plugin);
    bound
        .flat_map(|(seat, binding)| of(&seat, binding))
        .collect()
}

fn of(seat: &str, binding: &Binding) -> Vec<Naming> {
    let naming = |part: Part, version: Option<Digest>| Naming {
        binding: seat.to_owned(),
        part: part.to_string(),
        version,
    };
    let canary = binding.canary.map(|canary| canary.version);
    let shadow = binding.shadow.map(|shadow| shadow.version);
    let mut all = vec![naming(Part::Active, binding.version)];
    all.extend(canary.map(|canary| naming(Part::Canary, Some(canary))));
    all.extend(shadow.map(|shadow| naming(Part::Shadow, Some(shadow))));
    all
}

/// Whether anything that was changed at run time names a version, in force or
/// not.
pub(super) fn is_in(overlay: &Overlay, digest: Digest) -> bool {
    let digest = digest.to_string();
    overlay.iter().any(|(_, held)| {
        let value = held.value.as_ref();
        value.is_some_and(|value| value.to_string().contains(&digest))
    })
}
