//! One exchange as the decisions see it: the request, what was tried, and what
//! the plugins want changed.

mod blank;
mod held;
mod refusal;
mod survey;
mod target;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gatewright_host::{Edits, Effects, ExchangeView};
use gatewright_model::config::Upgrades;
use gatewright_model::id::Slot;
use gatewright_wire::{RequestId, Told, cookie, grpc, hop, names, path, upgrade};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Uri, Version};
use smallvec::SmallVec;

use crate::account::Noted;
use crate::connection::Client;
use crate::explain::Answerer;
use crate::fill::fill;
use crate::identity;
use crate::source::Source;
use survey::Survey;
use target::{authority, has_path};

pub(crate) use held::{Held, Places};
pub(crate) use refusal::Refusal;
pub(crate) use target::is_host;

/// What decisions go by where a client has no address, having come by a Unix
/// socket: the unspecified address, which nobody connects from (RFC 4291 §2.5.2).
const NO_ADDRESS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// The facts of an exchange.
#[derive(Clone)]
pub(crate) struct Facts {
    /// When the request's head had been read.
    pub(crate) started: Instant,
    /// When a server's response head had been read.
    pub(crate) responded: Option<Instant>,
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    uri: Uri,
    /// The normalised path, where it differs from the URI's.
    path: Option<String>,
    /// The query, where a plugin replaced it.
    query: Option<Option<String>>,
    /// The host that the server will see, in lower case unless a plugin gave it.
    authority: Arc<str>,
    /// What the client asked for, where a plugin has replaced it.
    asked: Option<Arc<str>>,
    /// Forwarding headers that a plugin has set: they are sent as they stand.
    pub(crate) vouched: Vec<HeaderName>,
    /// Headers that others than the client have set or removed, where the client
    /// might speak of them again behind its body.
    pub(crate) settled: Vec<HeaderName>,
    has_body: bool,
    /// Whether there may be cookies among the headers: most who have none are asked
    /// for one.
    has_cookies: bool,
    /// Whether the client has come with credentials that have been taken off since, or
    /// another has said who it is.
    pub(crate) is_known: bool,
    /// The protocol that the client wants to switch to.
    pub(crate) upgrade: Option<Box<str>>,
    scheme: &'static str,
    /// How long it was waited for somebody before servers are turned to.
    pub(crate) waited: Duration,
    client: IpAddr,
    /// The client's address as text, where it is not the peer's.
    client_text: Option<String>,
    pub(crate) id: RequestId,
    pub(crate) tried: SmallVec<[Slot; 4]>,
    /// In how many seconds the client may come back, if it gets no answer.
    pub(crate) come_back: u8,
    /// How many servers may be tried at the most, as plugins have it.
    pub(crate) most_attempts: u32,
    pub(crate) effects: Effects,
    /// Edits of the response's head, kept until there is one.
    pub(crate) response_edits: Edits,
    /// Whether there may be a header that asks for an explanation.
    pub(crate) asks_why: bool,
    /// Who answered, where that is to be explained.
    pub(crate) answerer: Option<Box<Answerer>>,
    /// What is noted of the request, where somebody is told of it.
    pub(crate) noted: Noted,
    /// The response's status while a plugin looks at its head.
    pub(crate) status: Option<StatusCode>,
    /// The response's headers meanwhile, and none else.
    pub(crate) response: HeaderMap,
}

impl Facts {
    /// Take in a request's head; `has_body` if one follows.
    pub(crate) fn read(
        client: &Client,
        mut parts: Parts,
        has_body: bool,
        started: Instant,
    ) -> Result<Box<Self>, Refusal> {
        if parts.headers.len() > client.max_headers() {
            return Err(Refusal::TooManyHeaders);
        }
        if parts.version >= Version::HTTP_2 && parts.headers.values().any(is_padded) {
            return Err(Refusal::Padded);
        }
        if has_body && !is_known_coding(&parts.headers) {
            return Err(Refusal::Coding);
        }
        let mut survey = Survey::of(&parts.headers);
        let connection = survey.connection;
        if connection.lists_names {
            hop::strip_listed(&mut parts.headers);
            survey = Survey::of(&parts.headers);
        }
        let authority = authority(client, &parts, survey);
        let (has_claims, asks_why) = (survey.has_identity, survey.asks_why);
        let has_cookies = survey.has_cookies;
        let upgrade = match (&parts.method, parts.version) {
            (&Method::CONNECT, _) => Some(as_upgrade(&mut parts, client)?),
            (_, Version::HTTP_11) if !has_body => {
                let asked = upgrade::asked(&parts.headers, connection);
                asked
                    .filter(|asked| Upgrades::may_name(asked))
                    .map(Box::from)
            }
            _ => None,
        };
        let authority = authority?;
        if !has_path(&parts) {
            return Err(path::PathError::NotAbsolute.into());
        }
        let path = match path::normalise(parts.uri.path())? {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(normal) => Some(normal),
        };
        let vouched = identity::introduce(client, &mut parts.headers, has_claims);
        let address = client.address_of_client(&parts.headers);
        let told = address.filter(|_| address != client.peer());
        let client_text = told.map(|address| address.to_string());
        let mut facts = client.worker.places.take(started);
        facts.started = started;
        facts.method = parts.method;
        facts.version = parts.version;
        debug_assert_eq!(facts.headers.capacity(), 0, "it owns nothing");
        fill(&mut facts.headers, parts.headers);
        fill(&mut facts.uri, parts.uri);
        facts.path = path;
        facts.authority = authority;
        facts.vouched.extend(vouched);
        facts.has_body = has_body;
        facts.has_cookies = has_cookies;
        facts.upgrade = upgrade;
        facts.scheme = client.entrance().scheme();
        facts.client = address.unwrap_or(NO_ADDRESS);
        facts.client_text = client_text;
        facts.id = RequestId::from(client.worker.random.borrow_mut().u128(..));
        facts.asks_why = asks_why;
        Ok(facts)
    }

    /// What is known of a connection that is passed on as it comes: the name that
    /// the client asks for.
    pub(crate) fn of_connection(client: &Client, name: &str) -> Result<Box<Self>, Refusal> {
        let mut request = http::Request::new(());
        *request.uri_mut() = Uri::from_static("/");
        let host = HeaderValue::try_from(name).map_err(|_| Refusal::Host)?;
        request.headers_mut().insert(header::HOST, host);
        let (parts, ()) = request.into_parts();
        let mut facts = Self::read(client, parts, false, Instant::now())?;
        facts.method = Method::CONNECT;
        facts.scheme = "https";
        Ok(facts)
    }

    /// Replace the path; a malformed one is refused and changes nothing.
    pub(crate) fn set_path(&mut self, path: &str) -> Result<(), path::PathError> {
        self.path = Some(path::normalise(path)?.into_owned());
        Ok(())
    }

    /// Replace or remove the query.
    pub(crate) fn set_query(&mut self, query: Option<String>) {
        self.query = Some(query);
    }

    /// Replace the authority that the server will see.
    pub(crate) fn set_authority(&mut self, authority: String) {
        let before = std::mem::replace(&mut self.authority, authority.into());
        self.asked.get_or_insert(before);
    }

    /// Let a forwarding header be sent as it stands: it is the operator's word,
    /// whoever the peer is.
    pub(crate) fn vouch(&mut self, name: &HeaderName) {
        if gatewright_wire::is_claim(name) && !self.vouched.contains(name) {
            self.vouched.push(name.clone());
        }
    }

    /// Set a header, in the place of whatever the client says under its name.
    pub(crate) fn set_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.remove_header(&name);
        self.vouch(&name);
        self.has_cookies |= name == header::COOKIE;
        self.headers.insert(name, value);
    }

    /// Add a header beside those of its name.
    pub(crate) fn append_header(&mut self, name: HeaderName, value: HeaderValue) {
        if gatewright_wire::is_claim(&name) && !self.vouched.contains(&name) {
            // Or the client's own word would be sent as the operator's.
            self.remove_header(&name);
        }
        self.vouch(&name);
        self.settle(&name);
        self.has_cookies |= name == header::COOKIE;
        self.headers.append(name, value);
    }

    /// Remove a header, in every spelling: a server that cannot tell `X_User` from
    /// `X-User` must not take the client's word for another's.
    pub(crate) fn remove_header(&mut self, name: &HeaderName) {
        self.is_known |= *name == header::AUTHORIZATION && self.headers.contains_key(name);
        names::remove(&mut self.headers, name.as_str());
        self.vouched
            .retain(|vouched| !names::is_same(vouched.as_str(), name.as_str()));
        self.settle(name);
    }

    /// Let the client say no more of a header behind its body.
    fn settle(&mut self, name: &HeaderName) {
        if self.has_body && !self.settled.contains(name) {
            self.settled.push(name.clone());
        }
    }

    /// Whether servers may answer for one user alone: the client has said or proved who
    /// it is, or another has said it.
    pub(crate) fn is_authorised(&self) -> bool {
        self.is_known
            || self.headers.contains_key(header::AUTHORIZATION)
            || identity::is_told(&self.headers)
    }

    /// The authority that the client asked for.
    pub(crate) fn asked_authority(&self) -> &str {
        self.authorities().1
    }

    /// The authority that the server will see, and the one that the client asked for.
    pub(crate) fn authorities(&self) -> (&str, &str) {
        let authority = self.authority();
        (authority, self.asked.as_deref().unwrap_or(authority))
    }

    /// The client's address as text, if it has one.
    pub(crate) fn client_text<'a>(&'a self, source: &'a Source) -> Option<&'a str> {
        let text = self.client_text.as_deref();
        text.or(source.peer_text.as_deref())
    }

    /// What servers are told of the client in each of its requests, if it is the peer.
    pub(crate) fn told<'a>(&self, source: &'a Source) -> Option<&'a Told> {
        self.client_text.is_none().then_some(&source.told)
    }

    /// Whether it is a call of gRPC.
    pub(crate) fn is_call(&self) -> bool {
        grpc::is_call(self.version, &self.method, &self.headers)
    }

    /// How long the client of a gRPC call waits.
    pub(crate) fn call_timeout(&self) -> Option<Duration> {
        if !self.is_call() {
            return None;
        }
        let timeout = self.headers.get("grpc-timeout")?;
        grpc::timeout(timeout.as_bytes())
    }

    /// The protocol of the tunnel that an HTTP/2 client wants, which has no use
    /// for any other success.
    pub(crate) fn wants_tunnel(&self) -> Option<&str> {
        let upgrade = self.upgrade.as_deref();
        upgrade.filter(|_| self.version == Version::HTTP_2)
    }

    /// Whether doing it twice is the same as doing it once (RFC 9110 §9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }
}

/// Whether a body is coded as chunks and in no other way, or not at all: what
/// goes on to servers is chunks alone.
fn is_known_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// Whether a value has a space or a tab around it, which HTTP/1.1 trims and
/// HTTP/2 and HTTP/3 forbid (RFC 9113 §8.2.1).
fn is_padded(value: &HeaderValue) -> bool {
    let ends = [value.as_bytes().first(), value.as_bytes().last()];
    ends.into_iter()
        .flatten()
        .any(|byte| matches!(byte, b' ' | b'\t'))
}

/// What an HTTP/2 client asks to switch to, by an extended CONNECT (RFC 8441):
/// from here on the request is the GET that it would have been over HTTP/1.1.
/// An ordinary CONNECT is refused.
fn as_upgrade(parts: &mut Parts, client: &Client) -> Result<Box<str>, Refusal> {
    let protocol = parts.extensions.remove::<hyper::ext::Protocol>();
    let protocol = protocol.ok_or(Refusal::Connect)?;
    if !Upgrades::may_name(protocol.as_str()) {
        return Err(Refusal::Protocol);
    }
    parts.method = Method::GET;
    if protocol.as_str().eq_ignore_ascii_case("websocket") {
        // Over HTTP/2 there is none, and HTTP/1.1 servers want one.
        let nonce = client.worker.random.borrow_mut().u128(..).to_ne_bytes();
        if let Ok(key) = HeaderValue::try_from(BASE64_STANDARD.encode(nonce)) {
            parts.headers.insert(header::SEC_WEBSOCKET_KEY, key);
        }
    }
    Ok(Box::from(protocol.as_str()))
}

impl ExchangeView for Facts {
    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn scheme(&self) -> &str {
        self.scheme
    }

    fn authority(&self) -> &str {
        &self.authority
    }

    fn path(&self) -> &str {
        self.path.as_deref().unwrap_or_else(|| self.uri.path())
    }

    fn query(&self) -> Option<&str> {
        match &self.query {
            Some(replaced) => replaced.as_deref(),
            None => self.uri.query(),
        }
    }

    fn header(&self, name: &str, index: usize) -> Option<&[u8]> {
        let values = self.headers.get_all(name);
        values.iter().nth(index).map(http::HeaderValue::as_bytes)
    }

    fn has_body(&self) -> bool {
        self.has_body
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        if !self.has_cookies {
            return None;
        }
        let values = self.headers.get_all(header::COOKIE).iter();
        values
            .into_iter()
            .find_map(|value| cookie::find(value.as_bytes(), name))
    }

    fn client_address(&self) -> IpAddr {
        self.client
    }

    fn attempt(&self) -> u32 {
        self.tried.len() as u32 + 1
    }

    fn tried(&self) -> &[Slot] {
        &self.tried
    }

    fn response_status(&self) -> u16 {
        self.status.map_or(0, |status| status.as_u16())
    }

    fn response_header(&self, name: &str, index: usize) -> Option<&[u8]> {
        let name = HeaderName::try_from(name).ok()?;
        let mut values = self.response.get_all(name).iter();
        values.nth(index).map(http::HeaderValue::as_bytes)
    }

    fn effects(&mut self) -> &mut Effects {
        &mut self.effects
    }

    fn copy(&self) -> Box<dyn ExchangeView> {
        Box::new(self.clone())
    }
}
