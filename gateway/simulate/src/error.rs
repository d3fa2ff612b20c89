//! Why a scenario cannot be simulated.

use std::io;
use std::path::PathBuf;

use gatewright_host::HostError;
use gatewright_model::config::{ConfigErrors, Period};
use gatewright_model::snapshot::SnapshotError;

/// Why a scenario cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// What the gateway's own configuration would not allow, and policies that
    /// cannot be seated.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// More servers than pools have places for.
    #[error(
        "more servers left while requests were on them than a pool has places for: write a longer `every` or a shorter `away` under [[churn]], or fewer servers"
    )]
    Crowded,
    /// The plugin host cannot start.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A file that the scenario names cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file that the scenario names does not hold what it should.
    #[error("{}:{line}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The reason and the remedy.
        message: String,
    },
    /// No request came after the warm-up.
    #[error(
        "all {came} requests came within the warm-up of {warm_up}, so that none counts: write more `requests` or a longer `duration` (or --requests), or a shorter `warm_up`"
    )]
    Unmeasured {
        /// How many came.
        came: u64,
        /// The warm-up.
        warm_up: Period,
    },
    /// Response times cannot be counted.
    #[error("response times cannot be counted: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
    /// A plot cannot be drawn or written.
    #[error("{}: the plot cannot be drawn: {reason}", path.display())]
    Plot {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl SimulationError {
    /// Whether it is to be mended in what was written: in the scenario or in the
    /// files that it names, or in what a command line says in its place.
    pub fn is_a_mistake(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::Crowded
            | Self::File { .. }
            | Self::Content { .. }
            | Self::Unmeasured { .. } => true,
            Self::Host(_) | Self::Histogram(_) | Self::Plot { .. } => false,
        }
    }
}

impl From<SnapshotError> for SimulationError {
    fn from(error: SnapshotError) -> Self {
        match error {
            // The pool's name is made up.
            SnapshotError::PoolFull { .. } => Self::Crowded,
        }
    }
}
