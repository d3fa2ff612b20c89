//! The roles: a trait for each thing that a plugin can be asked to decide.
//!
//! An instance lives as long as its binding on its worker, and its calls never
//! overlap, so a policy keeps what it learned in plain fields.

use alloc::vec::Vec;

use crate::{ConfigError, Configuration, Decision, Endpoint, Slot, Verdict};

/// Chooses the endpoint of an attempt, asking for what it needs to know.
///
/// Right for every policy that looks at a few endpoints at most. One that
/// compares the load of all of them is a [`ScanningBalancer`].
pub trait Balancer: Sized {
    /// What the binding's `config` may hold: a type with `Deserialize`, or
    /// [`NoConfig`](crate::NoConfig).
    type Config: Configuration;

    /// The first call. It may take up to 250 ms, so this is the place for tables.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense; the error names the key.
    fn configure(config: Self::Config) -> Result<Self, ConfigError>;

    /// The pool's members, after a change of membership, weight or labels.
    fn update(&mut self, endpoints: Vec<Endpoint>) {
        drop(endpoints);
    }

    /// The slots that may take new work, after a change of health or draining.
    fn eligible(&mut self, slots: Vec<Slot>) {
        drop(slots);
    }

    /// Which endpoint takes this attempt? `key` is a hash of what the pool
    /// hashes by. None lets the gateway rotate over the eligible endpoints.
    fn pick(&mut self, key: u64) -> Option<Slot>;
}

/// Chooses the endpoint of an attempt with every endpoint's load in hand.
pub trait ScanningBalancer: Sized {
    /// As [`Balancer::Config`].
    type Config: Configuration;

    /// As [`Balancer::configure`].
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense; the error names the key.
    fn configure(config: Self::Config) -> Result<Self, ConfigError>;

    /// As [`Balancer::update`].
    fn update(&mut self, endpoints: Vec<Endpoint>) {
        drop(endpoints);
    }

    /// As [`Balancer::eligible`]. Most scanning policies need not listen: the
    /// load of a slot that this attempt may not use is [`UNUSABLE`](crate::UNUSABLE).
    fn eligible(&mut self, slots: Vec<Slot>) {
        drop(slots);
    }

    /// As [`Balancer::pick`]. `load[slot]` is the endpoint's active requests,
    /// or [`UNUSABLE`](crate::UNUSABLE).
    fn pick(&mut self, key: u64, load: &[u32]) -> Option<Slot>;
}

/// Chooses the pool of a request.
pub trait Router: Sized {
    /// As [`Balancer::Config`].
    type Config: Configuration;

    /// The first call. Resolve the names of pools here, with
    /// [`pools::index`](crate::pools::index): when the pools change, a new
    /// instance is configured.
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense; the error names the key.
    fn configure(config: Self::Config) -> Result<Self, ConfigError>;

    /// Where does this request go? `authority` is lower case, with the port if
    /// the client named one; `path` is normalised and has no query.
    fn route(&mut self, method: &str, authority: &str, path: &str) -> Decision;
}

/// Knows which endpoint has a client's session.
pub trait Affinity: Sized {
    /// As [`Balancer::Config`].
    type Config: Configuration;

    /// As [`Balancer::configure`].
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense; the error names the key.
    fn configure(config: Self::Config) -> Result<Self, ConfigError>;

    /// As [`Balancer::update`].
    fn update(&mut self, endpoints: Vec<Endpoint>) {
        drop(endpoints);
    }

    /// As [`Balancer::eligible`]. A draining endpoint is not among them, yet
    /// [`lookup`](Self::lookup) may name it.
    fn eligible(&mut self, slots: Vec<Slot>) {
        drop(slots);
    }

    /// Which endpoint has this client's session? Asked once a request, before
    /// the balancer.
    fn lookup(&mut self) -> Option<Slot>;

    /// An endpoint that [`lookup`](Self::lookup) had not named has answered:
    /// remember it, in a cookie or in [`sessions`](crate::sessions).
    fn bind(&mut self, answered: Slot);
}

/// Lets a request pass or answers it.
pub trait RequestPolicy: Sized {
    /// As [`Balancer::Config`].
    type Config: Configuration;

    /// As [`Balancer::configure`].
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense; the error names the key.
    fn configure(config: Self::Config) -> Result<Self, ConfigError>;

    /// May this request go on? A policy that faults denies the request, unless
    /// its binding says otherwise.
    fn check(&mut self, method: &str, authority: &str, path: &str) -> Verdict;
}

/// Has the last word on a response's head.
pub trait ResponsePolicy: Sized {
    /// As [`Balancer::Config`].
    type Config: Configuration;

    /// As [`Balancer::configure`].
    ///
    /// # Errors
    ///
    /// When the configuration makes no sense; the error names the key.
    fn configure(config: Self::Config) -> Result<Self, ConfigError>;

    /// Edit the head through [`response`](crate::response).
    fn finish(&mut self, status: u16);
}
