//! A scenario: what is simulated, as its file says it. Unknown keys are refused,
//! and what is wrong is told with file, line and key, as for the gateway's own
//! configuration.

mod check;
mod parts;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gatewright_model::config::{self, ConfigErrors, Period, Places, written};
use serde::Deserialize;

pub(crate) use self::check::members;
pub(crate) use self::parts::file_title;
pub use self::parts::{
    Antagonists, Arrivals, Churn, Clients, Failure, Gateways, Network, Policy, Servers, Work,
};

/// What is simulated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it shows, in a sentence.
    #[serde(default)]
    pub about: String,
    /// What all chance comes from, where the command line does not say.
    #[serde(default = "parts::seed")]
    pub seed: u64,
    /// For how long requests come. Without it, `requests` says when they end.
    pub duration: Option<Period>,
    /// How many requests come at most. Without it, `duration` says when they end.
    pub requests: Option<u64>,
    /// How long it runs before anything counts.
    #[serde(default = "parts::nothing")]
    pub warm_up: Period,
    /// The response time that users are content with: the share of requests that
    /// are answered well within it is told.
    pub objective: Option<Period>,
    /// When requests come.
    pub arrivals: Arrivals,
    /// Whose requests they are.
    #[serde(default)]
    pub clients: Clients,
    /// How long a request keeps a server of speed 1 busy.
    pub work: Work,
    /// The gateways.
    #[serde(default)]
    pub gateways: Gateways,
    /// The way between gateways and servers.
    #[serde(default)]
    pub network: Network,
    /// The pool, in the words of the gateway's own file, without its servers and
    /// its balancer.
    #[serde(default)]
    pub pool: written::Pool,
    /// The servers, by groups of equal ones.
    pub servers: Vec<Servers>,
    /// What servers suffer.
    #[serde(default)]
    pub failures: Vec<Failure>,
    /// Work on servers that is not the gateways'.
    #[serde(default)]
    pub antagonists: Vec<Antagonists>,
    /// Servers that are taken out of the pool and brought back.
    #[serde(default)]
    pub churn: Vec<Churn>,
    /// Who is compared; the gateway's own balancers if nobody is named.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// The folder that relative paths start from.
    #[serde(skip)]
    pub folder: PathBuf,
    /// What the file is called, without its ending.
    #[serde(skip)]
    pub name: String,
    /// Where its keys stand, for what is found wrong later.
    #[serde(skip)]
    pub(crate) places: Option<Places>,
}

impl Scenario {
    /// Read a scenario from its file and check it.
    ///
    /// # Errors
    ///
    /// Everything found wrong at the first step that found anything.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        Self::checked(config::read_as::<Self>(path)?, path)
    }

    /// [`Self::read`] for a text that stands for a file.
    ///
    /// # Errors
    ///
    /// As for [`Self::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        Self::checked(config::parse_as::<Self>(text, path)?, path)
    }

    fn checked((mut scenario, places): (Self, Places), path: &Path) -> Result<Self, ConfigErrors> {
        scenario.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy());
        scenario.name = stem.unwrap_or_default().into_owned();
        for (place, policy) in scenario.policies.iter_mut().enumerate() {
            policy.place = Some(place);
        }
        check::check(&scenario, &places)?;
        scenario.places = Some(places);
        Ok(scenario)
    }

    /// How many servers there are in all, present or not.
    pub fn server_count(&self) -> usize {
        self.servers.iter().map(|group| group.count as usize).sum()
    }

    /// Requests arrive until then; none where their number alone ends them.
    pub(crate) fn until_ns(&self) -> Option<u64> {
        self.duration.map(nanos)
    }

    /// About how many requests there will be; none where only a recording knows.
    pub fn expected_requests(&self) -> Option<u64> {
        let by_time = self.duration.and_then(|duration| {
            let rate = self.arrivals.mean_rate()?;
            Some((rate * duration.0.as_secs_f64()) as u64)
        });
        match (by_time, self.requests) {
            (Some(by_time), Some(requests)) => Some(by_time.min(requests)),
            (by_time, requests) => by_time.or(requests),
        }
    }

    /// About how long requests come.
    pub(crate) fn expected_length(&self) -> Duration {
        let by_number = self.requests.and_then(|requests| {
            let rate = self.arrivals.mean_rate()?;
            Duration::try_from_secs_f64(requests as f64 / rate).ok()
        });
        match (self.duration, by_number) {
            (Some(duration), Some(by_number)) => duration.0.min(by_number),
            (Some(duration), None) => duration.0,
            (None, by_number) => by_number.unwrap_or(Duration::from_secs(60)),
        }
    }

    /// The same scenario with at most so many requests: for tests and quick looks.
    #[must_use]
    pub fn shortened_to(mut self, requests: u64) -> Self {
        let most = self.requests.unwrap_or(requests);
        self.requests = Some(most.min(requests));
        self
    }
}

/// A period in nanoseconds.
pub(crate) fn nanos(period: Period) -> u64 {
    u64::try_from(period.0.as_nanos()).unwrap_or(u64::MAX)
}
