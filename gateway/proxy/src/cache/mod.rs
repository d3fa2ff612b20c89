//! Keeping servers' answers and answering from them, for pools that are to: a cache
//! that many share, by RFC 9111.
//!
//! It stands behind policies and router, which decide on every request, and before
//! the affinity and the balancer, which are not asked where no server is. Workers
//! share what is kept; bodies are never copied for an answer.
//!
//! Reading order: [`ask`] looks for an answer, and `fetch` makes one of what a
//! server says; `freshness` says what may be kept and used, by what `directives`
//! reads; `store` holds what is `stored`, told apart by URL and by what servers are
//! `told` of it; `reply` makes responses of it, `keep` takes a body along while it
//! passes, as far as there is `room`, `flights` lets one request ask for many, and `refresh` asks while nobody
//! waits; `status` says on each answer how it came, and `purge` which of them an
//! operator wants kept no more.

mod ask;
mod directives;
mod fetch;
mod flights;
mod freshness;
mod keep;
mod purge;
mod refresh;
mod reply;
mod room;
mod status;
mod store;
mod stored;
mod told;

pub(crate) use ask::{Asked, ask};
pub(crate) use fetch::Fetch;
pub(crate) use keep::Keep;
pub use purge::{NoUrl, Purge, Urls};
pub use store::{Cache, Kept};
