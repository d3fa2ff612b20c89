//! `/api/stream`: what happens and the figures of each second, as they come.
//!
//! Server-sent events. A reader has a place among the kept events and a seat
//! before the newest figures, but no queue: one that reads slowly gets the
//! newest figures and is told how many events it missed. The figures are put
//! into bytes once a second, whatever the number of readers.

mod figures;
mod frame;
mod told;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;

use super::envelope::{Failure, failure};
use super::login;
use crate::access::Who;
use crate::control::Control;
use crate::events::{Event, Read, Reader};
use crate::live::{MOST, MOST_OF_ONE, Seat, Shown};

pub(super) use figures::show;

/// The header by which a reader that comes back says what it has seen.
const LAST_EVENT_ID: &str = "last-event-id";

/// What a stream begins with: how soon a reader that was cut off should come
/// back, in milliseconds. Figures come every second, so no silence needs
/// filling.
const BEGINNING: Bytes = Bytes::from_static(b"retry: 1000\n: gatewright\n\n");

/// Follow what happens, live.
///
/// Server-sent events, each with JSON as its data: `metrics` once a second,
/// what `/api/metrics` answers with `pools`, `servers` and `plugins`; `health`
/// when a server's health changes; `circuit` when its circuit opens, is half-open or
/// closes; `panic` when so few servers of a pool are well that all get requests, and
/// when no more; `plugin` when one faults or is quarantined;
/// `change` when a change is put in force or refused; `audit` when an entry is
/// written to the audit log; `missed` when so many events went by unread.
/// All but `metrics` have an id, and a reader that sends the last one back as
/// `Last-Event-ID` gets those after it that are kept, 256 at most. The stream
/// ends with the gateway, and when its token counts no more.
#[utoipa::path(
    get, path = "/api/stream", operation_id = "followEvents", tag = "figures",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was read")),
    responses(
        (status = OK, description = "Events, until the gateway ends", body = String,
            content_type = "text/event-stream"),
        (status = SERVICE_UNAVAILABLE,
            description = "`too_many_streams`: 64 are open, 56 by this token, or the gateway is ending", body = Failure),
    )
)]
pub(super) async fn stream(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
) -> Response {
    let Some(seat) = control.live.sit(&who.id) else {
        let message = format!(
            "{MOST} streams are open, {MOST_OF_ONE} by this token, or the gateway is ending; try \
             again later"
        );
        return failure(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", message);
    };
    let events = match headers.get(LAST_EVENT_ID) {
        Some(id) => Reader::after(&control.events, number_of(id.as_bytes(), control.run)),
        None => Reader::from_now(&control.events),
    };
    let follower = Follower {
        token: login::token(&headers).map(str::to_owned),
        control,
        seat,
        events,
        is_new: true,
    };
    let events = stream::unfold(follower, async |mut follower| {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Body::from_stream(events)).into_response()
}

/// Who reads a stream.
struct Follower {
    control: Arc<Control>,
    /// What it was let in with.
    token: Option<String>,
    seat: Seat,
    events: Reader,
    /// Whether it has been sent nothing yet.
    is_new: bool,
}

impl Follower {
    /// What it is sent next; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if std::mem::take(&mut self.is_new) {
            return Some(BEGINNING);
        }
        loop {
            tokio::select! {
                // Figures come once a second, so they hold no event up, while
                // events could come without a pause.
                biased;
                shown = self.seat.next() => match shown {
                    Shown::Nothing => {}
                    Shown::Figures(_) if !self.may_stay() => return None,
                    Shown::Figures(figures) => return Some(figures),
                    Shown::Over => return None,
                },
                read = read(&mut self.events) => return Some(self.sent(read)),
            }
        }
    }

    fn may_stay(&self) -> bool {
        self.control.access.may_stay(self.token.as_deref())
    }

    fn sent(&self, read: Read) -> Bytes {
        match read {
            Read::Event(event) => {
                let (name, data) = told::told(&event);
                let id = id_of(&event, self.control.run);
                frame::event(name, Some(&id), &data)
            }
            Read::Missed(count) => frame::event("missed", None, &json!({ "missed": count })),
        }
    }
}

/// Wait for the next event. It loses none when it is not waited for to the end.
async fn read(events: &mut Reader) -> Read {
    loop {
        if let Some(read) = events.next() {
            return read;
        }
        events.changed().await;
    }
}

/// What a run of the gateway is called.
fn run_of(control: &Control) -> String {
    format!("{:x}", control.run)
}

/// An event's id: numbers begin anew with every run of the gateway.
fn id_of(event: &Event, run: u64) -> String {
    format!("{run:x}-{}", event.number)
}

/// The number in an id; 0, before all events, for one of another run.
fn number_of(id: &[u8], run: u64) -> u64 {
    let id = std::str::from_utf8(id).unwrap_or_default();
    let parts = id.split_once('-');
    let number = parts.and_then(|(of, number)| (of == format!("{run:x}")).then_some(number));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Happened;
    use crate::timestamp::Timestamp;

    #[test]
    fn an_id_says_where_to_go_on_in_its_own_run_alone() {
        let event = Event {
            number: 42,
            at: Timestamp(0),
            happened: Happened::Refused(String::new()),
        };
        let id = id_of(&event, 0xbeef);
        assert_eq!(id, "beef-42");
        assert_eq!(number_of(id.as_bytes(), 0xbeef), 42);
        for other in ["beee-42", "", "-", "42", "beef-", "beef-x", "beef--1"] {
            assert_eq!(number_of(other.as_bytes(), 0xbeef), 0, "{other}");
        }
    }
}
