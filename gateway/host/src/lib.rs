//! The plugin host: it runs the WebAssembly components that make every decision
//! of the gateway, within budgets, and says at once when one has no answer.
//!
//! Reading order: [`view`] is how a decision sees an exchange; `occupant` makes one
//! decision, `seat` says which of several versions does, `chain` holds a worker's
//! seats and `trace` writes down what they said; `instance` is a running plugin and
//! `guest` the data that its imports (`imports/`) work on, given `cookies`
//! included; `lanes` are the two ways into it, through the component model or
//! `direct`. `host` and `preparation` turn a snapshot into a plan and what each
//! worker needs; `admission`, `trial`, `compile`, `code` and `cache` stand between
//! a file and a `version`, which `shelf` and `library` keep and `intake` takes in;
//! `binding`, `window`, `ticker` and `preparer` hold faults in check, `backtrace`
//! words them, and `plain` is how a plugin's words are shown. `recording` writes
//! down what a balancer was handed, and `rehearsal` hands it to another;
//! `remembered` is what outlives the process, `replica` what several gateways
//! share, and `lease` what each of them may give of a shared limit. Time and
//! randomness are the machine's, or those of a simulation (`simulated`), how tables
//! `spread` their keys included.
//!
//! What is absent on purpose: no HTTP types, no async, no network. A decision
//! takes no lock, asks no clock (one in 64 is timed) and leaves its thread
//! never.

mod about;
mod admission;
mod backtrace;
mod binding;
mod cache;
mod chain;
mod code;
mod column;
mod compile;
mod contract;
mod cookies;
mod defaults;
mod direct;
mod drafts;
mod engine;
mod event;
mod fault;
mod figures;
mod guest;
mod host;
mod imports;
mod instance;
mod intake;
mod journal;
mod lanes;
mod lease;
mod library;
mod limits;
mod occupant;
mod patience;
mod plain;
mod plan;
mod preparation;
mod preparer;
mod recording;
mod rehearsal;
mod remembered;
mod replica;
mod seat;
mod sessions;
mod shared;
mod shelf;
mod simulated;
mod space;
mod spread;
mod statistics;
mod sticking;
mod ticker;
mod trace;
mod trial;
mod trust;
mod version;
pub mod view;
mod window;

pub use about::About;
pub use admission::{COMPONENT_BYTES, Refusal};
pub use binding::{Binding, Choices, Part, Place};
pub use chain::{Chain, ChainUpdate, PolicySeat, PoolSeats};
pub use compile::{COMPILATION, CompileError, Compiler, Means, compile, lower_limits};
pub use contract::{PACKAGE, VERSION as CONTRACT_VERSION};
pub use cookies::Cookie;
pub use defaults::{DefaultPlugin, defaults};
pub use event::{Happening, HostEvent};
pub use fault::Fault;
pub use figures::{Figure, Figures};
pub use host::{Host, HostError, HostOptions};
pub use intake::Component;
pub use journal::{Journal, Level, LogEntry};
#[doc(hidden)]
pub use lanes::Lanes;
pub use plain::plainly;
pub use plan::{Plan, PrepareError, Prepared};
pub use recording::{
    Asked, Call, FORMAT as RECORDING_FORMAT, Header, Heard, HeardEnding, Line, Member, Pick,
    Recorded, Recording, RecordingError, RecordingOptions, read as read_recording,
};
pub use rehearsal::{Played, Rehearsal};
pub use remembered::{Remembered, RememberedError, Written};
pub use replica::{Changes, Replica, Share};
pub use seat::Seat;
pub use sessions::{Session, Sessions};
pub use simulated::Simulated;
pub use statistics::SeatCounters;
pub use trace::{Step, Trace};
pub use trust::{Brought, signature_beside};
pub use view::{Answer, Edit, Edits, Effects, Ending, ExchangeView, Lent, Outcome, Route, Verdict};
