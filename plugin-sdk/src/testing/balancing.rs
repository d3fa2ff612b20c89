//! What tests of balancers begin with and ask alike.

use std::vec;
use std::vec::Vec;

use super::{endpoint, host, reset};
use crate::{Balancer, ConfigError, Configuration, Endpoint, Slot};

/// A pool whose slot `i` has the weight `weights[i]`.
pub fn pool(weights: &[u32]) -> Vec<Endpoint> {
    let members = (0..).zip(weights);
    let members = members.map(|(slot, weight)| endpoint(slot, *weight));
    members.collect()
}

/// A balancer of a [`pool`] that is eligible as a whole and has nothing in
/// flight, on a fake host at its beginning.
///
/// # Errors
///
/// When the balancer refuses its configuration.
pub fn seat<B: Balancer>(config: B::Config, weights: &[u32]) -> Result<B, ConfigError> {
    reset();
    host(|host| host.active = vec![0; weights.len()]);
    let mut balancer = B::configure(config)?;
    balancer.update(pool(weights));
    balancer.eligible((0..weights.len() as Slot).collect());
    Ok(balancer)
}

/// How often each slot of so many is picked.
pub fn counts(balancer: &mut impl Balancer, pool: usize, picks: usize) -> Vec<u32> {
    let mut counts = vec![0; pool];
    for slot in (0..picks).filter_map(|_| balancer.pick(0)) {
        counts[slot as usize] += 1;
    }
    counts
}

/// See to it that later attempts go where earlier ones did not, among three
/// eligible endpoints.
///
/// # Panics
///
/// When they do not.
pub fn check_retries(balancer: &mut impl Balancer) {
    host(|host| host.request.tried = vec![0, 2]);
    assert_eq!(balancer.pick(0), Some(1), "the one that is left");
    host(|host| host.request.tried = vec![0, 1, 2]);
    assert_eq!(balancer.pick(0), None, "all were tried");
    host(|host| host.request.tried.clear());
}

/// The key that a plugin refuses settings by; none if it takes them.
pub fn refused_key<C: Configuration, P>(
    json: &str,
    configure: impl FnOnce(C) -> Result<P, ConfigError>,
) -> Option<alloc::string::String> {
    let configured = C::from_json(json).and_then(configure);
    configured.err().map(|error| error.key)
}
