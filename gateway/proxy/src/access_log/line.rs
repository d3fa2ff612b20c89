//! One line of the access log, in JSON or by a template. Nothing that a client
//! sends can end a line or a text in it.

use std::io::Write as _;
use std::time::{Duration, Instant};

use gatewright_host::ExchangeView;
use gatewright_model::config::{Field, Layout, Piece};
use http::Version;

use super::CACHE_STATUS;
use crate::account::{Account, Ended, Note};
use crate::connection::Client;
use crate::facts::Facts;
use crate::trace_context;

/// The names of the months in dates of web servers.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// What a line tells of.
pub(super) struct Line<'a> {
    pub(super) client: &'a Client,
    pub(super) account: &'a Account,
    pub(super) facts: Option<&'a Facts>,
    pub(super) started: Instant,
    pub(super) now: Instant,
    pub(super) ended: Ended,
}

/// The value of a field.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Missing,
    Number(u64),
    Milliseconds(Duration),
    Flag(bool),
    Text(&'a [u8]),
}

impl<'a> From<Option<&'a str>> for Shown<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, |text| Self::Text(text.as_bytes()))
    }
}

impl Line<'_> {
    /// Write it, with its end.
    pub(super) fn write(&self, layout: &Layout, out: &mut Vec<u8>) {
        match layout {
            Layout::Json(fields) => self.write_json(fields, out),
            Layout::Text(pieces) => self.write_text(pieces, out),
        }
        out.push(b'\n');
    }

    fn write_json(&self, fields: &[Field], out: &mut Vec<u8>) {
        for (index, field) in fields.iter().enumerate() {
            out.push(if index == 0 { b'{' } else { b',' });
            put_json(out, field.name().as_bytes());
            out.push(b':');
            self.show(field, |value| match value {
                Shown::Missing => out.extend_from_slice(b"null"),
                Shown::Text(text) => put_json(out, text),
                plain => put_plain(out, plain),
            });
        }
        out.push(b'}');
    }

    fn write_text(&self, pieces: &[Piece], out: &mut Vec<u8>) {
        for piece in pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Field(field) => self.show(field, |value| match value {
                    Shown::Missing => out.push(b'-'),
                    Shown::Text(text) => put_escaped(out, text),
                    plain => put_plain(out, plain),
                }),
            }
        }
    }

    /// Hand the value of a field to whoever writes it.
    fn show(&self, field: &Field, mut put: impl FnMut(Shown<'_>)) {
        let (account, client, facts) = (self.account, self.client, self.facts);
        let asked = &account.asked;
        let mut text = |text: Option<&str>| put(text.into());
        match field {
            Field::Time => return text(Some(&self.time())),
            Field::CommonTime => return text(Some(&common(&self.time()))),
            Field::Client => {
                let of_facts = facts.map(|facts| facts.client_text(client.source()));
                return text(of_facts.unwrap_or(client.source().peer_text.as_deref()));
            }
            Field::Method => return text(Some(asked.method.as_str())),
            Field::Scheme => return text(Some(client.entrance().scheme())),
            Field::Host => {
                let of_uri = asked.uri.authority().map(http::uri::Authority::as_str);
                let host = facts.map(Facts::asked_authority).or(of_uri);
                return text(host.filter(|host| !host.is_empty()));
            }
            Field::Path => return text(Some(asked.uri.path())),
            Field::Query => return text(asked.uri.query()),
            Field::Protocol => return text(Some(protocol(asked.version))),
            Field::RequestId => return text(facts.map(ExchangeView::id)),
            Field::TraceId => return text(self.trace().as_deref()),
            Field::Listener => return text(Some(client.entrance().name())),
            Field::TlsVersion => return text(client.secured().map(|tls| tls.version)),
            Field::TlsName => return text(client.secured().and_then(|tls| tls.name.as_deref())),
            Field::Pool => return account.noted(Note::Pool, text),
            Field::Router => return account.noted(Note::Router, text),
            Field::Affinity => return account.noted(Note::Affinity, text),
            Field::Balancer => return account.noted(Note::Balancer, text),
            Field::Policy => return account.noted(Note::Policy, text),
            Field::Server => return account.server(text),
            Field::Reason => return text(self.reason()),
            Field::Ended => return text(Some(self.ended.name())),
            _ => {}
        }
        let attempts = account.attempts() as u64;
        let answered = account.answered.get();
        put(match field {
            Field::Status => answered.map_or(Shown::Missing, |(status, _)| {
                Shown::Number(status.as_u16().into())
            }),
            Field::BytesSent => Shown::Number(account.sent.get()),
            Field::BytesReceived => Shown::Number(account.received()),
            Field::DurationMs => Shown::Milliseconds(self.now - self.started),
            Field::TtfbMs => answered.map_or(Shown::Missing, |(_, at)| {
                Shown::Milliseconds(at.saturating_duration_since(self.started))
            }),
            Field::Attempts => Shown::Number(attempts),
            Field::Retries => Shown::Number(attempts.saturating_sub(1)),
            Field::Cached => Shown::Flag(self.is_cached()),
            Field::Header(name) => return self.show_header(name, put),
            Field::ResponseHeader(name) => {
                let headers = account.headers.borrow();
                let mut of_name = headers.iter().filter(|(known, _)| known == &**name);
                let value = of_name.next();
                return put(
                    value.map_or(Shown::Missing, |(_, value)| Shown::Text(value.as_bytes()))
                );
            }
            _ => Shown::Missing,
        });
    }

    fn show_header(&self, name: &str, mut put: impl FnMut(Shown<'_>)) {
        let facts = self.facts;
        let value = facts.and_then(|facts| facts.headers.get(name));
        put(value.map_or(Shown::Missing, |value| Shown::Text(value.as_bytes())));
    }

    fn time(&self) -> String {
        humantime::format_rfc3339_millis(self.account.at).to_string()
    }

    fn trace(&self) -> Option<String> {
        let context = self.account.context.map(|context| context.trace);
        let asked = || Some(trace_context::asked(&self.facts?.headers)?.trace);
        context.or_else(asked).map(|trace| trace.to_string())
    }

    fn reason(&self) -> Option<&str> {
        let effects = &self.facts?.effects;
        let steps = effects.trace.as_ref().map(|trace| &*trace.steps);
        let mut told = steps.unwrap_or_default().iter().rev();
        let told = told.find_map(|step| step.reason.as_deref());
        told.or(effects.reason.as_deref())
    }

    fn is_cached(&self) -> bool {
        let headers = self.account.headers.borrow();
        let mut states = headers.iter().filter(|(name, _)| name == CACHE_STATUS);
        states.any(|(_, value)| {
            let mut members = value.as_bytes().split(|byte| *byte == b',');
            members.any(|member| {
                let mut parameters = member.split(|byte| *byte == b';').skip(1);
                parameters.any(|parameter| parameter.trim_ascii() == b"hit")
            })
        })
    }
}

/// As request lines name versions.
fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// A moment of RFC 3339 in UTC as web servers write it: `31/Jan/2026:12:00:00 +0000`.
fn common(time: &str) -> String {
    let part = |from: usize, to: usize| time.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse().unwrap_or(1_usize);
    let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&MONTHS[0]);
    let (day, year, clock) = (part(8, 10), part(0, 4), part(11, 19));
    format!("{day}/{month}/{year}:{clock} +0000")
}

fn put_plain(out: &mut Vec<u8>, value: Shown<'_>) {
    // Writing to memory does not fail.
    let _ = match value {
        Shown::Number(number) => write!(out, "{number}"),
        Shown::Milliseconds(duration) => {
            let micros = duration.as_micros();
            write!(out, "{}.{:03}", micros / 1000, micros % 1000)
        }
        Shown::Flag(flag) => write!(out, "{flag}"),
        Shown::Missing | Shown::Text(_) => Ok(()),
    };
}

/// A text of JSON; what is no UTF-8 is replaced.
fn put_json(out: &mut Vec<u8>, text: &[u8]) {
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(out, &*String::from_utf8_lossy(text));
}

/// A text in which quotes, backslashes and all that is not printable in ASCII are
/// escaped, as Apache does.
fn put_escaped(out: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b' '..=b'~' => out.push(*byte),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                // Writing to memory does not fail.
                let _ = write!(out, "\\x{other:02x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = Vec::new();
        put_escaped(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_moment_is_written_as_web_servers_do() {
        assert_eq!(
            common("2026-01-31T12:00:01.234Z"),
            "31/Jan/2026:12:00:01 +0000"
        );
    }

    #[test]
    fn quotes_and_what_is_not_printable_are_escaped() {
        assert_eq!(
            escaped(b"a\"b\\c\n\r\t\x00\xff"),
            "a\\\"b\\\\c\\n\\r\\t\\x00\\xff"
        );
    }

    proptest! {
        #[test]
        fn nothing_ends_a_line_or_a_text(text in prop::collection::vec(any::<u8>(), 0..40)) {
            let escaped = escaped(&text);
            prop_assert!(escaped.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let plain = escaped.replace("\\\\", "").replace("\\\"", "");
            prop_assert!(!plain.contains('"'));
            let mut json = Vec::new();
            put_json(&mut json, &text);
            prop_assert!(!json.contains(&b'\n'));
            let read: String = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(read, String::from_utf8_lossy(&text));
        }
    }
}
