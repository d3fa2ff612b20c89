//! Why a scenario cannot be simulated.

use std::io;
use std::path::PathBuf;

use gatewright_host::{HostError, PrepareError};
use gatewright_model::config::{ConfigErrors, Period};
use gatewright_model::snapshot::SnapshotError;

/// Why a scenario cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// What the gateway's own configuration would not allow.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// More servers than pools have places for.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The policy's plugin cannot be seated.
    #[error(transparent)]
    Plugin(#[from] PrepareError),
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
