//! What the tests are made of: a gateway, servers, clients, plugins, and
//! patience.

mod client;
mod clients;
mod collector;
mod component;
mod config;
mod crowd;
mod dns;
mod door;
mod events;
mod eventually;
mod gateway;
pub(crate) mod http2;
pub(crate) mod http3;
mod installed;
mod load;
mod message;
mod moody;
mod operator;
mod pebble;
mod pipe;
mod program;
mod redis;
mod registry;
mod road;
mod rotel;
mod run;
mod shop;
mod succession;
mod tls;
mod upstream;
mod wire;

pub(crate) use client::{Body, Client, body_of, empty, endless, frames, http2_by_hand, whole};
pub(crate) use clients::Clients;
pub(crate) use collector::{Collector, Traced};
pub(crate) use component::{Guest, calling_itself, misdeeds};
pub(crate) use config::{Builder, Pool};
pub(crate) use crowd::{Crowd, Fates};
pub(crate) use dns::NameServer;
pub(crate) use door::Door;
pub(crate) use events::Events;
pub(crate) use eventually::{eventually, soon, within, within_a_second_of};
pub(crate) use gateway::{Gateway, get};
pub(crate) use http3::Http3;
pub(crate) use installed::Installed;
pub(crate) use load::Load;
pub(crate) use message::Message;
pub(crate) use moody::{Mood, Moody};
pub(crate) use operator::Call;
pub(crate) use pebble::{NAME, Pebble};
pub(crate) use pipe::Pipe;
pub(crate) use program::run_program;
pub(crate) use redis::Redis;
pub(crate) use registry::Registry;
pub(crate) use road::Road;
pub(crate) use rotel::Rotel;
pub(crate) use run::{
    BINARY, ends, raise_descriptors, run_until_exit, run_until_exit_as, runs, signal, spawn,
};
pub(crate) use shop::Shop;
pub(crate) use tls::{Authority, Certified, Hello, acceptor, certificate_of, connect_tls};
pub(crate) use upstream::{Peer, Upstream, plain};
pub(crate) use wire::Wire;
