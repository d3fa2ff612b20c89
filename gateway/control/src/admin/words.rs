//! Words of answers of which there are only a few.

use gatewright_model::circuit::Phase;
use gatewright_model::endpoint::Health;
use serde::Serialize;
use utoipa::ToSchema;

/// What the checks of a server last found; `unknown` before the first, and of
/// servers that are not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Healthy,
    Unhealthy,
    Unknown,
}

impl From<Health> for Status {
    fn from(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Healthy,
            Health::Unhealthy => Self::Unhealthy,
            Health::Unknown => Self::Unknown,
        }
    }
}

/// Whether a server gets requests, by how those before have ended: all of them,
/// none, or one at a time on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Circuit {
    Closed,
    Open,
    HalfOpen,
}

impl From<Phase> for Circuit {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Closed => Self::Closed,
            Phase::Open => Self::Open,
            Phase::HalfOpen => Self::HalfOpen,
        }
    }
}
