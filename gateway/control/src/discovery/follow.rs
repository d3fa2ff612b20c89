//! Looking names up again for as long as a pool has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::config::{Config, Dns, FoundServer};
use gatewright_model::id::PoolName;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::names;
use crate::control::Control;

/// The first pause and the longest before the same servers are tried again that
/// could not be put in force, so that each look-up is not one more event.
const REFUSED: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(600)];

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
    pools: BTreeMap<(PoolName, Dns), AbortHandle>,
    tasks: JoinSet<()>,
}

impl Looking {
    fn follow(&mut self, control: &Arc<Control>, config: &Config) {
        // Those that were ended.
        while self.tasks.try_join_next().is_some() {}
        let wanted: BTreeSet<_> = names(config).collect();
        self.pools.retain(|of, task| {
            let stays = wanted.contains(of);
            if !stays {
                task.abort();
            }
            // One that has ended by itself is begun anew.
            stays && !task.is_finished()
        });
        for of in wanted {
            let (tasks, control) = (&mut self.tasks, Arc::clone(control));
            let begin = || tasks.spawn(look_up_again(control, of.clone()));
            self.pools.entry(of.clone()).or_insert_with(begin);
        }
    }
}

/// Servers that could not be put in force.
struct Refused {
    servers: Vec<FoundServer>,
    pause: Duration,
    again: Instant,
}

impl Refused {
    /// Whether these are to be tried now.
    fn lets(&self, servers: &[FoundServer]) -> bool {
        self.servers != servers || Instant::now() >= self.again
    }

    /// These were refused, after others or the same before.
    fn anew(before: Option<Self>, servers: Vec<FoundServer>) -> Self {
        let [first, longest] = REFUSED;
        let before = before.filter(|before| before.servers == servers);
        let pause = before.map_or(first, |before| (before.pause * 2).min(longest));
        Self {
            servers,
            pause,
            again: Instant::now() + pause,
        }
    }
}

async fn look_up_again(control: Arc<Control>, of: (PoolName, Dns)) {
    let discovery = &control.discovery;
    let mut refused: Option<Refused> = None;
    loop {
        // Nothing is taken in before it was looked up.
        if let Some(servers) = discovery.servers(&of) {
            let desired = control.desired();
            let is_new = desired.declared.found().get(&of.0) != Some(&servers);
            if is_new
                && refused
                    .as_ref()
                    .is_none_or(|refused| refused.lets(&servers))
            {
                // What came of it is logged there.
                refused = match control.take_in_found(&of.0).await {
                    Ok(()) => None,
                    Err(_) => Some(Refused::anew(refused, servers)),
                };
            }
        }
        tokio::time::sleep_until(discovery.due(&of)).await;
        discovery.look_up(&of).await;
    }
}
