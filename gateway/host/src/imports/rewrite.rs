//! `rewrite`: change what the server will see.

use gatewright_model::role::Role;

use super::edits;
use crate::contract::imports::rewrite::Host;
use crate::guest::Guest;
use crate::view::Edit;

impl Guest {
    /// Routers and request policies rewrite; for others it is too late.
    fn rewrite(&mut self, edit: Edit) {
        if matches!(self.binding.role(), Role::Router | Role::RequestPolicy) {
            self.edit(edit);
        }
    }

    pub(crate) fn set_request_header(&mut self, name: &str, value: String) {
        let name = match self.names.checked(name) {
            Ok(name) => name,
            Err(reason) => return self.warn(format!("rewrite.set-header: {reason}")),
        };
        match edits::header_value(&name, &value) {
            Ok(()) => self.rewrite(Edit::SetRequestHeader { name, value }),
            // What the client wrote there must not pass for the plugin's.
            Err(reason) => {
                self.warn(format!("rewrite.set-header: {reason}"));
                self.rewrite(Edit::RemoveRequestHeader(name));
            }
        }
    }

    pub(crate) fn append_request_header(&mut self, name: &str, value: String) {
        match self.names.header(name, value) {
            Ok((name, value)) => self.rewrite(Edit::AppendRequestHeader { name, value }),
            Err(reason) => self.warn(format!("rewrite.append-header: {reason}")),
        }
    }

    pub(crate) fn remove_request_header(&mut self, name: &str) {
        match self.names.checked(name) {
            Ok(name) => self.rewrite(Edit::RemoveRequestHeader(name)),
            Err(reason) => self.warn(format!("rewrite.remove-header: {reason}")),
        }
    }
}

impl Host for Guest {
    fn path(&mut self, path: String) {
        match is_one_line(&path) && path.starts_with('/') {
            true => self.rewrite(Edit::Path(path)),
            false => self.warn(format!("rewrite.path: {path:?} is not a path")),
        }
    }

    fn query(&mut self, query: Option<String>) {
        match query.as_deref().is_none_or(is_one_line) {
            true => self.rewrite(Edit::Query(query)),
            false => self.warn(format!("rewrite.query: {query:?} is not a query")),
        }
    }

    fn authority(&mut self, authority: String) {
        let is_host = is_one_line(&authority) && !authority.contains(['/', '@', '?', '#']);
        match is_host && !authority.is_empty() {
            true => self.rewrite(Edit::Authority(authority)),
            false => self.warn(format!("rewrite.authority: {authority:?} is not a host")),
        }
    }

    fn set_header(&mut self, name: String, value: String) {
        self.set_request_header(&name, value);
    }

    fn append_header(&mut self, name: String, value: String) {
        self.append_request_header(&name, value);
    }

    fn remove_header(&mut self, name: String) {
        self.remove_request_header(&name);
    }
}

/// Whether a text can stand in a request's first line.
fn is_one_line(text: &str) -> bool {
    !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
}
