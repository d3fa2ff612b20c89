//! The response's head: read it where there is one, and edit what the client
//! will see. Grant: `response`.
//!
//! Edits made before a response exists are kept for it.

use alloc::string::String;
use alloc::vec::Vec;

use super::backend::response as host;

/// The status; 0 while there is no response.
pub fn status() -> u16 {
    host::status()
}

/// The first value of a response header, if it is there and is UTF-8.
pub fn header(name: &str) -> Option<String> {
    host::header(name)
}

/// The bytes of a response header's value number `index`, counted from 0.
pub fn header_bytes(name: &str, index: u32) -> Option<Vec<u8>> {
    host::header_bytes(name, index)
}

/// Replace a header. Hop-by-hop and framing headers are refused.
pub fn set_header(name: &str, value: &str) {
    host::set_header(name, value);
}

/// Add a header beside others of its name.
pub fn append_header(name: &str, value: &str) {
    host::append_header(name, value);
}

/// Remove a header.
pub fn remove_header(name: &str) {
    host::remove_header(name);
}

/// Add a `Set-Cookie` header: `cookie` is its whole value, such as
/// `id=42; Path=/; HttpOnly`.
pub fn set_cookie(cookie: &str) {
    host::set_cookie(cookie);
}

/// The body of an `answer`. At most 64 KiB; more is cut.
pub fn body(content_type: &str, body: &[u8]) {
    host::body(content_type, body);
}
