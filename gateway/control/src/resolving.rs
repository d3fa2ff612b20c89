//! Looking up the names of new servers before they are published, so that the
//! first requests know where to connect.

use std::sync::Arc;
use std::time::Duration;

use gatewright_model::endpoint::Endpoint;
use gatewright_model::snapshot::Snapshot;
use gatewright_proxy::resolve;
use tokio::task::JoinSet;

/// How long a publication waits for names. The prober goes on with the rest.
const PATIENCE: Duration = Duration::from_secs(1);

/// Look-ups under way at once: each holds a thread of the blocking pool.
const MOST_AT_ONCE: usize = 64;

/// Look up every server that has no address yet, within a second.
pub(crate) async fn resolve_new(snapshot: &Snapshot) {
    let endpoints = snapshot.pools.iter().flat_map(|pool| pool.endpoints());
    let unresolved = |endpoint: &&Arc<Endpoint>| endpoint.state.addresses.load().is_empty();
    let new: Vec<_> = endpoints.filter(unresolved).cloned().collect();
    if tokio::time::timeout(PATIENCE, look_up(new)).await.is_err() {
        tracing::warn!("some servers' names take long to resolve; they are used once they do");
    }
}

async fn look_up(endpoints: Vec<Arc<Endpoint>>) {
    let mut under_way = JoinSet::new();
    for endpoint in endpoints {
        if under_way.len() == MOST_AT_ONCE {
            under_way.join_next().await;
        }
        under_way.spawn(async move {
            if let Err(error) = resolve(&endpoint).await {
                tracing::warn!(endpoint = %endpoint.id, %error, "a server's name does not resolve");
            }
        });
    }
    while under_way.join_next().await.is_some() {}
}
