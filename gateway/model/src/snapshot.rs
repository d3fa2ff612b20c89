//! Everything structural that a request reads, in one immutable whole.

use std::collections::HashMap;
use std::sync::Arc;

use crate::address::Address;
use crate::config::{Config, ServerConfig};
use crate::endpoint::{Endpoint, EndpointState};
use crate::id::{EndpointId, Generation, PoolIndex};
use crate::pool::{MAX_SLOTS, Pool, PoolState};

/// What is published to every worker.
#[derive(Debug)]
pub struct Snapshot {
    /// Its number.
    pub generation: Generation,
    /// What is configured, as meant.
    pub config: Arc<Config>,
    /// The pools, by [`PoolIndex`].
    pub pools: Vec<Arc<Pool>>,
}

/// Why a configuration cannot become a snapshot.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SnapshotError {
    /// More endpoints than a pool has slots.
    #[error("pools.{pool}.servers: more than {MAX_SLOTS} servers; split the pool")]
    PoolFull {
        /// The pool's name.
        pool: String,
    },
}

impl Snapshot {
    /// The snapshot after `previous` (none at the start) for a configuration.
    /// Pools and endpoints that stay keep their state, their slots and, when
    /// nothing about them changed, their very place in memory.
    pub fn next(
        previous: Option<&Self>,
        config: Arc<Config>,
        workers: usize,
    ) -> Result<Self, SnapshotError> {
        let known: HashMap<_, _> = previous
            .map(|previous| previous.pools.iter().map(|p| (&p.name, p)).collect())
            .unwrap_or_default();
        let mut pools = Vec::with_capacity(config.pools.len());
        for (index, pool) in config.pools.iter().enumerate() {
            let index = PoolIndex(index as u32);
            let before = known.get(&pool.name).copied();
            pools.push(next_pool(before, index, pool, workers)?);
        }
        let generation = previous.map_or(Generation(1), |p| p.generation.next());
        Ok(Self {
            generation,
            config,
            pools,
        })
    }

    /// Let servers drain, or take work again, as the configuration says: what a
    /// snapshot brings with it once it is published.
    pub fn apply_draining(&self) {
        for pool in &self.pools {
            let declared: HashMap<_, _> = pool.config.servers.iter().map(|s| (&s.id, s)).collect();
            for endpoint in pool.endpoints() {
                if let Some(server) = declared.get(&endpoint.id) {
                    endpoint.state.set_draining(server.drain);
                }
            }
        }
    }

    /// A pool by its place.
    pub fn pool(&self, index: PoolIndex) -> Option<&Arc<Pool>> {
        self.pools.get(index.index())
    }

    /// A pool by its name.
    pub fn pool_named(&self, name: &str) -> Option<&Arc<Pool>> {
        self.pools.iter().find(|pool| pool.name.as_str() == name)
    }
}

fn next_pool(
    before: Option<&Arc<Pool>>,
    index: PoolIndex,
    config: &Arc<crate::config::PoolConfig>,
    workers: usize,
) -> Result<Arc<Pool>, SnapshotError> {
    let Some(before) = before else {
        let state = Arc::new(PoolState::default());
        let endpoints = endpoints(&HashMap::new(), config, &state, workers)?;
        return Ok(Arc::new(Pool::new(
            index,
            Arc::clone(config),
            state,
            1,
            endpoints,
        )));
    };
    if before.index == index && before.config == *config {
        return Ok(Arc::clone(before));
    }
    let same_table = before.config.servers == config.servers;
    let known = before.endpoints().map(|e| (&e.id, e)).collect();
    let endpoints = endpoints(&known, config, &before.state, workers)?;
    let version = before.table_version + u64::from(!same_table);
    let state = Arc::clone(&before.state);
    Ok(Arc::new(Pool::new(
        index,
        Arc::clone(config),
        state,
        version,
        endpoints,
    )))
}

fn endpoints(
    known: &HashMap<&EndpointId, &Arc<Endpoint>>,
    config: &crate::config::PoolConfig,
    pool: &Arc<PoolState>,
    workers: usize,
) -> Result<Vec<Arc<Endpoint>>, SnapshotError> {
    let mut endpoints = Vec::with_capacity(config.servers.len());
    for server in &config.servers {
        let before = known.get(&server.id).copied();
        let endpoint = match before {
            Some(before) if is_same(before, server) => Arc::clone(before),
            Some(before) => Arc::new(endpoint(server, Arc::clone(&before.state))),
            None => {
                let state = EndpointState::claim(pool, workers);
                let state = state.ok_or_else(|| SnapshotError::PoolFull {
                    pool: config.name.to_string(),
                })?;
                if !known.is_empty() && !config.slow_start.is_zero() {
                    state.warmth.begin();
                }
                // A literal address needs no look-up; names are the prober's.
                if let Some(address) = Address::literal(&server.host, server.port) {
                    state.addresses.store(Arc::new(vec![address]));
                }
                Arc::new(endpoint(server, state))
            }
        };
        endpoints.push(endpoint);
    }
    Ok(endpoints)
}

fn is_same(endpoint: &Endpoint, server: &ServerConfig) -> bool {
    endpoint.weight == server.weight
        && endpoint.labels == server.labels
        && endpoint.max_active == server.max_active
        && endpoint.health == server.health
}

fn endpoint(server: &ServerConfig, state: Arc<EndpointState>) -> Endpoint {
    Endpoint {
        id: server.id.clone(),
        host: server.host.clone(),
        port: server.port,
        weight: server.weight,
        labels: server.labels.clone(),
        max_active: server.max_active,
        health: server.health.clone(),
        state,
    }
}
