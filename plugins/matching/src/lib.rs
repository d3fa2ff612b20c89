//! What the default plugins ask of a request, each thing written and understood
//! in one way wherever it is configured. A library, and no plugin.
//!
//! [`Glob`] and [`Globs`] for paths, [`Value`] and [`Headers`] for headers,
//! [`Networks`] for addresses, [`Key`] for what tells clients apart, [`Size`]
//! for bytes, and [`tokens`] for the names of headers and methods.

mod glob;
mod headers;
mod key;
mod listed;
mod networks;
mod shares;
mod size;
pub mod tokens;
mod value;

pub use glob::{Glob, Globs, Specificity};
pub use headers::Headers;
pub use key::{Key, address_key};
pub use listed::Listed;
pub use networks::{Networks, client_address};
pub use shares::Shares;
pub use size::{Size, declared_length};
pub use value::{Value, expressed};
