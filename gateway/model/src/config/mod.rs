//! The configuration in two types: as [`written`] (every key optional, unknown
//! keys refused) and as meant (defaults filled in, texts parsed, references
//! resolved). The way from one to the other names file, line, key, reason and
//! remedy of whatever is wrong.
//!
//! Reading order: [`load`] is the way in. `read` makes one `tree` of the files
//! (`document` parses one, `substitute` replaces `${NAME}`); serde makes
//! [`written::Config`] of it, and [`Environment`] overrides a few keys;
//! `meaning` makes [`Config`] of that, and `places` gives errors their lines.
//! `defaults` holds every default and range.

mod defaults;
mod document;
mod environment;
mod error;
mod explain;
mod key_path;
mod load;
mod meaning;
mod meant;
mod options;
mod places;
mod quantity;
mod read;
mod schema;
mod substitute;
mod tree;
pub mod written;

pub use defaults::{DEFAULT_PLUGINS, FILE_NAME};
pub use environment::Environment;
pub use error::{ConfigError, ConfigErrors, Place};
pub use load::{find, load, load_with_places, mean, parse};
pub use meaning::listen_address;
pub use meant::{
    Admin, Binding, CertificateFiles, Config, HashKey, HealthCheck, Limits, Listener, OnFault,
    PluginSource, Policy, PoolConfig, Retries, ServerConfig, Timeouts, Tls,
};
pub use options::ProxyOptions;
pub use places::Places;
pub use quantity::{Period, QuantityError, Size};
pub use schema::{schema, starter};
