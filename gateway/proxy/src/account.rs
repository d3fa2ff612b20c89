//! What is noted of a request on its way, for whoever is told of it when it has
//! ended: the access log and traces. A request that nobody is told of has none.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use gatewright_host::Ending;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use smallvec::SmallVec;

use crate::connection::Client;
use crate::current::Current;
use crate::failure::Failure;
use crate::trace_context::Context;

/// Bytes of names that most requests note: a pool, a server, three plugins.
const USUAL_NAMES: usize = 160;

/// The account of one request.
#[derive(Debug)]
pub(crate) struct Account {
    /// When its head had been read.
    pub(crate) at: SystemTime,
    /// What the client asked for, whatever plugins made of it.
    pub(crate) asked: Asked,
    /// Whether it may have a line in the access log whatever comes of it.
    pub(crate) is_drawn: bool,
    /// Its place in a trace, where traces are made.
    pub(crate) context: Option<Context>,
    /// The names that were noted, behind one another.
    names: RefCell<String>,
    marks: [Cell<Mark>; 5],
    attempts: RefCell<SmallVec<[Attempted; 1]>>,
    /// Bytes of its body that have come, for requests that have one.
    received: Option<Arc<AtomicU64>>,
    /// Bytes of its answer's body that have gone.
    pub(crate) sent: Cell<u64>,
    /// The answer's status, and when its head was ready.
    pub(crate) answered: Cell<Option<(StatusCode, Instant)>>,
    /// What somebody wants to know of the answer's head.
    pub(crate) headers: RefCell<SmallVec<[(HeaderName, HeaderValue); 1]>>,
    /// How it has ended, once something has gone wrong.
    pub(crate) broke: Cell<Option<Ended>>,
}

/// What a client asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
}

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The whole answer has gone to the client.
    Complete,
    /// The client left before.
    ClientGone,
    /// The server's answer broke off.
    UpstreamBroke,
    /// The server's answer stood still for too long.
    Timeout,
}

impl Ended {
    /// The word that is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamBroke => "upstream_broke",
            Self::Timeout => "timeout",
        }
    }
}

/// Something that is noted by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The pool that it was routed to.
    Pool,
    /// The router that had an answer.
    Router,
    /// The affinity that had a server.
    Affinity,
    /// The balancer that had a server.
    Balancer,
    /// The policy that answered.
    Policy,
}

/// Where a name stands among those that were noted.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    start: u32,
    end: u32,
}

/// An attempt at a server.
#[derive(Clone, Debug)]
pub(crate) struct Attempted {
    server: Mark,
    /// Its number among those of the request, from 1 on.
    pub(crate) number: u32,
    pub(crate) began: Instant,
    /// Whether it went over a connection that was there.
    pub(crate) reused: bool,
    /// What came of it beside another one, where two servers were asked at once.
    pub(crate) race: Option<Race>,
    /// What came of it, and when; none where it was given up.
    pub(crate) came: Option<(Came, Instant)>,
}

/// What came of one of two attempts at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Race {
    Won,
    Lost,
}

impl Race {
    /// The word that is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub(crate) enum Came {
    /// An answer with this status.
    Answer(u16),
    /// None: what happened in a word, and why.
    Failure(&'static str, Box<str>),
}

/// The place of an account beside the facts of its request: a copy of those is
/// another request's, which has none.
#[derive(Debug, Default)]
pub(crate) struct Noted(Option<Box<Account>>);

impl Clone for Noted {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl Noted {
    pub(crate) fn put(&mut self, account: Option<Box<Account>>) {
        self.0 = account;
    }

    pub(crate) fn take(&mut self) -> Option<Box<Account>> {
        self.0.take()
    }

    pub(crate) fn get(&self) -> Option<&Account> {
        self.0.as_deref()
    }

    /// Note a name, if there is an account.
    #[inline]
    pub(crate) fn note(&self, note: Note, name: &str) {
        if let Some(account) = &self.0 {
            account.note(note, name);
        }
    }

    /// Where bytes of the request's body are counted, if they are.
    pub(crate) fn received(&self) -> Option<Arc<AtomicU64>> {
        self.0.as_ref()?.received.clone()
    }
}

impl Account {
    /// Open one, if anybody is told of the request.
    pub(crate) fn open(
        client: &Client,
        current: &Current,
        parts: &Parts,
        (has_body, context): (bool, Option<Context>),
    ) -> Option<Box<Self>> {
        let worker = &client.worker;
        let log = current.snapshot.config.access_log.as_deref();
        let draw = || worker.random.borrow_mut().f64();
        let is_drawn = log.is_some_and(|log| log.sample >= 1.0 || draw() < log.sample);
        let is_logged = is_drawn || log.is_some_and(|log| log.always_errors);
        let is_recorded = context.is_some_and(|context| context.is_sampled);
        if !is_logged && !is_recorded {
            return None;
        }
        Some(Box::new(Self {
            at: SystemTime::now(),
            asked: Asked {
                method: parts.method.clone(),
                uri: parts.uri.clone(),
                version: parts.version,
            },
            is_drawn,
            context,
            names: RefCell::new(String::with_capacity(USUAL_NAMES)),
            marks: Default::default(),
            attempts: RefCell::default(),
            received: has_body.then(Arc::default),
            sent: Cell::new(0),
            answered: Cell::new(None),
            headers: RefCell::default(),
            broke: Cell::new(None),
        }))
    }

    fn keep(&self, name: &str) -> Mark {
        let mut names = self.names.borrow_mut();
        let start = names.len() as u32;
        names.push_str(name);
        let end = names.len() as u32;
        Mark { start, end }
    }

    #[inline(never)]
    fn note(&self, note: Note, name: &str) {
        self.marks[note as usize].set(self.keep(name));
    }

    /// What was noted last, if it was.
    pub(crate) fn noted<T>(&self, note: Note, read: impl FnOnce(Option<&str>) -> T) -> T {
        self.read(self.marks[note as usize].get(), read)
    }

    fn read<T>(&self, mark: Mark, read: impl FnOnce(Option<&str>) -> T) -> T {
        let names = self.names.borrow();
        let name = names.get(mark.start as usize..mark.end as usize);
        read(name.filter(|name| !name.is_empty()))
    }

    /// An attempt begins.
    pub(crate) fn attempt(&self, server: &str, number: u32) {
        let server = self.keep(server);
        self.attempts.borrow_mut().push(Attempted {
            server,
            number,
            began: Instant::now(),
            reused: false,
            race: None,
            came: None,
        });
    }

    /// Of two attempts at once one has won, and nothing more comes of the other.
    pub(crate) fn raced(&self, [won, lost]: [u32; 2]) {
        self.of_attempt(won, |attempt| attempt.race = Some(Race::Won));
        self.of_attempt(lost, |attempt| {
            attempt.race = Some(Race::Lost);
            attempt.came.get_or_insert_with(|| {
                let why = "another server answered before";
                (Came::Failure("overtaken", why.into()), Instant::now())
            });
        });
    }

    /// Note something of an attempt.
    pub(crate) fn of_attempt(&self, number: u32, note: impl FnOnce(&mut Attempted)) {
        let mut attempts = self.attempts.borrow_mut();
        let mut of_number = attempts.iter_mut().rev();
        if let Some(attempt) = of_number.find(|attempt| attempt.number == number) {
            note(attempt);
        }
    }

    /// How many attempts there were.
    pub(crate) fn attempts(&self) -> usize {
        self.attempts.borrow().len()
    }

    /// Read every attempt, with its server.
    pub(crate) fn each_attempt(&self, mut read: impl FnMut(&Attempted, &str)) {
        for attempt in &*self.attempts.borrow() {
            self.read(attempt.server, |server| {
                read(attempt, server.unwrap_or_default());
            });
        }
    }

    /// The server that answered, or else the last one that was tried.
    pub(crate) fn server<T>(&self, read: impl FnOnce(Option<&str>) -> T) -> T {
        let attempts = self.attempts.borrow();
        let is_answer = |one: &&Attempted| {
            one.race != Some(Race::Lost) && matches!(&one.came, Some((Came::Answer(_), _)))
        };
        let last = attempts.iter().rev().find(is_answer);
        let last = last.or_else(|| attempts.last());
        self.read(last.map_or_else(Mark::default, |one| one.server), read)
    }

    /// Bytes of the request's body that have come.
    pub(crate) fn received(&self) -> u64 {
        let received = self.received.as_ref();
        received.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The answer's head is ready: keep what is wanted of it.
    pub(crate) fn head(&self, headers: &HeaderMap, wanted: &[HeaderName]) {
        let mut kept = self.headers.borrow_mut();
        for name in wanted {
            let values = headers.get_all(name).iter();
            kept.extend(values.map(|value| (name.clone(), value.clone())));
        }
    }
}

impl Came {
    /// No answer, for this reason.
    pub(crate) fn failed(failure: &Failure) -> Self {
        let word = match failure.ending() {
            Ending::ConnectFailed => "connect_failed",
            Ending::TimedOut => "timeout",
            Ending::Abandoned => "abandoned",
            _ => "broken",
        };
        Self::Failure(word, failure.to_string().into())
    }
}
