//! Change what the server will see. Grant: `rewrite`. For routers and request
//! policies.

use super::backend::rewrite as host;

/// The path to send, normalised again by the gateway; the query is kept.
pub fn path(path: &str) {
    host::path(path);
}

/// The query to send, without a question mark; none removes it.
pub fn query(query: Option<&str>) {
    host::query(query);
}

/// The host to send.
pub fn authority(authority: &str) {
    host::authority(authority);
}

/// Replace a request header. Hop-by-hop and framing headers are refused.
pub fn set_header(name: &str, value: &str) {
    host::set_header(name, value);
}

/// Add a request header beside others of its name.
pub fn append_header(name: &str, value: &str) {
    host::append_header(name, value);
}

/// Remove a request header.
pub fn remove_header(name: &str) {
    host::remove_header(name);
}
