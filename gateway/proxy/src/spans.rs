//! What is recorded of a request that is a part of a trace: a span for it, one for
//! each attempt, one for each decision. Names and attributes follow OpenTelemetry's
//! semantic conventions for HTTP (1.37).

use std::time::{Duration, Instant, SystemTime};

use gatewright_host::{ExchangeView as _, Step, Trace};
use gatewright_wire::trace_context::{SpanId, TraceId, TraceParent};
use http::{Method, Version, header};

use crate::account::{Account, Attempted, Came, Ended, Note};
use crate::connection::Client;
use crate::facts::Facts;
use crate::trace_context::{self, Context};

/// The first number of decisions among the spans of a request; attempts have those
/// below.
const DECISIONS: u64 = 1 << 32;

/// Bytes that are recorded of a text: clients, servers and plugins may say more.
const MOST_TEXT: usize = 1024;

/// Texts that are recorded of a list.
const MOST_TEXTS: usize = 64;

/// What all methods are called that the conventions do not know.
const OTHER: &str = "_OTHER";

/// What was recorded of one request.
#[derive(Debug)]
pub struct Recorded {
    /// The trace that it is a part of.
    pub trace: TraceId,
    /// The request's `tracestate`.
    pub state: String,
    /// When the request's head had been read.
    pub at: SystemTime,
    /// A span of another trace, from which the request came.
    pub link: Option<TraceParent>,
    /// The request's own span first.
    pub spans: Vec<Span>,
}

impl Recorded {
    /// The bytes of memory that it takes, which nothing is added to any more.
    pub(crate) fn size(&self) -> usize {
        let spans = self.spans.iter().map(Span::size);
        size_of::<Self>() + self.state.len() + spans.sum::<usize>()
    }
}

/// Something that took time.
#[derive(Debug)]
pub struct Span {
    /// Its id.
    pub id: SpanId,
    /// The span that it was done for.
    pub parent: Option<SpanId>,
    /// What it is.
    pub name: String,
    /// On which side of a question it is.
    pub kind: SpanKind,
    /// When it began, after the request.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// What is known of it.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

impl Span {
    fn size(&self) -> usize {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(_, value)| size_of::<(&str, SpanValue)>() + value.size());
        let error = self.error.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.name.len() + error + attributes.sum::<usize>()
    }
}

/// On which side of a question a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// It answers.
    Server,
    /// It asks.
    Client,
    /// On neither.
    Internal,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub enum SpanValue {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
}

impl<T: AsRef<str>> From<T> for SpanValue {
    fn from(text: T) -> Self {
        Self::Text(cut(text.as_ref()))
    }
}

impl SpanValue {
    /// The first of several texts.
    fn first<T: ToString>(texts: &[T]) -> Self {
        let first = texts.iter().take(MOST_TEXTS);
        Self::Texts(first.map(|text| cut(&text.to_string())).collect())
    }

    /// The bytes that it takes beside its own.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Texts(texts) => texts
                .iter()
                .map(|text| size_of::<String>() + text.len())
                .sum(),
            Self::Number(_) | Self::Flag(_) => 0,
        }
    }
}

/// What is recorded of a text: its beginning.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MOST_TEXT)].to_owned()
}

/// What was recorded of a request that has ended, if it is a part of a trace.
/// `facts` are there unless it was refused before anybody decided on it.
pub(crate) fn record(
    client: &Client,
    account: &Account,
    facts: Option<&Facts>,
    (began, ended): (Instant, Ended),
) -> Option<Box<Recorded>> {
    let context = account.context.filter(|context| context.is_sampled)?;
    let mut spans = vec![of_request(client, account, facts, (began, ended), &context)];
    let decisions = facts.and_then(|facts| facts.effects.trace.as_deref());
    let steps = decisions.map_or(&[][..], |Trace { steps }| steps);
    let numbered = (DECISIONS..).zip(steps);
    spans.extend(numbered.map(|(number, step)| of_decision(&context, number, step, began)));
    account.each_attempt(|attempt, server| {
        spans.push(of_attempt(&context, account, attempt, server, began));
    });
    Some(Box::new(Recorded {
        trace: context.trace,
        state: facts.map_or_else(String::new, |facts| trace_context::state(&facts.headers)),
        at: account.at,
        link: context.link,
        spans,
    }))
}

fn of_request(
    client: &Client,
    account: &Account,
    facts: Option<&Facts>,
    (began, ended): (Instant, Ended),
    context: &Context,
) -> Span {
    let asked = &account.asked;
    let (method, original) = method(&asked.method);
    let status = account.answered.get().map(|(status, _)| status);
    let mut attributes: Vec<(&'static str, SpanValue)> = vec![
        ("http.request.method", method.into()),
        ("url.scheme", client.entrance().scheme().into()),
        ("url.path", asked.uri.path().into()),
        ("network.protocol.name", "http".into()),
        ("network.protocol.version", version(asked.version).into()),
        ("gatewright.ended", ended.name().into()),
    ];
    attributes.extend(original);
    if let Some(status) = status {
        let status = SpanValue::Number(status.as_u16().into());
        attributes.push(("http.response.status_code", status));
    }
    if let Some(facts) = facts {
        let (host, port) = host_and_port(facts.asked_authority());
        attributes.push(("server.address", host.into()));
        attributes.extend(port.map(|port| ("server.port", SpanValue::Number(port.into()))));
        let agent = facts.headers.get(header::USER_AGENT);
        if let Some(agent) = agent.and_then(|agent| agent.to_str().ok()) {
            attributes.push(("user_agent.original", agent.into()));
        }
        attributes.push(("gatewright.request_id", facts.id().into()));
        let address = facts.client_text(client.source());
        attributes.extend(address.map(|address| ("client.address", address.into())));
    }
    if let Some(peer) = &client.source().peer_text {
        attributes.push(("network.peer.address", peer.as_str().into()));
    }
    account.noted(Note::Pool, |pool| {
        attributes.extend(pool.map(|pool| ("gatewright.pool", pool.into())));
    });
    let error = match (status, ended) {
        (Some(status), _) if status.is_server_error() => Some(status.as_str().to_owned()),
        (_, Ended::UpstreamBroke | Ended::Timeout) => Some(ended.name().to_owned()),
        _ => None,
    };
    attributes.extend(
        error
            .iter()
            .map(|error| ("error.type", error.as_str().into())),
    );
    Span {
        id: context.span(),
        parent: context.parent,
        // Paths are as many as there are, and names are to be few.
        name: name(method),
        kind: SpanKind::Server,
        start: Duration::ZERO,
        duration: began.elapsed(),
        attributes,
        error,
    }
}

fn of_attempt(
    context: &Context,
    account: &Account,
    attempt: &Attempted,
    server: &str,
    began: Instant,
) -> Span {
    let (method, original) = method(&account.asked.method);
    let (host, port) = host_and_port(server);
    let mut attributes: Vec<(&'static str, SpanValue)> = vec![
        ("http.request.method", method.into()),
        ("server.address", host.into()),
        (
            "gatewright.connection.reused",
            SpanValue::Flag(attempt.reused),
        ),
    ];
    attributes.extend(original);
    attributes.extend(port.map(|port| ("server.port", SpanValue::Number(port.into()))));
    if attempt.number > 1 {
        let resent = SpanValue::Number(i64::from(attempt.number) - 1);
        attributes.push(("http.request.resend_count", resent));
    }
    let race = attempt.race.map(|race| race.name().into());
    attributes.extend(race.map(|race| ("gatewright.hedge", race)));
    let (kind, error, until) = match &attempt.came {
        Some((Came::Answer(status), at)) => {
            let number = SpanValue::Number((*status).into());
            attributes.push(("http.response.status_code", number));
            // On the asking side, a request that is answered with 4xx failed too.
            let error = (*status >= 400).then(|| status.to_string());
            (error.clone(), error, *at)
        }
        Some((Came::Failure(word, why), at)) => (Some((*word).to_owned()), Some(cut(why)), *at),
        None => {
            let word = "given_up".to_owned();
            (Some(word.clone()), Some(word), Instant::now())
        }
    };
    attributes.extend(kind.map(|kind| ("error.type", kind.into())));
    Span {
        id: context.child(attempt.number.into()),
        parent: Some(context.span()),
        name: name(method),
        kind: SpanKind::Client,
        start: attempt.began.saturating_duration_since(began),
        duration: until.saturating_duration_since(attempt.began),
        attributes,
        error,
    }
}

fn of_decision(context: &Context, number: u64, step: &Step, began: Instant) -> Span {
    let mut attributes: Vec<(&'static str, SpanValue)> = vec![
        ("gatewright.role", step.place.role.to_string().into()),
        ("gatewright.plugin", step.place.plugin.as_str().into()),
        ("gatewright.plugin.version", step.version.short().into()),
    ];
    let chosen = step.chosen.as_deref();
    attributes.extend(chosen.map(|chosen| ("gatewright.chosen", chosen.into())));
    let reason = step.reason.as_deref();
    attributes.extend(reason.map(|reason| ("gatewright.reason", reason.into())));
    if !step.candidates.is_empty() {
        let candidates = SpanValue::first(&step.candidates);
        attributes.push(("gatewright.candidates", candidates));
    }
    let error = step.answer.as_ref().err();
    let error = error.map(|fault| cut(&fault.to_string()));
    attributes.extend(
        error
            .iter()
            .map(|error| ("error.type", error.as_str().into())),
    );
    Span {
        id: context.child(number),
        parent: Some(context.span()),
        name: format!("{} {}", step.place.role, step.place.plugin),
        kind: SpanKind::Internal,
        start: step.began.saturating_duration_since(began),
        duration: step.duration,
        attributes,
        error,
    }
}

/// A method, and what it is called where it is none that the conventions know:
/// clients make up methods as they like.
fn method(method: &Method) -> (&str, Option<(&'static str, SpanValue)>) {
    match method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "CONNECT" | "OPTIONS" | "TRACE"
        | "PATCH") => (known, None),
        original => (
            OTHER,
            Some(("http.request.method_original", original.into())),
        ),
    }
}

/// A span's name, of what [`method`] says.
fn name(method: &str) -> String {
    match method {
        OTHER => "HTTP".to_owned(),
        known => known.to_owned(),
    }
}

/// As OpenTelemetry names versions.
fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

/// A host without its brackets, and the port if there is one.
fn host_and_port(authority: &str) -> (&str, Option<u16>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().ok())
        }
        _ => (authority, None),
    };
    match port {
        None if !authority.starts_with('[') => (authority, None),
        port => (host.trim_matches(['[', ']']), port),
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{MOST_TEXT, MOST_TEXTS, SpanValue, host_and_port, method, name};

    #[test]
    fn of_long_texts_and_lists_the_beginning_is_recorded() {
        // A letter of two bytes lies across the limit.
        let long = "a".repeat(MOST_TEXT - 1) + "äb";
        let SpanValue::Text(text) = SpanValue::from(&long) else {
            panic!("a text");
        };
        assert_eq!(text, long[..MOST_TEXT - 1]);
        let many = vec![long; MOST_TEXTS + 1];
        let SpanValue::Texts(texts) = SpanValue::first(&many) else {
            panic!("texts");
        };
        assert_eq!(texts.len(), MOST_TEXTS);
        assert!(texts.iter().all(|one| *one == text));
    }

    #[test]
    fn methods_that_clients_make_up_have_one_name() {
        assert_eq!(method(&Method::PATCH), ("PATCH", None));
        let made_up = Method::from_bytes(b"BREW").unwrap();
        let original = ("http.request.method_original", SpanValue::from("BREW"));
        assert_eq!(method(&made_up), ("_OTHER", Some(original)));
        assert_eq!([name("PATCH"), name("_OTHER")], ["PATCH", "HTTP"]);
    }

    #[test]
    fn an_authority_is_a_host_and_perhaps_a_port() {
        for (authority, host, port) in [
            ("shop.example", "shop.example", None),
            ("shop.example:8080", "shop.example", Some(8080)),
            ("[::1]:80", "::1", Some(80)),
            ("::1", "::1", None),
            ("unix:/run/a.sock", "unix:/run/a.sock", None),
            ("", "", None),
        ] {
            assert_eq!(host_and_port(authority), (host, port), "{authority}");
        }
    }
}
