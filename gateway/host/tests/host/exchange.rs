//! An exchange of which a test, or a bench, says what plugins may ask.

use std::net::{IpAddr, Ipv4Addr};

use gatewright_host::{Edit, Effects, ExchangeView, Lent};

/// A request, and what is answered to it.
#[derive(Clone)]
pub(crate) struct Exchange {
    method: &'static str,
    path: String,
    client: Ipv4Addr,
    headers: Vec<(String, String)>,
    cookie: Option<(String, String)>,
    has_body: bool,
    status: u16,
    answered: Vec<(String, String)>,
    effects: Effects,
}

fn find<'a>(headers: &'a [(String, String)], name: &str, index: usize) -> Option<&'a [u8]> {
    let mut values = headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name));
    values.nth(index).map(|(_, value)| value.as_bytes())
}

impl ExchangeView for Exchange {
    fn method(&self) -> &str {
        self.method
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn header(&self, name: &str, index: usize) -> Option<&[u8]> {
        find(&self.headers, name, index)
    }

    fn has_body(&self) -> bool {
        self.has_body
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let (known, value) = self.cookie.as_ref()?;
        (known == name).then_some(value)
    }

    fn client_address(&self) -> IpAddr {
        IpAddr::V4(self.client)
    }

    fn response_status(&self) -> u16 {
        self.status
    }

    fn response_header(&self, name: &str, index: usize) -> Option<&[u8]> {
        find(&self.answered, name, index)
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}

impl Exchange {
    /// A client, by the number that is its address, gets a path.
    pub(crate) fn new(client: u32, path: &str) -> Self {
        Self {
            method: "GET",
            path: path.to_owned(),
            client: Ipv4Addr::from(client),
            headers: Vec::new(),
            cookie: None,
            has_body: false,
            status: 0,
            answered: Vec::new(),
            effects: Effects::default(),
        }
    }

    /// By another method, and maybe with a body.
    pub(crate) fn sent_by(mut self, method: &'static str, has_body: bool) -> Self {
        self.method = method;
        self.has_body = has_body;
        self
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a cookie, if there is one.
    pub(crate) fn with_cookie(mut self, cookie: Option<&(String, String)>) -> Self {
        self.cookie = cookie.cloned();
        self
    }

    /// A server has answered with this status.
    pub(crate) fn answered(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// With one more header in its response.
    pub(crate) fn answered_with(mut self, name: &str, value: &str) -> Self {
        self.answered.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As decisions have it.
    pub(crate) fn lent(self) -> Lent {
        Some(Box::new(self))
    }
}

/// What decisions have asked for.
pub(crate) fn edits(lent: &mut Lent) -> Vec<Edit> {
    lent.as_mut().unwrap().effects().edits.to_vec()
}

/// The cookie that a client is given, as name and value.
pub(crate) fn given(edits: &[Edit]) -> Option<(String, String)> {
    let cookie = edits.iter().find_map(|edit| match edit {
        Edit::SetCookie(cookie) => Some(cookie.as_str()),
        _ => None,
    })?;
    let (name, value) = cookie.split(';').next()?.split_once('=')?;
    Some((name.to_owned(), value.to_owned()))
}
