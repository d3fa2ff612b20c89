//! A line for each request, when it has ended: written into a buffer of the
//! worker's own, which goes to the log's writer when it is full or has waited for
//! long enough.

mod line;

use std::cell::RefCell;
use std::time::Instant;

use gatewright_model::config::{AccessLog, Config, Field, LogTarget};
use http::HeaderName;

use crate::account::{Account, Ended};
use crate::connection::Client;
use crate::deadlines::TICK;
use crate::facts::Facts;
use crate::telemetry::{Lines, Telemetry};
use line::Line;

/// Bytes of lines that are handed over at once.
const FULL: usize = 64 * 1024;

/// How often lines are handed over that have not filled a buffer: every 200 ms.
pub(crate) const FLUSH_TICKS: u64 = 200 / TICK.as_millis() as u64;

/// What a response says of the caches that it passed (RFC 9211).
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// A worker's part of the access log.
pub(crate) struct Log {
    telemetry: Telemetry,
    buffer: RefCell<Buffer>,
}

#[derive(Default)]
struct Buffer {
    target: Option<LogTarget>,
    bytes: Vec<u8>,
    count: u64,
}

impl Log {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: telemetry.clone(),
            buffer: RefCell::default(),
        }
    }

    /// Whether some wait to be handed over.
    pub(crate) fn has_lines(&self) -> bool {
        self.buffer.borrow().count > 0
    }

    /// Hand over what there is.
    pub(crate) fn flush(&self) {
        let buffer = self.buffer.take();
        if let (Some(target), true) = (buffer.target, buffer.count > 0) {
            self.telemetry.write(Lines {
                target,
                bytes: buffer.bytes,
                count: buffer.count,
            });
        }
    }

    fn add(&self, log: &AccessLog, line: &Line<'_>) {
        if self.buffer.borrow().target.as_ref() != Some(&log.target) {
            self.flush();
            let mut buffer = self.buffer.borrow_mut();
            buffer.target = Some(log.target.clone());
            buffer.bytes.reserve(FULL);
        }
        let mut buffer = self.buffer.borrow_mut();
        line.write(&log.layout, &mut buffer.bytes);
        buffer.count += 1;
        if buffer.bytes.len() >= FULL {
            drop(buffer);
            self.flush();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Write a request's line, if it has one. `facts` are there unless it was refused
/// before anybody decided on it.
pub(crate) fn tell(
    client: &Client,
    account: &Account,
    facts: Option<&Facts>,
    (started, ended): (Instant, Ended),
) {
    let current = client.worker.current();
    let Some(log) = current.snapshot.config.access_log.as_deref() else {
        return;
    };
    let status = account.answered.get().map(|(status, _)| status);
    let is_error = status.is_some_and(|status| status.is_server_error());
    if account.is_drawn || is_error && log.always_errors {
        let line = Line {
            client,
            account,
            facts,
            started,
            now: Instant::now(),
            ended,
        };
        client.worker.log.add(log, &line);
    }
}

/// The headers of responses that lines tell of.
pub(crate) fn wanted(config: &Config) -> Vec<HeaderName> {
    let log = config.access_log.iter();
    let fields = log.flat_map(|log| log.layout.fields());
    let names = fields.filter_map(|field| match field {
        Field::ResponseHeader(name) => HeaderName::try_from(&**name).ok(),
        Field::Cached => Some(CACHE_STATUS),
        _ => None,
    });
    names.collect()
}
