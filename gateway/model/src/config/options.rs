//! Configurations that a command line makes: written in code, then read like
//! any other, so that there is one way from written to meant.

use std::collections::BTreeMap;

use super::written::{
    Admin, Binding, Certificate, Config, Health, Listener, Pool, SwitchOr, TextOr, Tls,
    WorkerCount, Workers,
};

/// What `gatewright proxy` is asked for: one pool behind some listeners.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProxyOptions {
    /// Addresses for plain HTTP, as `listen` has them. With no address here nor
    /// in `listen_tls`: the default listener.
    pub listen: Vec<String>,
    /// Addresses for HTTPS.
    pub listen_tls: Vec<String>,
    /// Certificates for HTTPS; none: a self-signed one.
    pub certificates: Vec<Certificate>,
    /// The servers, as `host:port`.
    pub to: Vec<String>,
    /// The balancer's name; none: the default one.
    pub balancer: Option<String>,
    /// The affinity's name; none: no affinity.
    pub affinity: Option<String>,
    /// The path of health checks; none: the default one.
    pub health_path: Option<String>,
    /// Whether servers are taken as healthy unchecked.
    pub no_health_checks: bool,
    /// The admin listener's address; none: the default one.
    pub admin: Option<String>,
    /// How many workers; none: one for each processor.
    pub workers: Option<u64>,
}

impl Config {
    /// The configuration of a proxy with the one pool `web`. It is written, not
    /// checked: [`mean`](super::mean) does that.
    pub fn for_proxy(options: &ProxyOptions) -> Self {
        let mut config = Self {
            pools: BTreeMap::from([("web".to_owned(), pool(options))]),
            ..Self::default()
        };
        if let Some(listen) = &options.admin {
            config.admin = Admin {
                listen: listen.clone(),
                ..Admin::default()
            };
        }
        if let Some(count) = options.workers {
            config.workers = Workers {
                count: WorkerCount::Exactly(count),
            };
        }
        let listeners = listeners(options);
        if !listeners.is_empty() {
            config.listeners = listeners;
        }
        config
    }
}

impl Listener {
    /// A listener named by its address.
    pub fn new(listen: &str, tls: Option<Tls>) -> Self {
        Self {
            name: None,
            listen: listen.to_owned(),
            tls,
            http3: None,
            redirect: None,
            socket_mode: None,
            proxy_protocol: Vec::new(),
            passthrough: Vec::new(),
        }
    }
}

impl Tls {
    /// A certificate made at the start.
    pub fn self_signed() -> Self {
        Self {
            self_signed: true,
            ..Self::default()
        }
    }
}

impl Binding {
    /// A plugin with this configuration, which must be a JSON object to say
    /// anything.
    pub fn new(plugin: &str, config: serde_json::Value) -> Self {
        Self {
            plugin: plugin.to_owned(),
            config: match config {
                serde_json::Value::Object(config) => config,
                _ => serde_json::Map::new(),
            },
            deadline: super::defaults::deadline(),
            cpu_share: None,
            cpu_alarm: super::defaults::cpu_alarm(),
            version: None,
            canary: None,
            shadow: None,
        }
    }
}

fn listeners(options: &ProxyOptions) -> Vec<Listener> {
    let plain = options
        .listen
        .iter()
        .map(|listen| Listener::new(listen, None));
    let tls = options.listen_tls.iter().map(|listen| {
        let tls = match options.certificates.as_slice() {
            [] => Tls::self_signed(),
            certificates => Tls {
                certificates: certificates.to_vec(),
                ..Tls::default()
            },
        };
        Listener::new(listen, Some(tls))
    });
    plain.chain(tls).collect()
}

fn pool(options: &ProxyOptions) -> Pool {
    let mut pool = Pool {
        servers: options
            .to
            .iter()
            .map(|to| TextOr::Text(to.clone()))
            .collect(),
        affinity: options.affinity.clone().map(TextOr::Text),
        ..Pool::default()
    };
    if let Some(balancer) = &options.balancer {
        pool.balancer = TextOr::Text(balancer.clone());
    }
    if let Some(path) = &options.health_path {
        pool.health = SwitchOr::Table(Health {
            path: path.clone(),
            ..Health::default()
        });
    }
    if options.no_health_checks {
        pool.health = SwitchOr::Switch(false);
    }
    pool
}
