//! The control plane: it reads what is wanted, prepares it whole, and hands it
//! to the data plane; it shows what the data plane counts.
//!
//! Everything flows one way: change → validate → prepare → keep → publish.
//! Reading order: [`Gateway`] starts and stops the whole; `desired` is what is
//! wanted and where that comes from; `change` is what somebody asks for at run
//! time; `control` is the one path of every change, whose end is `publisher`,
//! `keeper` where it is kept, in a `cluster` with other gateways, and `restart` what
//! cannot go that way; `handover` is how another process
//! takes over; `store` is what outlives a restart, `sharing` what plugins keep
//! together with those of other gateways;
//! `catalog` has the versions of plugins, `uploads` brings new ones,
//! `registry` fetches them, `seats` is
//! where they are bound, `history` what was bound before, and `retreat` goes
//! back there when a version is quarantined; `access` is who may do what;
//! `watcher` notices changed files; `acme` orders certificates; `discovery`
//! finds servers by DNS; `events` remembers what happened; `overview`
//! gathers the figures, `sampler` once a second, `burden` knows what plugins take
//! of the workers' time, and `series` keeps the last quarter of an hour; `live`
//! hands all that to whoever watches; `admin` answers operators.
//!
//! What is absent on purpose: nothing here is on the way of a request. Were all
//! of this to hang, traffic would flow on.

mod access;
mod access_log;
mod acme;
mod admin;
mod burden;
mod catalog;
mod certify;
mod change;
mod cluster;
mod control;
mod desired;
mod discovery;
mod edits;
mod error;
mod events;
mod files;
mod gateway;
mod handover;
mod history;
mod keeper;
mod live;
mod locate;
mod overview;
mod publisher;
mod readiness;
mod recordings;
mod registry;
mod reloads;
mod remembered;
mod resolving;
mod restart;
mod retreat;
mod roster;
mod sampler;
mod seats;
mod series;
mod session_names;
mod sharing;
mod store;
mod thread;
mod timestamp;
mod traces;
mod uploads;
mod watcher;

pub use access::{KeepError, NewToken, Role, TokenError, create_token, keep_token, revoke_token};
pub use acme::{CertificateNews, CertificateTurn};
pub use burden::{Burden, Burdened, Turn};
pub use certify::{Candidate, Judge};
pub use cluster::ClusterError;
pub use discovery::{LookUpFigures, LookUpTurn, LookedUp};
pub use error::{ReloadError, StartError};
pub use events::{Event, Happened};
pub use gateway::{Gateway, Keep, Options, Source};
pub use handover::{HandoverError, Pulse, UpgradeAsked, Upgraded};
pub use overview::{
    Faults, Overview, PluginFigures, PluginState, ServerFigures, TelemetryFigures, Totals,
};
pub use publisher::Reloaded;
pub use reloads::LastReload;
pub use store::{Entry, Numbered, Removal, Spare, Store, StoreError, TokenRecord};
pub use timestamp::Timestamp;
