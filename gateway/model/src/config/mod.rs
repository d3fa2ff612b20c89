//! The configuration in two types: as [`written`] (every key optional, unknown
//! keys refused) and as meant (defaults filled in, texts parsed, references
//! resolved). The way from one to the other names file, line, key, reason and
//! remedy of whatever is wrong.
//!
//! Reading order: [`load`] is the way in. `read` makes one `tree` of the files
//! (`document` parses one, `substitute` replaces `${NAME}`, `dotenv` reads
//! what `.env` says); serde makes
//! [`written::Config`] of it, and [`Environment`] overrides a few keys;
//! `meaning` makes [`Config`] of that, and `places` gives errors their lines.
//! `defaults` holds every default and range. What was changed at run time is an
//! [`Overlay`] over what is [`Declared`].

mod declared;
mod defaults;
mod document;
mod dotenv;
mod element;
mod environment;
mod error;
mod explain;
mod found;
mod key_path;
mod load;
mod meaning;
mod meant;
mod options;
mod overlay;
mod places;
mod quantity;
mod read;
mod schema;
mod substitute;
mod tree;
pub mod written;

pub use declared::Declared;
pub use defaults::{
    DEADLINE, DEFAULT_BALANCERS, DEFAULT_PLUGINS, FILE_NAME, MEMORY, USUAL_DEADLINE, USUAL_MEMORY,
    default_roles,
};
pub use document::may_be_read;
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors, Place, did_you_mean};
pub use explain::Medium;
pub use found::{Found, FoundServer};
pub use load::{find, load, load_with_places, mean, parse, parse_as, read_as};
pub use meaning::{
    host_or_socket, is_socket, listen_address, listener_address, server_host, server_id,
};
pub use meant::{
    Abort, AccessLog, Acme, AcmeChallenge, Admin, AdminTls, Binding, Breaker, CacheRules, Canary,
    CertificateFiles, Certificates, CheckKind, ClientAuth, Cluster, Coding, Compression, Config,
    Cors, Delay, Dns, ErrorPages, ExternalAccount, Faults, Field, ForwardAuth, HashKey,
    HealthCheck, Hsts, Http3, Layout, Levels, Limits, Listener, LogTarget, MediaTypes, Mirror,
    Offered, OnFault, Ordered, Origins, Overload, Page, Passthrough, Peers, PemFile, Piece,
    PluginSource, Policy, PoolConfig, Probe, Protocol, ProxyProtocol, Queue, Registries, Retries,
    ServerConfig, ServerTls, Shadow, Statuses, Timeouts, Tls, TlsVersion, Tracing, Upgrades,
};
pub use options::ProxyOptions;
pub use overlay::{Fitted, Key, LeftOut, Overlay, Override};
pub use places::Places;
pub use quantity::{Period, QuantityError, Size};
pub use schema::{schema, starter};
pub use written::Certify;
