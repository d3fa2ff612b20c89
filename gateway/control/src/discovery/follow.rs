//! Looking names up again for as long as a pool has them.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright_model::config::{Config, Dns};
use gatewright_model::id::PoolName;
use tokio::task::{AbortHandle, JoinSet};

use crate::control::Control;

/// Look up the names of all pools again and again, for ever.
pub(crate) async fn follow(control: Arc<Control>) {
    let mut snapshots = control.publisher.subscribe();
    let mut looking = Looking::default();
    loop {
        let config = Arc::clone(&snapshots.borrow_and_update().snapshot.config);
        control.discovery.keep(&config);
        looking.follow(&control, &config);
        if snapshots.changed().await.is_err() {
            return;
        }
    }
}

/// The pools whose names are looked up, each by a task of its own.
#[derive(Default)]
struct Looking {
    pools: HashMap<PoolName, (Dns, AbortHandle)>,
    tasks: JoinSet<()>,
}

impl Looking {
    fn follow(&mut self, control: &Arc<Control>, config: &Config) {
        let wanted = config.pools.iter();
        let wanted = wanted.filter_map(|pool| Some((pool.name.clone(), pool.dns.clone()?)));
        let wanted: HashMap<_, _> = wanted.collect();
        self.pools.retain(|pool, (dns, task)| {
            let stays = wanted.get(pool) == Some(dns);
            if !stays {
                task.abort();
            }
            stays
        });
        for (pool, dns) in wanted {
            if !self.pools.contains_key(&pool) {
                let looking = look_up_again(Arc::clone(control), pool.clone(), dns.clone());
                let task = self.tasks.spawn(looking);
                self.pools.insert(pool, (dns, task));
            }
        }
        // Those that were ended.
        while self.tasks.try_join_next().is_some() {}
    }
}

async fn look_up_again(control: Arc<Control>, pool: PoolName, dns: Dns) {
    let discovery = &control.discovery;
    loop {
        let found = discovery.servers(&pool);
        let desired = control.desired();
        if found.as_ref() != desired.declared.found().get(&pool) {
            // What came of it is logged there; what was refused is tried again
            // with the next look-up.
            let _ = control.take_in_found(&pool).await;
        }
        tokio::time::sleep_until(discovery.due(&pool)).await;
        discovery.look_up(&pool, &dns).await;
    }
}
