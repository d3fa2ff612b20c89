//! HTTP/2 as RFC 9113 and RFC 7541 want it from a server, one row a case, and
//! that nothing of what is wrong reaches a server behind the gateway.

mod connection;
mod floods;
mod frames;
mod hpack;
mod messages;
mod streams;
mod windows;

use h2::Reason;

use crate::support::http2::{Frame, Frames, get, kind};
use crate::support::{Gateway, Pool, Upstream, plain};

/// The stream on which a connection is asked whether it still serves.
const LAST: u32 = 0x7fff;

/// What one client sends, and what must come of it.
#[derive(Clone)]
struct Case {
    /// The section of the RFC, and what is sent.
    name: &'static str,
    /// Whether a request was answered on stream 1 before.
    is_after_answer: bool,
    sent: Vec<u8>,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// A GOAWAY for this reason, and the end of the connection. The library
    /// that reads frames often gives the general PROTOCOL_ERROR instead, which
    /// tells the client less and does the same.
    Breaks(Reason),
    /// A RST_STREAM for this reason; the connection goes on.
    Resets(u32, Reason),
    /// The gateway's own answer on the stream, which is no success.
    Refuses(u32),
    /// A success on the stream.
    Answers(u32),
    /// Nothing: the connection goes on.
    Serves,
}

impl Outcome {
    /// The stream that it is of.
    fn stream(self) -> Option<u32> {
        match self {
            Self::Breaks(_) | Self::Serves => None,
            Self::Resets(stream, _) | Self::Refuses(stream) | Self::Answers(stream) => Some(stream),
        }
    }
}

impl Case {
    fn new(name: &'static str, sent: Vec<u8>, outcome: Outcome) -> Self {
        Self {
            name,
            is_after_answer: false,
            sent,
            outcome,
        }
    }

    fn breaks(name: &'static str, reason: Reason, sent: &[&[u8]]) -> Self {
        Self::new(name, sent.concat(), Outcome::Breaks(reason))
    }

    fn resets(name: &'static str, stream: u32, reason: Reason, sent: &[&[u8]]) -> Self {
        Self::new(name, sent.concat(), Outcome::Resets(stream, reason))
    }

    fn answers(name: &'static str, stream: u32, sent: &[&[u8]]) -> Self {
        Self::new(name, sent.concat(), Outcome::Answers(stream))
    }

    fn serves(name: &'static str, sent: &[&[u8]]) -> Self {
        Self::new(name, sent.concat(), Outcome::Serves)
    }

    /// The same once a request on stream 1 has been answered.
    fn after_answer(mut self) -> Self {
        self.is_after_answer = true;
        self
    }

    /// What differs from what must come of it.
    async fn fault(&self, gateway: &Gateway) -> Option<String> {
        let mut client = Frames::begun(gateway.address(), &[]).await;
        if self.is_after_answer {
            client.is_answered(1, "/sound").await;
        }
        // A gateway that had enough of it takes no more.
        client.send(&self.sent).await;
        let observed = match self.outcome {
            Outcome::Breaks(reason) => {
                let given = client.farewell().await;
                let is_right = [Some(reason), Some(Reason::PROTOCOL_ERROR)].contains(&given);
                (!is_right).then(|| format!("a farewell for {given:?}"))
            }
            outcome => self.on_a_stream(&mut client, outcome).await,
        };
        observed.map(|observed| format!("{}: {observed}", self.name))
    }

    async fn on_a_stream(&self, client: &mut Frames, outcome: Outcome) -> Option<String> {
        let is_it = |frame: &Frame| match outcome {
            Outcome::Resets(stream, reason) => {
                frame.stream == stream && frame.reason() == Some(reason)
            }
            Outcome::Refuses(stream) => {
                frame.stream == stream && frame.is(kind::HEADERS) && !frame.is_ok()
            }
            Outcome::Answers(stream) => frame.stream == stream && frame.is_ok(),
            _ => false,
        };
        let mut has_come = matches!(outcome, Outcome::Serves);
        let mut passed = Vec::new();
        if has_come {
            client.send(get(LAST, "/sound")).await;
        }
        while let Some(frame) = client.next().await {
            if !has_come && is_it(&frame) {
                has_come = true;
                client.send(get(LAST, "/sound")).await;
            } else if has_come && frame.stream == LAST && frame.is_ok() {
                return None;
            } else if frame.reason().is_some() || frame.is(kind::HEADERS) {
                let is_last_word = frame.stream == 0 || outcome.stream() == Some(frame.stream);
                passed.push((frame.kind, frame.stream, frame.reason()));
                if is_last_word && !has_come {
                    break;
                }
            }
        }
        Some(format!(
            "{passed:?} instead of {outcome:?}, come: {has_come}"
        ))
    }
}

/// A server that answers what is sound, and says nothing to `/waits`.
async fn upstream() -> Upstream {
    Upstream::scripted(|mut peer| async move {
        while let Some(request) = peer.request().await {
            if request.target() == "/waits" {
                return peer.stall().await;
            }
            if !request.is_whole || peer.try_send(plain("sound")).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// Play all cases against one gateway, each on a connection of its own. Nothing
/// but sound requests may reach the server whole.
async fn check(cases: &[Case]) {
    let server = upstream().await;
    let gateway = Gateway::before(Pool::of(&[&server])).await;
    let mut faults = Vec::new();
    for case in cases {
        faults.extend(case.fault(&gateway).await);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    gateway.settles().await;
    for request in server.requests() {
        let is_known = match request.target() {
            "/sound" | "/waits" => true,
            // Its head was sound, and what followed was not.
            "/begun" => !request.is_whole,
            _ => false,
        };
        assert!(is_known, "the server got {request:?}");
    }
}
