//! The words of Gatewright's domain, without any machinery: what a
//! configuration means, what a pool and an endpoint are, what one published
//! snapshot holds, and what is counted.
//!
//! Reading order: [`id`] and [`role`] name things, [`address`] says where they are, [`token`] says what strangers' names are made
//! of, [`signature`] whose things are, [`shared`] what gateways of a cluster tell each other;
//! [`config`] says what was
//! written and what it means; [`endpoint`], [`pool`] and [`snapshot`] are what a
//! request reads; [`circuit`] and [`warmth`] say how much an endpoint gets of the
//! requests, [`room`] for how many there is room, [`queue`] where they wait,
//! [`retry_budget`] how often they are tried again, [`reported`] what an endpoint
//! says of itself;
//! [`counters`] and [`histogram`] are what it leaves behind.
//!
//! What is absent on purpose: no tokio, no hyper, no wasmtime, no I/O but the
//! reading of configuration files.

pub mod address;
pub mod cache;
pub mod circuit;
pub mod config;
pub mod counters;
pub mod endpoint;
pub mod histogram;
pub mod id;
pub mod pool;
pub mod queue;
pub mod reported;
pub mod retry_budget;
pub mod role;
pub mod room;
pub mod shared;
pub mod signature;
pub mod snapshot;
pub mod token;
pub mod warmth;
