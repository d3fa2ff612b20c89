//! What the default plugins ask of a request, each thing written and understood
//! in one way wherever it is configured. A library, and no plugin.
//!
//! [`Glob`] and [`Globs`] for paths and [`Spellings`] for what servers may take
//! them for, [`Value`] and [`Headers`] for headers, [`Networks`] for addresses,
//! [`Key`] for what tells clients apart, [`Size`] for bytes, and [`tokens`] for
//! the names of headers and methods.

mod glob;
mod globs;
mod headers;
mod key;
mod listed;
mod networks;
mod shares;
mod size;
mod spellings;
pub mod tokens;
mod value;

pub use glob::{Glob, Specificity};
pub use globs::Globs;
pub use headers::{Headers, header_values};
pub use key::{Key, address_key, shortened};
pub use listed::Listed;
pub use networks::{Networks, client_address};
pub use shares::Shares;
pub use size::{Size, declared_length};
pub use spellings::Spellings;
pub use value::{Value, expressed};
