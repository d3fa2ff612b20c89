//! The parts of a scenario, as its file says them.

use std::collections::BTreeMap;

use gatewright_model::config::{Period, Size};
use gatewright_model::role::Grant;
use serde::Deserialize;
use serde_json::{Map, Value};

pub(super) fn seed() -> u64 {
    1
}

pub(super) fn nothing() -> Period {
    Period::s(0)
}

fn one() -> u32 {
    1
}

fn full() -> f64 {
    1.0
}

fn weight() -> u16 {
    1
}

/// When requests come. Rates are in requests a second.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Arrivals {
    /// By chance, independently of each other.
    Poisson {
        /// The mean rate.
        rate: f64,
    },
    /// At equal distances.
    Constant {
        /// The rate.
        rate: f64,
    },
    /// By chance, at a rate that changes evenly from one to another.
    Ramp {
        /// The rate at the beginning.
        from: f64,
        /// The rate at the end.
        to: f64,
        /// How long it takes to get there.
        over: Period,
    },
    /// By chance, at one rate and at another by turns.
    Bursts {
        /// The rate in a burst.
        rate: f64,
        /// The rate between bursts.
        rest: f64,
        /// How long a burst is.
        on: Period,
        /// How long the rest after it is.
        off: Period,
    },
    /// By chance, at a rate that goes up and down as over a day.
    Diurnal {
        /// The mean rate.
        rate: f64,
        /// How far it goes from it, as a share of it: 0 to 1.
        swing: f64,
        /// How long a day is.
        period: Period,
    },
    /// When a file says: one number a line, in seconds since the beginning.
    Trace {
        /// The file, relative to the scenario's.
        file: String,
        /// How many times as fast it is played.
        #[serde(default = "full")]
        speed: f64,
    },
    /// As recorded: by a gateway's access log in JSON, or CSV with a heading line
    /// and the columns `time` in seconds, and if there are such, `client` and
    /// `work` in milliseconds.
    Recording {
        /// The file, relative to the scenario's.
        file: String,
        /// How many times as fast it is played.
        #[serde(default = "full")]
        speed: f64,
    },
}

impl Arrivals {
    /// The mean rate in requests a second; none where only a file knows.
    pub fn mean_rate(&self) -> Option<f64> {
        match self {
            Self::Poisson { rate } | Self::Constant { rate } | Self::Diurnal { rate, .. } => {
                Some(*rate)
            }
            Self::Ramp { from, to, .. } => Some(f64::midpoint(*from, *to)),
            Self::Bursts {
                rate,
                rest,
                on,
                off,
            } => {
                let (on, off) = (on.0.as_secs_f64(), off.0.as_secs_f64());
                Some((rate * on + rest * off) / (on + off))
            }
            Self::Trace { .. } | Self::Recording { .. } => None,
        }
    }
}

/// Whose requests they are.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Clients {
    /// How many clients there are: 1 to 1,000,000.
    pub count: u32,
    /// How much more often some of them come than others: the exponent of Zipf's
    /// law, 0 for equally often.
    pub zipf: f64,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            count: 10_000,
            zipf: 0.0,
        }
    }
}

/// How long a request keeps a server of speed 1 busy.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Work {
    /// Always as long.
    Constant {
        /// How long.
        time: Period,
    },
    /// Exponentially distributed.
    Exponential {
        /// The mean.
        mean: Period,
    },
    /// Pareto's distribution, bounded: most are short and a few very long.
    Pareto {
        /// The shortest.
        least: Period,
        /// The longest.
        most: Period,
        /// How fast long ones become rare: the exponent, above 0.
        shape: f64,
    },
    /// Log-normally distributed.
    LogNormal {
        /// The median.
        median: Period,
        /// The standard deviation of the logarithm.
        sigma: f64,
    },
    /// As measured: a file with one number a line, in milliseconds, from which is
    /// drawn.
    Empirical {
        /// The file, relative to the scenario's.
        file: String,
    },
}

/// The gateways. Each sees the requests that it has in flight itself, and its
/// workers see that together.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gateways {
    /// How many there are: 1 to 64.
    pub count: u32,
    /// How many workers each has: 1 to 64.
    pub workers: u32,
}

impl Default for Gateways {
    fn default() -> Self {
        Self {
            count: 1,
            workers: 1,
        }
    }
}

/// The way between gateways and servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// How long it takes, one way.
    pub latency: Period,
    /// How much longer it takes at most, by chance.
    pub jitter: Period,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            latency: nothing(),
            jitter: nothing(),
        }
    }
}

/// A group of equal servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Servers {
    /// What the group is called.
    pub name: String,
    /// How many there are.
    #[serde(default = "one")]
    pub count: u32,
    /// How fast they work: at 2, a request takes half its work's time.
    #[serde(default = "full")]
    pub speed: f64,
    /// How many requests each works on at a time.
    #[serde(default = "one")]
    pub concurrency: u32,
    /// How many requests wait for each at most; more are refused with 503.
    /// Without it there is no limit.
    pub queue: Option<u32>,
    /// Their weight in the pool.
    #[serde(default = "weight")]
    pub weight: u16,
    /// Their labels in the pool.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When they come into the pool. Default: they are there.
    #[serde(default = "nothing")]
    pub joins: Period,
    /// When they leave the pool. Default: they stay.
    pub leaves: Option<Period>,
}

/// What some servers suffer for a while.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Whose: a group's name for all of it, or `name[0]`, or `name[0..3]`.
    pub servers: String,
    /// From when.
    #[serde(default = "nothing")]
    pub from: Period,
    /// Until when. Default: for good.
    pub to: Option<Period>,
    /// They do not answer, and connections to them are refused.
    #[serde(default)]
    pub crash: bool,
    /// They take so many times as long.
    #[serde(default = "full")]
    pub slow: f64,
    /// Each answer takes so much longer.
    #[serde(default = "nothing")]
    pub delay: Period,
    /// The share of requests that they answer with status 500: 0 to 1.
    #[serde(default)]
    pub errors: f64,
}

/// Work on servers that is not the gateways': it comes and goes by chance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Antagonists {
    /// Whose servers, as in a failure.
    pub servers: String,
    /// The share of a server that it takes while it is there: above 0, below 1.
    pub share: f64,
    /// How long it is away, in the mean.
    pub every: Period,
    /// How long it is there, in the mean.
    pub lasts: Period,
}

/// Servers that are taken out of the pool one by one, and brought back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {
    /// Which servers, as in a failure.
    pub servers: String,
    /// How often one of them, chosen by chance, leaves.
    pub every: Period,
    /// How long it stays away.
    pub away: Period,
}

/// Who chooses the server.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it is called in what comes out; the plugin's name if not given.
    pub name: Option<String>,
    /// The plugin: one of the gateway's own, or any name with a file.
    pub plugin: String,
    /// The component, relative to the scenario's file.
    pub file: Option<String>,
    /// What it is configured with.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// What a component from a file may import beside what needs no grant. Default:
    /// what it asks for.
    pub grants: Option<Vec<Grant>>,
    /// The most memory of an instance. Default: for a component from a file the most
    /// that a gateway gives any, for one of the gateway's own what a gateway gives it.
    pub memory: Option<Size>,
    /// Where it stands in the scenario's list; none for one of a command line.
    #[serde(skip)]
    pub place: Option<usize>,
}

/// A policy's title as a part of a file's name.
pub(crate) fn file_title(title: &str) -> String {
    let part = |letter: char| match letter.is_ascii_alphanumeric() || letter == '-' {
        true => letter.to_ascii_lowercase(),
        false => '-',
    };
    title.chars().map(part).collect()
}

impl Policy {
    /// A balancer of the gateway's own.
    pub fn named(plugin: &str) -> Self {
        Self {
            plugin: plugin.to_owned(),
            ..Self::default()
        }
    }

    /// What it is called in what comes out.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.plugin)
    }

    /// Whether what comes out of both would be told apart by nobody, or be drawn
    /// into the same files.
    pub fn is_called_as(&self, other: &Self) -> bool {
        file_title(self.title()) == file_title(other.title())
    }
}
