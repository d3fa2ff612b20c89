//! Every default and every range of the configuration, in one place.

mod answers;
mod plugins;
pub(super) mod telemetry;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub(super) use self::answers::*;
pub(super) use self::plugins::default_plugins;
pub use self::plugins::{DEFAULT_BALANCERS, DEFAULT_PLUGINS, default_roles};
use super::quantity::{Period, Size};
use super::written::{
    Acme, AcmeChallenge, Admin, Breaker, Cache, Certify, CheckKind, ClientAuth, Cluster, Config,
    Cors, Dns, Faults, Health, Http3, Limits, Listener, Offered, Plugin, Pool, Protocol, Queue,
    Registries, Retries, ServerTls, SwitchOr, Timeouts, Tls, TlsVersion, WorkerCount, Workers,
};

/// Who routes when nobody is named.
pub(super) const ROUTER: &str = "path-router";

/// The file's name where none is given.
pub const FILE_NAME: &str = "gatewright.toml";

/// Where the file is looked for after the working folder.
pub(super) const SYSTEM_FOLDER: &str = "/etc/gatewright";

/// Workers when `auto` finds out nothing.
pub(super) const WORKERS: usize = 1;

pub(super) const WORKER_COUNT: RangeInclusive<u64> = 1..=1024;
/// How long a decision may take by `deadline`.
pub const DEADLINE: RangeInclusive<Period> = Period(micros(100))..=Period::s(1);
/// Percent of requests, decisions or time.
pub(super) const SHARE: RangeInclusive<u8> = 1..=100;
/// What an instance may have by `memory`: one page of Wasm memory at least; the host's own bound at most.
pub const MEMORY: RangeInclusive<Size> = Size::kib(64)..=Size::mib(256);

pub(super) const HEALTH_INTERVAL: RangeInclusive<Period> = Period::ms(10)..=Period::s(3600);
pub(super) const HEALTH_TIMEOUT: RangeInclusive<Period> = Period::ms(10)..=Period::s(600);
pub(super) const HEALTH_COUNT: RangeInclusive<u32> = 1..=100;
pub(super) const HEALTH_STATUS: RangeInclusive<u16> = 200..=599;
pub(super) const HEALTH_JITTER: RangeInclusive<u8> = 0..=50;
pub(super) const PROBE_INTERVAL: RangeInclusive<Period> = Period::ms(20)..=Period::s(60);
/// Of failures and errors in a row.
pub(super) const BREAKER_COUNT: RangeInclusive<u32> = 1..=1000;
pub(super) const OPEN_TIME: RangeInclusive<Period> = Period::ms(10)..=Period::s(3600);
pub(super) const MAX_OPEN_TIME: RangeInclusive<Period> = Period::ms(10)..=DAY;
pub(super) const PANIC_THRESHOLD: RangeInclusive<u8> = 0..=100;
pub(super) const SLOW_START: RangeInclusive<Period> = Period::s(0)..=Period::s(3600);
pub(super) const ATTEMPTS: RangeInclusive<u32> = 1..=10;
pub(super) const BUDGET: RangeInclusive<f64> = 0.0..=1.0;
pub(super) const PER_TRY_TIMEOUT: RangeInclusive<Period> = Period::ms(10)..=Period::s(3600);
pub(super) const RETRY_STATUS: RangeInclusive<u16> = 400..=599;
pub(super) const MAX_ACTIVE: RangeInclusive<u32> = 1..=1_000_000;
pub(super) const QUEUE_SIZE: RangeInclusive<u32> = 0..=100_000;
pub(super) const QUEUE_TIMEOUT: RangeInclusive<Period> = Period::ms(10)..=Period::s(600);
pub(super) const HEDGE_AFTER: RangeInclusive<Period> = Period::ms(1)..=Period::s(3600);
pub(super) const CORS_MAX_AGE: RangeInclusive<Period> = Period::s(0)..=DAY;
pub(super) const FAULT_DELAY: RangeInclusive<Period> = Period::ms(1)..=Period::s(3600);
pub(super) const FAULT_STATUS: RangeInclusive<u16> = 400..=599;
pub(super) const CONNECT_TIMEOUT: RangeInclusive<Period> = Period::ms(10)..=Period::s(600);
pub(super) const REQUEST_TIMEOUT: RangeInclusive<Period> = Period::ms(10)..=DAY;
pub(super) const DNS_TTL: RangeInclusive<Period> = Period::s(1)..=DAY;
pub(super) const IDLE_CONNECTIONS: RangeInclusive<u32> = 0..=10_000;

/// The HTTP server works with no smaller buffer than 8 KiB.
pub(super) const REQUEST_HEAD: RangeInclusive<Size> = Size::kib(8)..=Size::mib(1);
pub(super) const REQUEST_HEADERS: RangeInclusive<u32> = 1..=1000;
pub(super) const REQUEST_BODY: RangeInclusive<Size> = Size(0)..=Size::mib(1 << 20);
pub(super) const RESPONSE_HEAD: RangeInclusive<Size> = Size::kib(1)..=Size::mib(1);
pub(super) const REPLAY_BODY: RangeInclusive<Size> = Size(0)..=Size::mib(16);
pub(super) const CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
pub(super) const REQUESTS: RangeInclusive<u32> = 1..=1_000_000;

pub(super) const REQUEST_HEAD_TIMEOUT: RangeInclusive<Period> = Period::ms(10)..=Period::s(600);
pub(super) const IDLE_TIMEOUT: RangeInclusive<Period> = Period::ms(10)..=DAY;
pub(super) const DRAIN_TIMEOUT: RangeInclusive<Period> = Period::s(0)..=Period::s(3600);

/// Who may connect to a Unix socket unless it is said: its user and its group.
pub(super) const SOCKET_MODE: u32 = 0o660;

pub(super) const HSTS: RangeInclusive<Period> = Period::s(0)..=Period::s(3650 * 24 * 3600);
/// What those who keep the lists of browsers ask for.
pub(super) const HSTS_PRELOAD: Period = Period::s(365 * 24 * 3600);

/// For how long clients may be told to remember HTTP/3.
pub(super) const HTTP3_MAX_AGE: RangeInclusive<Period> = Period::s(0)..=Period::s(365 * 24 * 3600);

/// The authority that asks for nothing but the proof of a name.
const ACME_DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The most names of one certificate, which is what authorities allow.
pub(super) const ACME_NAMES: usize = 100;

const DAY: Period = Period::s(24 * 3600);

const fn micros(count: u64) -> std::time::Duration {
    std::time::Duration::from_micros(count)
}

/// How long a decision may take of which nobody says it.
pub const USUAL_DEADLINE: Period = Period::ms(2);

/// The memory of a plugin's instance of which nobody says it.
pub const USUAL_MEMORY: Size = Size::mib(16);

pub(crate) fn deadline() -> Period {
    USUAL_DEADLINE
}

pub(crate) fn sample() -> u8 {
    10
}

pub(crate) fn probe_interval() -> Period {
    Period::ms(250)
}

/// Percent.
pub(crate) fn everything() -> u8 {
    100
}

pub(crate) fn cpu_alarm() -> u8 {
    25
}

pub(crate) fn weight() -> u16 {
    1
}

impl Default for Config {
    fn default() -> Self {
        Self {
            include: Vec::new(),
            admin: Admin::default(),
            workers: Workers::default(),
            cluster: None,
            acme: None,
            listeners: vec![Listener {
                name: Some("web".to_owned()),
                listen: "[::]:8080".to_owned(),
                tls: None,
                http3: None,
                redirect: None,
                socket_mode: None,
                proxy_protocol: Vec::new(),
                passthrough: Vec::new(),
            }],
            policies: Vec::new(),
            router: None,
            default_pool: None,
            pools: BTreeMap::new(),
            plugins: BTreeMap::new(),
            cache: Cache::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            trusted_proxies: Vec::new(),
            error_pages: BTreeMap::new(),
            access_log: None,
            tracing: None,
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9000".to_owned(),
            data: "data".to_owned(),
            origins: Vec::new(),
            plugin_keys: None,
            certify_balancers: Certify::default(),
            registries: Registries::default(),
            tls: None,
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".to_owned(),
            password: None,
            prefix: "gatewright".to_owned(),
            name: None,
            tls: None,
        }
    }
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            directory: ACME_DIRECTORY.to_owned(),
            email: None,
            agree_to_terms: false,
            ca_file: None,
            challenge: AcmeChallenge::default(),
            external_account: None,
        }
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            self_signed: false,
            certificates: Vec::new(),
            acme: Vec::new(),
            strict_sni: false,
            min_version: TlsVersion::V1_2,
            protocols: vec![Offered::Http2, Offered::Http1],
            client_ca: None,
            client_auth: ClientAuth::default(),
            hsts: None,
        }
    }
}

impl Default for Http3 {
    fn default() -> Self {
        Self {
            advertise: None,
            max_age: Period::s(24 * 3600),
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self {
            count: WorkerCount::Auto,
        }
    }
}

impl Default for Plugin {
    fn default() -> Self {
        Self {
            file: None,
            version: None,
            grants: None,
            memory: USUAL_MEMORY,
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            balancer: "least-connections".into(),
            affinity: None,
            hash_key: "client-address".to_owned(),
            health: SwitchOr::Table(Health::default()),
            probe: None,
            breaker: SwitchOr::Table(Breaker::default()),
            panic_threshold: 0,
            slow_start: Period::s(0),
            retries: Retries::default(),
            max_active_per_server: None,
            max_active: None,
            queue: SwitchOr::Table(Queue::default()),
            hedge: None,
            connect_timeout: Period::s(2),
            request_timeout: Period::s(60),
            upgrades: vec!["websocket".to_owned()],
            protocol: Protocol::default(),
            mirror: None,
            maintenance: false,
            cors: None,
            forward_auth: None,
            faults: None,
            cache: SwitchOr::Switch(false),
            compression: SwitchOr::Switch(false),
            tls: SwitchOr::Switch(false),
            proxy_protocol: None,
            idle_connections: 64,
            servers: Vec::new(),
            servers_file: None,
            dns: None,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            size: 1000,
            timeout: Period::s(1),
        }
    }
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            srv: None,
            nameservers: Vec::new(),
            min_ttl: Period::s(1),
            max_ttl: Period::s(300),
        }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            methods: Vec::new(),
            headers: Vec::new(),
            expose: Vec::new(),
            credentials: false,
            max_age: Period::s(600),
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay: None,
            delay_percent: everything(),
            abort: None,
            abort_percent: everything(),
        }
    }
}

impl Default for ServerTls {
    fn default() -> Self {
        Self {
            ca: None,
            name: None,
            cert: None,
            key: None,
            verify: true,
        }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            kind: CheckKind::Http,
            path: "/health".to_owned(),
            status: "200-299".to_owned(),
            service: String::new(),
            interval: Period::s(5),
            timeout: Period::s(2),
            rise: 2,
            fall: 3,
            jitter: 10,
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            fail_threshold: 3,
            error_threshold: 5,
            open_time: Period::s(5),
            max_open_time: Period::s(300),
            max_ejected: 50,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 3,
            budget: 0.2,
            per_try_timeout: Period::s(10),
            statuses: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head: Size::kib(64),
            request_headers: 100,
            request_body: None,
            response_head: Size::kib(64),
            replay_body: Size::kib(64),
            connections: 10_000,
            requests: None,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request_head: Period::s(10),
            idle: Period::s(60),
            body_idle: Period::s(30),
            tunnel_idle: Period::s(3600),
            drain: Period::s(30),
        }
    }
}
