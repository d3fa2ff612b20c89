//! The gateway from outside: the real binary on real sockets, between clients
//! and servers that behave well, badly, or not at all.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "what the tests are made of fails a test by panicking"
)]

mod support;

mod access;
mod access_log;
mod acme;
mod acme_trouble;
mod addresses;
mod admin_access;
mod admin_bindings;
mod admin_bodies;
mod admin_burden;
mod admin_charts;
mod admin_commands;
mod admin_docs;
mod admin_pages;
mod admin_plugin_commands;
mod admin_plugins;
mod admin_pools;
mod admin_registries;
mod admin_rollback;
mod admin_servers;
mod admin_signatures;
mod admin_store;
mod admin_strangers;
mod admin_stream;
mod admin_tls;
mod advice;
mod author_mistakes;
mod breaker;
mod cache;
mod certified;
mod chaos;
mod client_certificates;
mod client_trouble;
mod cluster;
mod cluster_server;
mod cluster_shared;
mod compression;
mod cors;
mod diversion;
mod dns;
mod drain;
mod edited_headers;
mod endurance;
mod error_pages;
mod explain;
mod forward_auth;
mod forwarding;
mod grpc;
mod h2_conformance;
mod health;
mod hedging;
mod http1;
mod http2;
mod http2_slow;
mod http3;
mod http3_calls;
mod http3_ends;
mod http3_heads;
mod http3_slow;
mod http3_trouble;
mod http3_upgrades;
mod idle_connections;
mod overload;
mod passthrough;
mod plugins;
mod policy_mistakes;
mod probe;
mod prometheus;
mod proxied;
mod queue;
mod rate_limit;
mod recordings;
mod redirects;
mod refusals;
mod regions;
mod reload;
mod remembered;
mod retries;
mod rewriting;
mod server_files;
mod slow_start;
mod smuggling;
mod start;
mod sticky_sessions;
mod swaps;
mod systemd;
mod tls;
mod traces;
mod unix_listeners;
mod unix_servers;
mod upgrade;
mod upgrade_trouble;
mod upgrades;
mod upstream_http2;
mod upstream_tls;
mod upstream_trouble;
mod worst_days;
