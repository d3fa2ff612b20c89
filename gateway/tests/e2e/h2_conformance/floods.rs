//! Clients that keep the gateway busy at no cost to themselves: it gives them
//! up or holds them off in bounded memory, and serves the others.

use h2::Reason;

use super::upstream;
use crate::support::http2::{
    Frame, Frames, block, data, flag, frame, get, head, kind, post, pseudo, reset, setting,
    settings, window,
};
use crate::support::{Builder, Gateway, Load, Pool, Upstream, eventually, plain};

/// How much a client sends.
const FLOOD: usize = 16 << 20;

/// What a flood may cost: less than what was sent.
const MOST_MEMORY: usize = 8 << 20;

/// How much is written at a time, so that the gateway finds it all together.
const AT_A_TIME: usize = 64 << 10;

/// The largest window, to which one may not add.
const LARGEST: u32 = (1 << 31) - 1;

/// How a flood has ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The gateway has closed the connection.
    Closed(Option<Reason>),
    /// All was sent.
    Sent,
}

const CALM: End = End::Closed(Some(Reason::ENHANCE_YOUR_CALM));

/// What of the gateway's answers a client reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    All,
    Nothing,
}

/// Send `round` again and again, each time with another number, beside other
/// clients, none of which may fail.
async fn flood(reads: Reads, before: &[u8], round: impl Fn(u32) -> Vec<u8>) -> End {
    let server = upstream().await;
    let builder = Builder::new().with("[timeouts]\nbody_idle = \"500ms\"");
    let gateway = builder.pool(Pool::of(&[&server])).start().await;
    let others = Load::on(gateway.address(), "/sound");
    others.goes_on(100).await;
    let memory = gateway.memory();
    let mut client = Frames::begun(gateway.address(), &[]).await;
    client.send(before).await;
    let end = send(&mut client, reads, round).await;
    others.goes_on(100).await;
    let grown = gateway.memory().saturating_sub(memory);
    assert!(grown < MOST_MEMORY, "{} KiB", grown >> 10);
    drop(client);
    others.stop_without_failure().await;
    gateway.settles().await;
    for request in server.requests() {
        let is_sound = matches!(request.target(), "/sound" | "/waits");
        assert!(is_sound || !request.is_whole, "{request:?}");
    }
    end
}

async fn send(client: &mut Frames, reads: Reads, round: impl Fn(u32) -> Vec<u8>) -> End {
    let (mut count, mut sent) = (0, 0);
    while sent < FLOOD {
        let mut bytes = Vec::new();
        while bytes.len() < AT_A_TIME {
            bytes.extend(round(count));
            count += 1;
        }
        sent += bytes.len();
        let is_sent = match reads {
            Reads::All => client.send_and_forget(&bytes).await,
            Reads::Nothing => client.send(&bytes).await,
        };
        if !is_sent {
            return End::Closed(client.farewell().await);
        }
    }
    End::Sent
}

/// The number of a round's stream.
fn stream(count: u32) -> u32 {
    2 * count + 1
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_their_connection() {
    let round = |count| [get(stream(count), "/waits"), reset(stream(count))].concat();
    assert_eq!(flood(Reads::All, &[], round).await, CALM);
}

#[tokio::test]
async fn requests_that_make_the_gateway_take_them_back_end_their_connection() {
    let round = |count| [get(stream(count), "/waits"), window(stream(count), LARGEST)].concat();
    assert_eq!(flood(Reads::All, &[], round).await, CALM);
}

#[tokio::test]
async fn header_blocks_without_an_end_end_their_connection() {
    let begin = frame(
        kind::HEADERS,
        flag::END_STREAM,
        1,
        &block(&pseudo("GET", "/bad")),
    );
    let long = "x".repeat(8 << 10);
    for piece in [Vec::new(), block(&[("x", "y")]), block(&[("x", &long)])] {
        let round = |_| frame(kind::CONTINUATION, 0, 1, &piece);
        assert_eq!(
            flood(Reads::All, &begin, round).await,
            CALM,
            "{}",
            piece.len()
        );
    }
}

#[tokio::test]
async fn header_blocks_that_unfold_into_much_cost_little() {
    // A field of 4000 bytes that is kept, and then named by one byte each time.
    let value = "x".repeat(4000);
    let kept = [&[0x40], &block(&[("x-large", &value)])[1..]].concat();
    let begin = head(1, &[&block(&pseudo("GET", "/sound"))[..], &kept].concat());
    let request = [&block(&pseudo("GET", "/bad"))[..], &[0x80 | 62; 10_000]].concat();
    let round = |count| head(stream(count + 1), &request);
    flood(Reads::All, &begin, round).await;
}

#[tokio::test]
async fn questions_are_answered_as_fast_as_the_answers_are_read() {
    let ping = frame(kind::PING, 0, 0, b"and now?");
    let change = settings(&[(setting::HEADER_TABLE_SIZE, 100)]);
    for question in [ping, change] {
        let sent = flood(Reads::All, &[], |_| question.clone()).await;
        assert_eq!(sent, End::Sent);
        let held_off = flood(Reads::Nothing, &[], |_| question.clone()).await;
        assert!(matches!(held_off, End::Closed(_)), "{held_off:?}");
    }
}

#[tokio::test]
async fn bodies_in_crumbs_end_their_connection() {
    let begin = post(1, "/begun");
    let padding = frame(kind::DATA, flag::PADDED, 1, &[1, 0]);
    for crumb in [data(1, &[]), padding] {
        let end = flood(Reads::All, &begin, |_| crumb.clone()).await;
        assert_eq!(end, CALM);
    }
}

#[tokio::test]
async fn what_needs_no_answer_costs_nothing() {
    let priority = frame(kind::PRIORITY, 0, 1, &[0, 0, 0, 0, 1]);
    let unknown = frame(0xfa, 0, 1, b"whatever");
    for crumb in [priority, unknown, window(0, 1)] {
        let end = flood(Reads::All, &[], |_| crumb.clone()).await;
        assert_eq!(end, End::Sent);
    }
}

#[tokio::test]
async fn responses_that_have_no_window_wait_in_little_memory_and_not_for_ever() {
    const STREAMS: u32 = 200;
    let server = Upstream::answering(|request| match request.target() {
        "/large" => plain(&"x".repeat(1 << 20)),
        _ => plain("sound"),
    })
    .await;
    let builder = Builder::new().with("[timeouts]\nbody_idle = \"1s\"");
    let gateway: Gateway = builder.pool(Pool::of(&[&server])).start().await;
    let others = Load::on(gateway.address(), "/sound");
    others.goes_on(100).await;
    let before = gateway.memory();
    let closed = [(setting::INITIAL_WINDOW_SIZE, 0)];
    let mut client = Frames::begun(gateway.address(), &closed).await;
    for count in 0..STREAMS {
        client.send(get(stream(count), "/large")).await;
    }
    // On a busy machine the first may end before the last has begun.
    let (mut begun, mut ended, mut most) = (0, 0, 0);
    while ended < STREAMS {
        let is_end = |frame: &Frame| frame.is(kind::RST_STREAM);
        let frame = client.find(|frame| frame.is_ok() || is_end(frame)).await;
        match is_end(&frame) {
            true => {
                assert_eq!(frame.reason(), Some(Reason::CANCEL));
                ended += 1;
            }
            false => begun += 1,
        }
        most = most.max(gateway.memory().saturating_sub(before));
    }
    assert_eq!(begun, STREAMS);
    assert!(most < 64 << 20, "{} KiB", most >> 10);
    client.send(window(0, 1 << 20)).await;
    eventually("its own places are free", async || {
        gateway.metric("gatewright_requests_in_flight").await <= 4.0
    })
    .await;
    others.stop_without_failure().await;
    gateway.settles().await;
}
