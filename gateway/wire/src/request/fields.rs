//! Where the fields of a request go: lines of text for HTTP/1.1, a map for
//! HTTP/2. Which fields there are, and with what values, does not depend on it.

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::text::{has, is_control};

/// Takes fields, one after the other.
pub(super) trait Fields {
    /// Begins a field, by its name in lower case.
    fn begin(&mut self, name: &'static str);

    /// Adds to its value bytes that can stand in one.
    fn put(&mut self, bytes: &[u8]);

    /// Ends it.
    fn end(&mut self);

    /// Takes a field as it came.
    fn copy(&mut self, name: &HeaderName, value: &HeaderValue);

    /// Adds to a value a text, without its control characters.
    fn put_text(&mut self, text: &str) {
        if has(text, is_control) {
            self.put_rest_of(text);
        } else {
            self.put(text.as_bytes());
        }
    }

    /// Adds what is left of a text without its control characters; apart, since
    /// it hardly ever happens.
    #[cold]
    fn put_rest_of(&mut self, text: &str) {
        for part in text.split(|char: char| char.is_ascii_control()) {
            self.put(part.as_bytes());
        }
    }

    /// A whole field with a text.
    #[inline]
    fn put_line(&mut self, name: &'static str, text: &str) {
        self.begin(name);
        self.put_text(text);
        self.end();
    }

    /// Adds to a value all values of that name, with something between them.
    fn put_joined(&mut self, name: &str, headers: &HeaderMap, between: &[u8]) {
        for (index, value) in headers.get_all(name).iter().enumerate() {
            if index > 0 {
                self.put(between);
            }
            self.put(value.as_bytes());
        }
    }
}

impl Fields for Vec<u8> {
    #[inline]
    fn begin(&mut self, name: &'static str) {
        self.extend_from_slice(name.as_bytes());
        self.extend_from_slice(b": ");
    }

    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        self.extend_from_slice(b"\r\n");
    }

    fn copy(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.extend_from_slice(name.as_str().as_bytes());
        self.extend_from_slice(b": ");
        self.extend_from_slice(value.as_bytes());
        self.extend_from_slice(b"\r\n");
    }
}

/// A map in the making.
#[derive(Default)]
pub(super) struct Map {
    pub(super) headers: HeaderMap,
    name: Option<HeaderName>,
    value: BytesMut,
}

impl Fields for Map {
    fn begin(&mut self, name: &'static str) {
        self.name = Some(HeaderName::from_static(name));
    }

    fn put(&mut self, bytes: &[u8]) {
        self.value.extend_from_slice(bytes);
    }

    fn end(&mut self) {
        let value = HeaderValue::from_maybe_shared(self.value.split().freeze());
        // What is put has no byte that a value may not have.
        if let (Some(name), Ok(value)) = (self.name.take(), value) {
            self.headers.append(name, value);
        }
    }

    fn copy(&mut self, name: &HeaderName, value: &HeaderValue) {
        self.headers.append(name, value.clone());
    }
}
