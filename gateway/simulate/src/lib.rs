//! Simulation: the very components that decide in the gateway, in virtual time,
//! against servers and traffic that a scenario describes.
//!
//! How it goes. A [`Scenario`] is read from its file. `workload` makes requests of
//! it, one after the other: `arrivals` says when they come, `work` how much they
//! are. The `engine` takes what is to happen from the `agenda`, sets the plugins'
//! clock to it and lets it happen: a request comes to a `gateway`, which asks the
//! balancer as the data plane does and in the same order (a server on trial, the
//! second choice, the pick, the rotation); it reaches a `server`, waits, is worked
//! on; its answer comes back, and is counted, observed, judged by the circuit, and
//! tried again within the pool's retry budget. `upkeep` is what the gateway's
//! prober does: checks, circuits, slow start, and asking servers how busy they are. `fleet` says which servers are in
//! the pool, as a gateway's file would, so that a change of them goes the way of
//! every change: snapshot, preparation, update. `tally` counts, and a [`Report`]
//! tells what that came to; plots are drawn of it ([`draw`]). [`certify`] is a set of
//! scenarios that any balancer can be judged by.
//!
//! What holds:
//!
//! - The same scenario and seed give the same bytes, on every machine: no call of
//!   a plugin has a deadline but that of what never ends. The decisions' time and
//!   the simulation's own are the machine's, and stand apart.
//! - Plugins have the simulation's time and randomness, and no other.
//! - Every policy meets the same requests and the same misfortunes: each purpose
//!   has a stream of randomness of its own, and what belongs to an attempt is
//!   drawn by its number, not in its turn.
//! - A gateway sees what it has in flight itself, over all its workers; nothing of
//!   other gateways, nothing of queues on servers.
//! - Nothing is a copy of a policy: who decides is the component, through the
//!   plugin host. Configuration, snapshot, circuits, retry budgets and slow start
//!   are the gateway's own too.
//!
//! What is absent on purpose: no HTTP, no sockets, no threads of its own, no wait.

mod agenda;
mod arrivals;
mod asked;
mod certify;
mod engine;
mod error;
mod files;
mod fleet;
mod gateway;
mod plots;
mod random;
mod recent;
mod report;
mod requests;
mod scenario;
mod server;
mod simulation;
mod tally;
mod upkeep;
mod work;
mod workload;

pub use certify::{Certificate, Verdict, certify};
pub use error::SimulationError;
pub use plots::draw;
pub use report::{Group, Heat, Load, Outcome, Report, Spread};
pub use scenario::{
    Antagonists, Arrivals, Churn, Clients, Failure, Gateways, Network, Policy, Scenario, Servers,
    Work,
};
pub use simulation::{Workshop, policies, simulate, simulate_one};
