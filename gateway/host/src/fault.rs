//! Why a seat had no answer.

/// The cause; what a plugin said when it trapped is in its log. A router,
/// affinity or balancer that faults is answered for; a policy's binding says
/// what becomes of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The plugin trapped: a panic, an `unreachable`, an access out of bounds.
    #[error("the plugin trapped")]
    Trapped,
    /// The decision outlived its deadline.
    #[error("the plugin did not answer in time")]
    Overran,
    /// The plugin trapped after more memory than it may have was refused to it.
    #[error("the plugin ran out of memory")]
    OutOfMemory,
    /// The answer names a slot that was never given, an unknown pool, or a
    /// status outside of 200 to 599.
    #[error("the plugin's answer is impossible")]
    Impossible,
    /// The last instance is gone and the next one is being prepared.
    #[error("the plugin is being restarted")]
    Vacant,
    /// Its decisions have taken their share of the worker's time.
    #[error("the plugin has used up its share of the time")]
    Capped,
    /// The version faulted too often in this seat and is asked no more.
    #[error("the plugin is quarantined")]
    Quarantined,
}
