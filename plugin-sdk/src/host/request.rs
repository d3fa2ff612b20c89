//! The request that is being decided. Needs no grant.
//!
//! Nothing is copied for a plugin that does not ask; each question costs about
//! 0.1 µs. Outside a decision strings are empty and options none.

use alloc::string::String;
use alloc::vec::Vec;

use super::backend::request as host;
use crate::Slot;

/// The request's id, by which logs and servers know it: 32 hexadecimal digits.
pub fn id() -> String {
    host::id()
}

/// The method as sent, such as `GET`.
pub fn method() -> String {
    host::method()
}

/// `http` or `https`, as the client spoke.
pub fn scheme() -> String {
    host::scheme()
}

/// The host that the client asked for, lower case, with its port if named.
pub fn authority() -> String {
    host::authority()
}

/// The normalised path, without the query.
pub fn path() -> String {
    host::path()
}

/// The query without its question mark.
pub fn query() -> Option<String> {
    host::query()
}

/// The first value of a header, if it is there and is UTF-8. Names are matched
/// without regard to case.
pub fn header(name: &str) -> Option<String> {
    host::header(name)
}

/// The bytes of a header's value number `index`, counted from 0.
pub fn header_bytes(name: &str, index: u32) -> Option<Vec<u8>> {
    host::header_bytes(name, index)
}

/// Whether a body follows the head.
pub fn has_body() -> bool {
    host::has_body()
}

/// The value of a cookie, without surrounding quotes.
pub fn cookie(name: &str) -> Option<String> {
    host::cookie(name)
}

/// The client's address, as the trusted proxies in front tell it, without port
/// or brackets.
pub fn client_address() -> String {
    host::client_address()
}

/// 1 for the first attempt on an endpoint, 2 for the first retry.
pub fn attempt() -> u32 {
    host::attempt()
}

/// The slots that earlier attempts of this request used, oldest first. Ask only
/// when [`attempt`] is above 1.
pub fn tried() -> Vec<Slot> {
    host::tried()
}
