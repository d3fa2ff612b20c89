//! What the last second was like.

use serde::Serialize;
use utoipa::ToSchema;

use crate::series::Point;

/// The last second; nothing is known of what is younger.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LastSecond)]
pub(in crate::admin) struct Recent {
    pub(in crate::admin) requests_per_second: Option<f64>,
    /// Attempts that got no response, or one with a status of 500 or above.
    pub(in crate::admin) errors_per_second: Option<f64>,
    /// The median of the response times in milliseconds, as those after it;
    /// none when nothing was answered.
    pub(in crate::admin) p50: Option<f64>,
    pub(in crate::admin) p90: Option<f64>,
    pub(in crate::admin) p99: Option<f64>,
}

impl Recent {
    pub(in crate::admin) fn of(point: Option<Point>) -> Self {
        let Some(point) = point else {
            return Self::default();
        };
        let [p50, p90, p99] = point.quantiles().map(|it| it.map(milliseconds));
        Self {
            requests_per_second: Some(rounded(point.requests_per_second.into())),
            errors_per_second: Some(rounded(point.errors_per_second.into())),
            p50,
            p90,
            p99,
        }
    }
}

/// Microseconds as milliseconds, to the microsecond: more is not measured.
pub(in crate::admin) fn milliseconds(microseconds: f64) -> f64 {
    rounded(microseconds / 1000.0)
}

/// To three places after the point, which are enough for people and short to
/// send.
pub(in crate::admin) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
