//! What a plugin takes of the workers' time, as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::metrics::rounded;
use crate::burden::Burden;

/// What a version takes of the workers' time in its seat, over the last ten
/// seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TimeTaken)]
pub(super) struct Taken {
    /// Percent of the time of all workers together; null in the first seconds.
    cpu_percent: Option<f64>,
    /// Percent of the time of the worker that it takes most of.
    cpu_percent_busiest: Option<f64>,
    /// Whether that has been over its `cpuAlarm` for long.
    heavy: bool,
    /// Whether its `cpuShare` has given decisions to the fallback.
    capping: bool,
}

impl Taken {
    pub(super) fn of(burden: Option<Burden>) -> Self {
        burden.map_or_else(Self::default, |burden| Self {
            cpu_percent: Some(rounded(burden.percent)),
            cpu_percent_busiest: Some(rounded(burden.busiest)),
            heavy: burden.heavy,
            capping: burden.capping,
        })
    }
}
