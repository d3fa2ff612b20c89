//! `response`: the response's head, and the body of an answer.

use std::borrow::Cow;
use std::sync::Arc;

use super::edits;
use super::request::View;
use crate::contract::imports::response::Host;
use crate::cookies::Cookie;
use crate::guest::Guest;
use crate::view::{Edit, ExchangeView};

/// Bytes of an answer's body; the rest is cut.
const BODY_BYTES: usize = 64 << 10;

pub(crate) fn header<'v>(view: View<'v>, name: &str) -> Option<Cow<'v, str>> {
    let value = view?.response_header(name, 0)?;
    std::str::from_utf8(value).ok().map(Cow::Borrowed)
}

pub(crate) fn header_bytes<'v>(
    view: View<'v>,
    (name, index): (&str, u32),
) -> Option<Cow<'v, [u8]>> {
    let value = view?.response_header(name, index as usize)?;
    Some(Cow::Borrowed(value))
}

/// What edits headers, by names that nobody need have a copy of.
impl Guest {
    pub(crate) fn set_response_header(&mut self, name: &str, value: String) {
        let name = match self.names.checked(name) {
            Ok(name) => name,
            Err(reason) => return self.warn(format!("response.set-header: {reason}")),
        };
        match edits::header_value(&name, &value) {
            Ok(()) => self.edit(Edit::SetResponseHeader { name, value }),
            // What the server wrote there must not pass for the plugin's.
            Err(reason) => {
                self.warn(format!("response.set-header: {reason}"));
                self.edit(Edit::RemoveResponseHeader(name));
            }
        }
    }

    pub(crate) fn append_response_header(&mut self, name: &str, value: String) {
        match self.names.header(name, value) {
            Ok((name, value)) => self.edit(Edit::AppendResponseHeader { name, value }),
            Err(reason) => self.warn(format!("response.append-header: {reason}")),
        }
    }

    pub(crate) fn remove_response_header(&mut self, name: &str) {
        match self.names.checked(name) {
            Ok(name) => self.edit(Edit::RemoveResponseHeader(name)),
            Err(reason) => self.warn(format!("response.remove-header: {reason}")),
        }
    }
}

impl Host for Guest {
    fn status(&mut self) -> u16 {
        self.view().map_or(0, ExchangeView::response_status)
    }

    fn header(&mut self, name: String) -> Option<String> {
        header(self.view(), &name).map(Cow::into_owned)
    }

    fn header_bytes(&mut self, name: String, index: u32) -> Option<Vec<u8>> {
        header_bytes(self.view(), (&name, index)).map(Cow::into_owned)
    }

    fn set_header(&mut self, name: String, value: String) {
        self.set_response_header(&name, value);
    }

    fn append_header(&mut self, name: String, value: String) {
        self.append_response_header(&name, value);
    }

    fn remove_header(&mut self, name: String) {
        self.remove_response_header(&name);
    }

    fn set_cookie(&mut self, cookie: String) {
        match edits::header_value("set-cookie", &cookie) {
            Ok(()) => {
                let cookie = Arc::new(Cookie::new(cookie));
                self.cookies.remember(&cookie);
                self.edit(Edit::SetCookie(cookie));
            }
            Err(reason) => self.warn(format!("response.set-cookie: {reason}")),
        }
    }

    fn body(&mut self, content_type: String, mut body: Vec<u8>) {
        body.truncate(BODY_BYTES);
        match edits::header_value("content-type", &content_type) {
            Ok(()) => self.edit(Edit::Body { content_type, body }),
            Err(reason) => self.warn(format!("response.body: {reason}")),
        }
    }
}
