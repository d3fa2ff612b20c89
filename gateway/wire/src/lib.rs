//! The bytes of strangers, as pure functions: what servers and clients send is
//! parsed, checked and written anew here, without a socket, a runtime or a
//! clock, so that all of it is fuzzed and measured alone.
//!
//! In the order in which an exchange meets them:
//!
//! - [`proxy_header`]: whom a proxy in front connects for
//! - [`path`]: the one form of a path that routers judge and servers get
//! - [`cookie`]: one cookie out of a `Cookie` header
//! - [`forwarded`]: the client's address behind trusted proxies
//! - [`names`]: headers that servers cannot tell from one another
//! - [`hop`]: headers that belong to one connection only
//! - [`http3`]: the frames of an HTTP/3 request
//! - [`grpc`]: deadlines and failures of gRPC's calls
//! - [`upgrade`]: which other protocol a request asks to switch to
//! - [`trace_context`]: the place of a request in a trace
//! - [`request_id`]: the id by which a request is found again
//! - [`request`]: the head of an upstream request
//! - [`chunk`]: the body of such a request, when its length is not known
//! - [`response`]: the head of an upstream response and how its body is framed
//! - [`body`]: that body, slice by slice

pub mod body;
pub mod chunk;
pub mod cookie;
mod fields;
pub mod forwarded;
pub mod grpc;
pub mod hop;
pub mod http3;
pub mod names;
pub mod path;
pub mod proxy_header;
pub mod request;
pub mod request_id;
pub mod response;
pub mod trace_context;
pub mod upgrade;

pub use body::{BodyDecoder, BodyError, Decoded};
pub use request::{
    Forwarding, RequestFraming, Told, UpstreamHead, encode_head, http2_fields, is_claim,
    strip_trailers, target,
};
pub use request_id::RequestId;
pub use response::{Asked, HeadError, HeadLimits, HeadParser, ResponseFraming, ResponseHead};
