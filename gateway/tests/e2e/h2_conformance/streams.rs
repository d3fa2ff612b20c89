//! The states of streams, and their numbers (RFC 9113 §5.1).

use h2::Reason;

use super::{Case, check};
use crate::support::http2::{
    block, data, flag, frame, get, head, kind, open, post, pseudo, reset, window,
};

fn fields(path: &str) -> Vec<u8> {
    block(&pseudo("GET", path))
}

fn continuation(stream: u32) -> Vec<u8> {
    frame(
        kind::CONTINUATION,
        flag::END_HEADERS,
        stream,
        &fields("/bad"),
    )
}

#[tokio::test]
async fn idle_streams_take_nothing_but_a_head_and_a_priority() {
    let wrong = |name, sent: &[u8]| Case::breaks(name, Reason::PROTOCOL_ERROR, &[sent]);
    check(&[
        wrong("5.1 idle: DATA", &data(1, b"x")),
        wrong("5.1 idle: RST_STREAM", &reset(1)),
        wrong("5.1 idle: WINDOW_UPDATE", &window(1, 100)),
        wrong("5.1 idle: CONTINUATION", &continuation(1)),
    ])
    .await;
}

#[tokio::test]
async fn a_stream_whose_request_is_whole_takes_no_more_of_it() {
    let asked = get(1, "/waits");
    let closed = |name, sent: &[&[u8]]| Case::breaks(name, Reason::STREAM_CLOSED, sent);
    check(&[
        closed("5.1 half-closed: DATA", &[&asked, &data(1, b"x")]),
        closed(
            "5.1 half-closed: HEADERS",
            &[&asked, &head(1, &fields("/bad"))],
        ),
        Case::breaks(
            "5.1 half-closed: CONTINUATION",
            Reason::PROTOCOL_ERROR,
            &[&asked, &continuation(1)],
        ),
        Case::serves("5.1 half-closed: WINDOW_UPDATE", &[&asked, &window(1, 1)]),
        Case::serves("5.1 half-closed: RST_STREAM", &[&asked, &reset(1)]),
        Case::serves(
            "5.1 half-closed: PRIORITY",
            &[&asked, &frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_stream_that_its_client_has_reset_takes_nothing() {
    let gone = [post(1, "/begun"), reset(1)].concat();
    let closed = |name, sent: &[u8]| Case::breaks(name, Reason::STREAM_CLOSED, &[&gone, sent]);
    check(&[
        Case::resets(
            "5.1 closed by a reset: DATA",
            1,
            Reason::STREAM_CLOSED,
            &[&gone, &data(1, b"x")],
        ),
        closed("5.1 closed by a reset: HEADERS", &head(1, &fields("/bad"))),
        Case::breaks(
            "5.1 closed by a reset: CONTINUATION",
            Reason::PROTOCOL_ERROR,
            &[&gone, &continuation(1)],
        ),
        Case::serves(
            "5.1 closed by a reset: WINDOW_UPDATE",
            &[&gone, &window(1, 1)],
        ),
        Case::serves("5.1 closed by a reset: RST_STREAM", &[&gone, &reset(1)]),
        Case::serves(
            "5.1 closed by a reset: PRIORITY",
            &[&gone, &frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1])],
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_stream_that_was_answered_takes_nothing() {
    let closed =
        |name, sent: &[u8]| Case::breaks(name, Reason::STREAM_CLOSED, &[sent]).after_answer();
    let serves = |name, sent: &[u8]| Case::serves(name, &[sent]).after_answer();
    check(&[
        Case::resets(
            "5.1 closed: DATA",
            1,
            Reason::STREAM_CLOSED,
            &[&data(1, b"x")],
        )
        .after_answer(),
        closed("5.1 closed: HEADERS", &head(1, &fields("/bad"))),
        Case::breaks(
            "5.1 closed: CONTINUATION",
            Reason::PROTOCOL_ERROR,
            &[&continuation(1)],
        )
        .after_answer(),
        serves("5.1 closed: WINDOW_UPDATE", &window(1, 1)),
        serves("5.1 closed: RST_STREAM", &reset(1)),
        serves(
            "5.1 closed: PRIORITY",
            &frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1]),
        ),
    ])
    .await;
}

#[tokio::test]
async fn numbers_of_streams_are_odd_and_grow() {
    check(&[
        Case::breaks(
            "5.1.1 an even number",
            Reason::PROTOCOL_ERROR,
            &[&get(2, "/bad")],
        ),
        Case::breaks(
            "5.1.1 a smaller number",
            Reason::PROTOCOL_ERROR,
            &[&get(5, "/sound"), &get(3, "/bad")],
        ),
        Case::resets(
            "5.1.1 DATA on a number that was passed over",
            3,
            Reason::STREAM_CLOSED,
            &[&get(5, "/sound"), &data(3, b"x")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    const ALLOWED: u32 = 256;
    let streams: Vec<_> = (0..ALLOWED).map(|n| get(2 * n + 1, "/waits")).collect();
    let beyond = 2 * ALLOWED + 1;
    let waiting = streams.concat();
    // Those that wait leave no place for another, so their connection cannot
    // be asked whether it serves before one of them is gone.
    check(&[Case::resets(
        "5.1.2 one stream more",
        beyond,
        Reason::REFUSED_STREAM,
        &[&waiting, &get(beyond, "/bad"), &reset(1)],
    )])
    .await;
}

#[tokio::test]
async fn trailers_end_their_stream() {
    let begun = [post(1, "/begun"), data(1, b"half")].concat();
    check(&[
        Case::resets(
            "8.1 a second head",
            1,
            Reason::PROTOCOL_ERROR,
            &[&begun, &open(1, &block(&[("x-sum", "1")]))],
        ),
        Case::breaks(
            "8.1 trailers in upper case",
            Reason::PROTOCOL_ERROR,
            &[&begun, &head(1, &block(&[("X-Sum", "1")]))],
        ),
        Case::answers(
            "8.1 trailers",
            1,
            &[
                &post(1, "/sound"),
                &data(1, b"whole"),
                &head(1, &block(&[("x-sum", "1")])),
            ],
        ),
        // It should make the request malformed. The library that reads frames
        // drops it instead, so that nobody can take it for something else.
        Case::answers(
            "8.1 trailers with a pseudo-header",
            1,
            &[
                &post(1, "/sound"),
                &data(1, b"whole"),
                &head(1, &block(&[(":path", "/bad")])),
            ],
        ),
    ])
    .await;
}
