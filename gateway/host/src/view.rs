//! How a decision sees the exchange that it decides about, and what it may ask
//! to be done with it. The host knows no HTTP types: whoever owns the exchange
//! implements [`ExchangeView`].

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use gatewright_model::id::{PoolIndex, Slot};
use smallvec::SmallVec;

use crate::cookies::Cookie;
use crate::trace::Trace;

/// One request and, once there is one, the head of its response.
///
/// What is not said otherwise is that of a plain request: a `GET` of `/` that has
/// tried nobody and has no response.
pub trait ExchangeView: Any + Send {
    /// The request's id: 32 hexadecimal digits.
    fn id(&self) -> &str {
        "00000000000000000000000000000000"
    }
    /// The method as sent.
    fn method(&self) -> &str {
        "GET"
    }
    /// `http` or `https`, as the client spoke.
    fn scheme(&self) -> &str {
        "https"
    }
    /// The host that the client asked for, lower case, with its port if named.
    fn authority(&self) -> &str {
        "localhost"
    }
    /// The normalised path, without the query.
    fn path(&self) -> &str {
        "/"
    }
    /// The query without its question mark.
    fn query(&self) -> Option<&str> {
        None
    }
    /// A request header's value number `index`, counted from 0. The name may
    /// come in any case.
    fn header(&self, _name: &str, _index: usize) -> Option<&[u8]> {
        None
    }
    /// Whether a body follows the head.
    fn has_body(&self) -> bool {
        false
    }
    /// The value of a cookie, without surrounding quotes.
    fn cookie(&self, _name: &str) -> Option<&str> {
        None
    }
    /// The client's address, as the trusted proxies in front tell it.
    fn client_address(&self) -> IpAddr {
        Ipv4Addr::LOCALHOST.into()
    }
    /// 1 for the first attempt on an endpoint, 2 for the first retry.
    fn attempt(&self) -> u32 {
        self.tried().len() as u32 + 1
    }
    /// The slots that earlier attempts used, oldest first.
    fn tried(&self) -> &[Slot] {
        &[]
    }
    /// The response's status; 0 while there is none.
    fn response_status(&self) -> u16 {
        0
    }
    /// A response header's value number `index`, counted from 0.
    fn response_header(&self, _name: &str, _index: usize) -> Option<&[u8]> {
        None
    }
    /// Where decisions leave what they ask for.
    fn effects(&mut self) -> &mut Effects;
    /// The same exchange for somebody whose edits do not count.
    fn copy(&self) -> Box<dyn ExchangeView>;
}

/// Method, authority and path of an exchange.
pub(crate) fn head(view: Option<&dyn ExchangeView>) -> [&str; 3] {
    view.map_or([""; 3], |view| {
        [view.method(), view.authority(), view.path()]
    })
}

/// The exchange while a decision has it: taken into the instance's store for
/// the call and put back, also after a trap. Moving it costs no allocation.
pub type Lent = Option<Box<dyn ExchangeView>>;

/// What decisions asked for beside their answer. It gathers over the life of
/// an exchange; whoever acts on a part of it takes that part out.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// The endpoint to use if the pick cannot be, or for the next attempt.
    pub second_choice: Option<Slot>,
    /// Why it was decided so; at most 256 bytes.
    pub reason: Option<String>,
    /// How long the request may take in all; the shortest that was asked for.
    pub timeout: Option<Duration>,
    /// How many more endpoints may be asked after the next attempt; the least that
    /// was asked for.
    pub retries: Option<u32>,
    /// After what time a second endpoint is to be asked beside the next one.
    pub hedge_after: Option<Duration>,
    /// Whether the affinity wants to see the response although it named the
    /// endpoint.
    pub call_bind: bool,
    /// Changes to the request and the response, in the order asked for.
    pub edits: Edits,
    /// What settles whether a canary decides about this exchange; drawn when
    /// that is first asked.
    pub lot: Option<u32>,
    /// Whether a canary that was to decide about it had no answer: then it is
    /// no canary's any more.
    pub is_given_up: bool,
    /// Where each decision is written down, for an exchange that is explained.
    pub trace: Option<Box<Trace>>,
}

/// What plugins want changed; most exchanges have nothing or a cookie.
pub type Edits = SmallVec<[Edit; 1]>;

/// A change to the request that the server will see, or to the response that
/// the client will see. Header names are lower-case tokens that are neither
/// hop-by-hop nor framing, and values hold no control characters: the host
/// refuses others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Send this path, to be normalised again; the query is kept.
    Path(String),
    /// Send this query; none removes it.
    Query(Option<String>),
    /// Send this host.
    Authority(String),
    /// Replace a request header.
    SetRequestHeader {
        /// Its name.
        name: Arc<str>,
        /// Its only value.
        value: String,
    },
    /// Add a request header beside others of its name.
    AppendRequestHeader {
        /// Its name.
        name: Arc<str>,
        /// One more value.
        value: String,
    },
    /// Remove a request header.
    RemoveRequestHeader(Arc<str>),
    /// Replace a response header.
    SetResponseHeader {
        /// Its name.
        name: Arc<str>,
        /// Its only value.
        value: String,
    },
    /// Add a response header beside others of its name.
    AppendResponseHeader {
        /// Its name.
        name: Arc<str>,
        /// One more value.
        value: String,
    },
    /// Remove a response header.
    RemoveResponseHeader(Arc<str>),
    /// Add a `Set-Cookie` header with this value.
    SetCookie(Arc<Cookie>),
    /// The body of the gateway's own answer.
    Body {
        /// Its media type.
        content_type: String,
        /// Its bytes, at most 64 KiB.
        body: Vec<u8>,
    },
}

/// What a router decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To a pool of the snapshot.
    Forward(PoolIndex),
    /// Nowhere: answer with this status, 200 to 599.
    Answer(u16),
    /// No route matches.
    Unmatched,
}

/// What a request policy decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request goes on.
    Proceed,
    /// Answer with this status, 200 to 599.
    Answer(u16),
}

/// What a plugin answered, in whatever role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A request policy's.
    Verdict(Verdict),
    /// The router's.
    Route(Route),
    /// An affinity's or a balancer's; none when it has no opinion.
    Endpoint(Option<Slot>),
    /// Nothing is asked back.
    Done,
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Self {
        Self::Verdict(verdict)
    }
}

impl From<Route> for Answer {
    fn from(route: Route) -> Self {
        Self::Route(route)
    }
}

impl From<Option<Slot>> for Answer {
    fn from(slot: Option<Slot>) -> Self {
        Self::Endpoint(slot)
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::Done
    }
}

/// How an attempt on an endpoint ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A response head arrived and its body was passed on whole.
    Completed,
    /// The connection could not be made.
    ConnectFailed,
    /// The connection closed or was reset before a whole response arrived.
    Broken,
    /// A deadline of the gateway passed.
    TimedOut,
    /// The client left before the end.
    Abandoned,
}

/// One finished attempt on an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The endpoint that was tried.
    pub slot: Slot,
    /// How it ended.
    pub ending: Ending,
    /// The response's status, 0 when no response head arrived.
    pub status: u16,
    /// From sending the request's head to the response's head, in
    /// microseconds; until the failure when there was no response.
    pub first_byte_us: u32,
    /// From the same moment to the end of the response's body, or to the failure,
    /// in microseconds.
    pub duration_us: u32,
    /// What settled who decided about the exchange ([`Effects::lot`]).
    pub lot: Option<u32>,
}
