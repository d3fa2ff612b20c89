//! Frames by themselves: their sizes, flags, padding and streams (RFC 9113 §4,
//! §5.5 and §6).

use h2::Reason;

use super::{Case, check};
use crate::support::http2::{
    block, data, flag, frame, get, head, kind, post, pseudo, setting, settings, window,
};

/// The largest frame that is taken (§6.5.2).
const LARGEST: usize = 16 << 10;

#[tokio::test]
async fn frames_of_a_wrong_size_are_errors() {
    let large = vec![b'x'; LARGEST + 1];
    let begun = post(1, "/begun");
    let size = |name, sent: &[&[u8]]| Case::breaks(name, Reason::FRAME_SIZE_ERROR, sent);
    check(&[
        size("4.2 DATA beyond the largest", &[&begun, &data(1, &large)]),
        size("4.2 HEADERS beyond the largest", &[&head(1, &large)]),
        size(
            "4.2 CONTINUATION beyond the largest",
            &[
                &frame(kind::HEADERS, 0, 1, &[]),
                &frame(kind::CONTINUATION, 0, 1, &large),
            ],
        ),
        size(
            "4.2 an unknown frame beyond the largest",
            &[&frame(0xfa, 0, 0, &large)],
        ),
        size(
            "6.3 PRIORITY of 4 bytes",
            &[&frame(kind::PRIORITY, 0, 1, &[0; 4])],
        ),
        size(
            "6.3 PRIORITY of 6 bytes",
            &[&frame(kind::PRIORITY, 0, 1, &[0; 6])],
        ),
        size(
            "6.4 RST_STREAM of 3 bytes",
            &[&begun, &frame(kind::RST_STREAM, 0, 1, &[0; 3])],
        ),
        size(
            "6.4 RST_STREAM of 5 bytes",
            &[&begun, &frame(kind::RST_STREAM, 0, 1, &[0; 5])],
        ),
        size(
            "6.5 an acknowledgement with settings",
            &[&frame(kind::SETTINGS, flag::ACK, 0, &[0; 6])],
        ),
        size(
            "6.5 SETTINGS of 5 bytes",
            &[&frame(kind::SETTINGS, 0, 0, &[0; 5])],
        ),
        size(
            "6.5 SETTINGS of 7 bytes",
            &[&frame(kind::SETTINGS, 0, 0, &[0; 7])],
        ),
        size("6.7 PING of 7 bytes", &[&frame(kind::PING, 0, 0, &[0; 7])]),
        size("6.7 PING of 9 bytes", &[&frame(kind::PING, 0, 0, &[0; 9])]),
        size(
            "6.8 GOAWAY of 7 bytes",
            &[&frame(kind::GOAWAY, 0, 0, &[0; 7])],
        ),
        size(
            "6.9 WINDOW_UPDATE of 3 bytes",
            &[&frame(kind::WINDOW_UPDATE, 0, 0, &[1; 3])],
        ),
        size(
            "6.9 WINDOW_UPDATE of 5 bytes",
            &[&frame(kind::WINDOW_UPDATE, 0, 0, &[1; 5])],
        ),
        Case::answers(
            "4.2 DATA as large as allowed",
            1,
            &[
                &post(1, "/sound"),
                &frame(kind::DATA, flag::END_STREAM, 1, &large[..LARGEST]),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn frames_on_a_wrong_stream_are_errors() {
    let begun = post(1, "/begun");
    let bad = block(&pseudo("GET", "/bad"));
    let wrong = |name, sent: &[&[u8]]| Case::breaks(name, Reason::PROTOCOL_ERROR, sent);
    check(&[
        wrong("6.1 DATA on stream 0", &[&data(0, b"x")]),
        wrong("6.2 HEADERS on stream 0", &[&head(0, &bad)]),
        wrong(
            "6.3 PRIORITY on stream 0",
            &[&frame(kind::PRIORITY, 0, 0, &[0; 5])],
        ),
        wrong(
            "6.4 RST_STREAM on stream 0",
            &[&frame(kind::RST_STREAM, 0, 0, &[0; 4])],
        ),
        wrong(
            "6.5 SETTINGS on a stream",
            &[&begun, &frame(kind::SETTINGS, 0, 1, &[])],
        ),
        wrong(
            "6.7 PING on a stream",
            &[&begun, &frame(kind::PING, 0, 1, &[0; 8])],
        ),
        wrong(
            "6.8 GOAWAY on a stream",
            &[&begun, &frame(kind::GOAWAY, 0, 1, &[0; 8])],
        ),
        wrong(
            "6.10 CONTINUATION on stream 0",
            &[&frame(kind::CONTINUATION, flag::END_HEADERS, 0, &bad)],
        ),
        wrong(
            "6.6 PUSH_PROMISE from a client",
            &[
                &begun,
                &frame(
                    kind::PUSH_PROMISE,
                    flag::END_HEADERS,
                    1,
                    &[&[0, 0, 0, 2], &bad[..]].concat(),
                ),
            ],
        ),
        wrong(
            "6.6 PUSH_PROMISE on stream 0",
            &[&frame(
                kind::PUSH_PROMISE,
                flag::END_HEADERS,
                0,
                &[&[0, 0, 0, 2], &bad[..]].concat(),
            )],
        ),
    ])
    .await;
}

#[tokio::test]
async fn padding_must_fit_into_its_frame() {
    let begun = post(1, "/begun");
    let sound = block(&pseudo("GET", "/sound"));
    let bad = block(&pseudo("GET", "/bad"));
    let whole = flag::END_HEADERS | flag::END_STREAM;
    let padded =
        |kind, flags, payload: &[&[u8]]| frame(kind, flags | flag::PADDED, 1, &payload.concat());
    let wrong = |name, sent: &[&[u8]]| Case::breaks(name, Reason::PROTOCOL_ERROR, sent);
    let too_long = u8::try_from(bad.len() + 1).expect("a short block");
    check(&[
        wrong(
            "6.1 DATA all of which is padding, and more",
            &[&begun, &padded(kind::DATA, 0, &[&[6], b"data!"])],
        ),
        wrong(
            "6.1 DATA whose padding has no length",
            &[&begun, &padded(kind::DATA, 0, &[])],
        ),
        wrong(
            "6.2 HEADERS all of which is padding, and more",
            &[&padded(kind::HEADERS, whole, &[&[too_long], &bad])],
        ),
        wrong(
            "6.2 HEADERS whose padding has no length",
            &[&padded(kind::HEADERS, whole, &[])],
        ),
        Case::answers(
            "6.2 HEADERS with padding and a priority",
            1,
            &[&padded(
                kind::HEADERS,
                whole | flag::PRIORITY,
                &[&[3], &[0, 0, 0, 0, 16], &sound, &[0; 3]],
            )],
        ),
        Case::answers(
            "6.1 DATA that is padding alone",
            1,
            &[
                &post(1, "/sound"),
                &padded(kind::DATA, flag::END_STREAM, &[&[3], &[0; 3]]),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn header_blocks_are_not_interrupted() {
    let sound = block(&pseudo("GET", "/sound"));
    let bad = block(&pseudo("GET", "/bad"));
    let begin = |block: &[u8]| frame(kind::HEADERS, flag::END_STREAM, 1, block);
    let go_on = |stream, flags, block: &[u8]| frame(kind::CONTINUATION, flags, stream, block);
    let end = go_on(1, flag::END_HEADERS, &[]);
    let wrong = |name, sent: &[&[u8]]| Case::breaks(name, Reason::PROTOCOL_ERROR, sent);
    check(&[
        wrong(
            "6.2 DATA within a block",
            &[&begin(&bad), &data(1, b"x"), &end],
        ),
        wrong(
            "6.2 HEADERS of another stream within a block",
            &[&begin(&bad), &get(3, "/bad")],
        ),
        wrong(
            "6.2 HEADERS of the same stream within a block",
            &[&begin(&bad), &get(1, "/bad")],
        ),
        wrong(
            "4.3 PRIORITY within a block",
            &[&begin(&bad), &frame(kind::PRIORITY, 0, 1, &[0; 5]), &end],
        ),
        wrong(
            "4.3 SETTINGS within a block",
            &[&begin(&bad), &settings(&[]), &end],
        ),
        wrong(
            "4.3 PING within a block",
            &[&begin(&bad), &frame(kind::PING, 0, 0, &[0; 8]), &end],
        ),
        wrong(
            "4.3 WINDOW_UPDATE within a block",
            &[&begin(&bad), &window(0, 1), &end],
        ),
        wrong(
            "5.5 an unknown frame within a block",
            &[&begin(&bad), &frame(0xfa, 0, 1, b"x"), &end],
        ),
        wrong(
            "6.10 CONTINUATION of another stream",
            &[&begin(&bad), &go_on(3, flag::END_HEADERS, &[])],
        ),
        wrong(
            "6.10 CONTINUATION of nothing",
            &[&go_on(1, flag::END_HEADERS, &bad)],
        ),
        wrong(
            "6.10 CONTINUATION after the end of a block",
            &[
                &post(1, "/begun"),
                &go_on(1, flag::END_HEADERS, &block(&[("x", "y")])),
            ],
        ),
        Case::answers(
            "6.10 a block in many pieces",
            1,
            &[
                &begin(&[]),
                &go_on(1, 0, &sound[..1]),
                &go_on(1, 0, &[]),
                &go_on(1, 0, &sound[1..20]),
                &go_on(1, flag::END_HEADERS, &sound[20..]),
            ],
        ),
    ])
    .await;
}

#[tokio::test]
async fn settings_have_their_ranges() {
    let breaks = |name, reason, pair| Case::breaks(name, reason, &[&settings(&[pair])]);
    let wrong = |name, pair| breaks(name, Reason::PROTOCOL_ERROR, pair);
    check(&[
        wrong("6.5.2 ENABLE_PUSH of 2", (setting::ENABLE_PUSH, 2)),
        breaks(
            "6.5.2 INITIAL_WINDOW_SIZE of 2^31",
            Reason::FLOW_CONTROL_ERROR,
            (setting::INITIAL_WINDOW_SIZE, 1 << 31),
        ),
        wrong(
            "6.5.2 MAX_FRAME_SIZE below 2^14",
            (setting::MAX_FRAME_SIZE, (1 << 14) - 1),
        ),
        wrong(
            "6.5.2 MAX_FRAME_SIZE of 2^24",
            (setting::MAX_FRAME_SIZE, 1 << 24),
        ),
        wrong(
            "RFC 8441 3 ENABLE_CONNECT_PROTOCOL of 2",
            (setting::ENABLE_CONNECT_PROTOCOL, 2),
        ),
        Case::serves(
            "6.5.2 an unknown setting",
            &[&settings(&[(0xabcd, u32::MAX)])],
        ),
        Case::serves(
            "6.5.3 the last of equal settings counts",
            &[&settings(&[
                (setting::INITIAL_WINDOW_SIZE, 0),
                (setting::INITIAL_WINDOW_SIZE, 100),
            ])],
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_unknown_is_passed_over() {
    let reserved = 1 << 31;
    let unknown_reason = 0x1234_5678_u32.to_be_bytes();
    check(&[
        Case::serves(
            "4.1 an unknown frame",
            &[&frame(0xfa, 0xff, 0, b"whatever")],
        ),
        Case::serves(
            "5.5 an unknown frame on a stream",
            &[&frame(0xfa, 0, 9, b"whatever")],
        ),
        Case::serves(
            "4.1 undefined flags",
            &[&frame(kind::PING, 0xfe, 0, &[0; 8])],
        ),
        Case::serves(
            "4.1 the reserved bit",
            &[&frame(kind::PING, 0, reserved, &[0; 8])],
        ),
        Case::serves(
            "6.9 the reserved bit of an increment",
            &[&window(0, reserved | 1)],
        ),
        Case::serves(
            "7 a reset for an unknown reason",
            &[
                &post(1, "/begun"),
                &frame(kind::RST_STREAM, 0, 1, &unknown_reason),
            ],
        ),
        Case::serves(
            "6.3 PRIORITY of a stream that nobody has opened",
            &[&frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 0, 16])],
        ),
        Case::serves(
            "5.3.2 PRIORITY of a stream before itself",
            &[&frame(kind::PRIORITY, 0, 9, &[0, 0, 0, 9, 16])],
        ),
    ])
    .await;
}
