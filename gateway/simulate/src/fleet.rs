//! The servers as gateways have them: which of them are in which pool, and the
//! configuration that says so, in the gateway's own words.
//!
//! A pool has at most 4,096 places. Where there are more servers, they are dealt
//! out over as many pools as it takes, as an operator would, and a request goes to
//! a pool by chance, in proportion to the weights in it.

mod blame;

use std::net::Ipv4Addr;
use std::sync::Arc;

use gatewright_model::config::{self, Config, DEADLINE, MEMORY, written};
use gatewright_model::id::PoolName;
use serde_json::{Value, json};

use crate::error::SimulationError;
use crate::scenario::{Policy, Scenario, Servers};

/// Servers in a pool: fewer than it has places, since one that leaves keeps its
/// place until its last request is over.
const IN_A_POOL: usize = 4000;

/// The first of the servers' addresses, which are private ones: 172.16.0.1.
const SERVERS: u32 = (172 << 24) + (16 << 16) + 1;

/// The port of all of them.
const PORT: u16 = 80;

/// Which servers there are, and who is in the pool.
#[derive(Debug)]
pub(crate) struct Fleet<'a> {
    scenario: &'a Scenario,
    policy: &'a Policy,
    /// The group of each server.
    groups: Vec<u32>,
    /// Whether each is in its pool.
    pub(crate) is_present: Vec<bool>,
    /// The weights of all pools up to each, added up, in parts of their sum.
    shares: Vec<f64>,
}

impl<'a> Fleet<'a> {
    /// The servers of a scenario that are there at the beginning.
    pub(crate) fn of(scenario: &'a Scenario, policy: &'a Policy) -> Self {
        let groups = scenario.servers.iter().enumerate();
        let groups: Vec<_> = groups
            .flat_map(|(index, group)| (0..group.count).map(move |_| index as u32))
            .collect();
        let group = |server: usize| &scenario.servers[groups[server] as usize];
        let is_present = (0..groups.len()).map(|server| group(server).joins.0.is_zero());
        let is_present = is_present.collect();
        let pools = groups.len().div_ceil(IN_A_POOL);
        let mut weights = vec![0.0; pools];
        for server in 0..groups.len() {
            weights[server % pools] += f64::from(group(server).weight);
        }
        let all: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let shares = weights.iter().map(|weight| {
            sum += weight;
            sum / all.max(f64::MIN_POSITIVE)
        });
        let shares = shares.collect();
        Self {
            scenario,
            policy,
            groups,
            is_present,
            shares,
        }
    }

    /// How many servers there are, in a pool or not.
    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// How many pools there are.
    pub(crate) fn pools(&self) -> usize {
        self.shares.len()
    }

    /// The pool of a server.
    pub(crate) fn pool_of(&self, server: u32) -> usize {
        server as usize % self.pools()
    }

    /// The pool of a request.
    pub(crate) fn pool_for(&self, lot: f64) -> usize {
        let pool = self.shares.partition_point(|share| *share <= lot);
        pool.min(self.pools() - 1)
    }

    /// The name of a pool.
    pub(crate) fn pool_name(pool: usize) -> PoolName {
        PoolName::from(format!("pool-{:03}", pool + 1).as_str())
    }

    /// The group of a server, and its number.
    pub(crate) fn group(&self, server: u32) -> (u32, &'a Servers) {
        let group = self.groups[server as usize];
        (group, &self.scenario.servers[group as usize])
    }

    /// The server of an address; none for a stranger's.
    pub(crate) fn server_at(&self, host: &str) -> Option<u32> {
        let address: Ipv4Addr = host.parse().ok()?;
        let server = address.to_bits().checked_sub(SERVERS)?;
        ((server as usize) < self.len()).then_some(server)
    }

    /// Whether a server may leave its pool: somebody else has to stay.
    pub(crate) fn may_leave(&self, server: u32) -> bool {
        let pool = self.pool_of(server);
        let mut others = (pool..self.len()).step_by(self.pools());
        others.any(|other| other != server as usize && self.is_present[other])
    }

    /// What a gateway's file would say now.
    ///
    /// # Errors
    ///
    /// When a gateway would refuse it.
    pub(crate) fn config(&self) -> Result<Arc<Config>, SimulationError> {
        let deadline = *DEADLINE.end();
        let mut balancer = written::Binding::new(
            &self.policy.plugin,
            Value::Object(self.policy.config.clone()),
        );
        balancer.deadline = deadline;
        let mut config = written::Config::default();
        config.workers.count = written::WorkerCount::Exactly(self.scenario.gateways.workers.into());
        // The router is never asked, but there has to be one.
        config.default_pool = Some(Self::pool_name(0).to_string());
        for pool in 0..self.pools() {
            let mut written = self.scenario.pool.clone();
            written.balancer = written::TextOr::Table(balancer.clone());
            written.servers = self.servers_of(pool);
            let name = Self::pool_name(pool).to_string();
            config.pools.insert(name, written);
        }
        if let Some(plugin) = self.plugin() {
            config.plugins.insert(self.policy.plugin.clone(), plugin);
        }
        let meant = config::mean(&config);
        let meant = meant.map_err(|errors| errors.retold(|error| self.retold(error)))?;
        Ok(Arc::new(meant))
    }

    /// The plugin, where it is none of the gateway's own, or has other memory.
    fn plugin(&self) -> Option<written::Plugin> {
        let Policy {
            file,
            grants,
            memory,
            ..
        } = self.policy;
        let entry = match file {
            Some(file) => json!({
                "file": self.scenario.folder.join(file),
                "grants": grants.as_deref().unwrap_or_default(),
                "memory": memory.unwrap_or(*MEMORY.end()),
            }),
            None => {
                let memory = (*memory)?;
                json!({ "memory": memory })
            }
        };
        serde_json::from_value(entry).ok()
    }

    fn servers_of(&self, pool: usize) -> Vec<written::TextOr<written::Server>> {
        let members = (pool..self.len()).step_by(self.pools());
        let present = members.filter(|server| self.is_present[*server]);
        let servers = present.map(|server| {
            let (_, group) = self.group(server as u32);
            let host = Ipv4Addr::from_bits(SERVERS + server as u32);
            written::TextOr::Table(written::Server {
                host: host.to_string(),
                port: Some(PORT),
                weight: group.weight,
                labels: group.labels.clone(),
                drain: false,
                max_active: None,
                health: written::ServerHealth::default(),
            })
        });
        servers.collect()
    }
}
