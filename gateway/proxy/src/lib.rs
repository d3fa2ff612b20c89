//! The data plane: everything between a client's socket and a server's.
//!
//! A worker is one thread with its own runtime, its own listener of each
//! address, its own upstream connections and its own plugin instances; nothing
//! is shared on the way of a request but the active counts. Control happens
//! through [`DataPlane`], by messages that a worker reads between requests.
//!
//! Reading order: [`data_plane`] starts and stops workers; [`worker`] is what
//! one owns and [`current`] what requests read of it; [`group`] has a listener's sockets,
//! [`inherited`] those that listened before; [`listener`] → [`hands`] → [`connection`] → [`drive`] → [`exchange`] is the way
//! of a request; [`streams`] runs those of HTTP/2, [`http3`] is all of that over QUIC; [`decide`] asks the plugins,
//! [`admit`] keeps to the limits and [`waiting`] waits for room,
//! [`attempt`] talks to one server over [`upstream`], [`retry`] says whether
//! [`forward`] tries another, [`hedge`] asks two; [`tunnel`] carries what is no HTTP any more,
//! [`relay`] where that goes from socket to socket; [`explain`] keeps what was said
//! about some; [`mirror`] sends copies to a second pool, [`aside`] asks where nobody waits, [`fault`] does harm on
//! purpose; [`cache`] answers without a server, [`compress`] makes bodies smaller;
//! [`account`] has what [`access_log`] and [`spans`] tell of a request, which
//! [`telemetry`] hands over; [`respond`] turns failures into answers, [`come_back`] says when to
//! ask again, [`farewell`] sees to it
//! that they are read. [`prober`] checks servers from a thread of its own.

mod access_log;
mod account;
mod admit;
mod aside;
mod attempt;
mod body;
mod breaker;
mod cache;
mod come_back;
mod compress;
mod connection;
mod cors;
mod current;
mod data_plane;
mod deadlines;
mod decide;
mod drive;
mod due;
mod early;
mod edits;
mod entrance;
mod exchange;
mod explain;
mod facts;
mod failure;
mod farewell;
mod fault;
mod fill;
mod forward;
mod forward_auth;
mod group;
mod hands;
mod hash;
mod heads;
mod hedge;
mod http3;
mod identity;
mod inherited;
mod listener;
mod mirror;
mod opening;
mod outbox;
mod passthrough;
mod prober;
mod proxied;
mod redirect;
mod relay;
mod request_body;
mod resolve;
mod respond;
mod retry;
mod serve;
mod serving;
mod socket;
mod socket_file;
mod source;
mod spans;
mod streams;
mod telemetry;
mod tls;
mod trace_context;
mod tunnel;
mod under_way;
mod upload;
mod upstream;
mod waiting;
mod warming;
mod watched;
mod worker;

pub use cache::{Cache, Kept, NoUrl, Purge, Urls};
pub use data_plane::{Applied, BindError, Bound, DataPlane, InForce};
pub use explain::{Explanation, Explanations, HEADER as EXPLAIN_HEADER, IsToken};
pub use gatewright_wire::trace_context::TraceId;
pub use hash::address as key_of_client;
pub use inherited::{Inheritance, Inherited, InheritedDatagrams, Managed, ResetKey};
pub use prober::{CircuitChange, HealthChange, News, PanicChange, Prober, Suspects};
pub use resolve::resolve;
pub use spans::{Recorded, Span, SpanKind, SpanValue};
pub use telemetry::{Lines, Queued, Takers, Telemetry, TelemetryCounts, ToLog};
pub use tls::{
    Anyone, ByHttp, ByTls, Challenges, Shown, ShownFrom, TlsConfigs, TlsError, TlsRefusal,
    admin_server_config, authorities, kept_certificate, system_authorities,
};
