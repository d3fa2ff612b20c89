//! What is sent when, and what becomes of what a socket does not take.

use std::mem::MaybeUninit;
use std::net::TcpStream as StdTcpStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Wake;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, coop};

use super::*;

async fn pair(outbox: &Rc<Outbox>) -> (Posted, TcpStream) {
    pair_with(Peer::Server, outbox).await
}

async fn pair_with(peer: Peer, outbox: &Rc<Outbox>) -> (Posted, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap());
    let (stream, accepted) = tokio::join!(stream, listener.accept());
    let posted = Posted::new(stream.unwrap(), peer, outbox);
    (posted, accepted.unwrap().0)
}

/// Wait until something has come.
async fn readable(posted: &Posted) {
    let socket = &posted.line.socket;
    poll_fn(|cx| socket.watched().unwrap().poll_read_ready(cx))
        .await
        .unwrap();
}

/// Run a test with somebody who ends the rounds.
async fn with_rounds<F: Future>(test: impl FnOnce(Rc<Outbox>) -> F) -> F::Output {
    let outbox = Rc::new(Outbox::default());
    let served = Rc::clone(&outbox);
    let local = LocalSet::new();
    local.spawn_local(async move { served.serve().await });
    local.run_until(test(outbox)).await
}

/// Whether something has come. The socket itself is asked: what the runtime knows of it
/// is older.
fn has_come(peer: &TcpStream) -> bool {
    let early = SockRef::from(peer).peek(&mut [MaybeUninit::uninit()]);
    early.is_ok_and(|bytes| bytes > 0)
}

#[tokio::test]
async fn what_is_posted_waits_for_the_rounds_end() {
    let outbox = Rc::new(Outbox::default());
    let (posted, peer) = pair(&outbox).await;
    posted.post(b"one");
    assert!(!has_come(&peer));
    outbox.send();
    peer.readable().await.unwrap();
    assert!(has_come(&peer));
}

/// How many writes wait for the round's end.
fn waiting(outbox: &Outbox) -> usize {
    let letters = [&outbox.to_servers, &outbox.to_clients];
    letters.map(|one| one.borrow().addressed.len()).iter().sum()
}

/// End a round.
fn end(outbox: &Outbox) {
    let mut serve = pin!(outbox.serve());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(serve.as_mut().poll(&mut cx).is_pending());
}

#[tokio::test]
async fn in_a_small_round_it_waits_for_the_next_one_who_posts() {
    let outbox = Rc::new(Outbox::default());
    let (server, its_peer) = pair(&outbox).await;
    let (client, _its_peer) = pair_with(Peer::Client, &outbox).await;
    server.post(b"head");
    server.post(b"body");
    assert_eq!(waiting(&outbox), 1, "they go out as one");
    client.post(b"answer");
    assert_eq!(waiting(&outbox), 1);
    its_peer.readable().await.unwrap();
    assert_eq!(its_peer.try_read(&mut [0; 16]).unwrap(), 8);
    server.post(b"more");
    assert_eq!(waiting(&outbox), 1);
}

#[tokio::test]
async fn in_a_large_round_and_the_one_behind_it_all_wait_for_the_end() {
    let outbox = Rc::new(Outbox::default());
    let (mut long, mut its_peer) = pair(&outbox).await;
    let bytes = [0; LONGEST + 1];
    let (server, mut server_peer) = pair(&outbox).await;
    let (client, _client_peer) = pair_with(Peer::Client, &outbox).await;
    let wait_in_a_round = || {
        server.post(b"a");
        client.post(b"b");
        server.post(b"c");
        let waiting = waiting(&outbox);
        end(&outbox);
        waiting
    };
    assert_eq!(wait_in_a_round(), 1);
    // Whoever writes much counts too, though it is sent at once.
    for _ in 0..SMALL {
        long.write_all(&bytes).await.unwrap();
        its_peer.read_exact(&mut [0; LONGEST + 1]).await.unwrap();
    }
    assert_eq!(wait_in_a_round(), 2, "a large round");
    assert_eq!(wait_in_a_round(), 2, "the one behind it");
    assert_eq!(wait_in_a_round(), 1);
    let mut read = [0; 8];
    server_peer.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"acacacac");
}

#[tokio::test]
async fn rounds_of_long_writes_end_too() {
    with_rounds(|outbox| async move {
        let (mut long, mut its_peer) = pair(&outbox).await;
        let bytes = [0; LONGEST + 1];
        for _ in 0..SMALL {
            long.write_all(&bytes).await.unwrap();
            its_peer.read_exact(&mut [0; LONGEST + 1]).await.unwrap();
            while outbox.writes.get() > 0 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(outbox.writes_before.get(), 1);
    })
    .await;
}

#[tokio::test]
async fn short_and_long_writes_keep_their_order() {
    with_rounds(|outbox| async move {
        let (mut posted, mut peer) = pair(&outbox).await;
        let long = vec![b'l'; LONGEST + 1];
        posted.write_all(b"short").await.unwrap();
        posted.write_all(&long).await.unwrap();
        posted.write_all(b"again").await.unwrap();
        posted.shutdown().await.unwrap();
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, [&b"short"[..], &long, b"again"].concat());
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_reads_slowly_gets_everything() {
    with_rounds(|outbox| async move {
        let (posted, mut peer) = pair(&outbox).await;
        let bytes: Vec<u8> = (0..20_000_000_u32).map(|at| at as u8).collect();
        for piece in bytes.chunks(1_000_000) {
            posted.post(piece);
        }
        let mut read = vec![0; bytes.len()];
        peer.read_exact(&mut read).await.unwrap();
        assert!(read == bytes);
    })
    .await;
}

#[tokio::test]
async fn what_a_peer_has_yet_to_take_is_known_wherever_it_waits() {
    with_rounds(|outbox| async move {
        let (posted, mut peer) = pair(&outbox).await;
        posted.post(&vec![0; 20_000_000]);
        // The peer's system takes a little of it unasked, and this one's has not room for
        // all the rest.
        assert!(posted.untaken() > 15_000_000);
        let mut read = vec![0; 20_000_000];
        peer.read_exact(&mut read).await.unwrap();
        while posted.untaken() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_writer_waits_while_the_socket_is_full_and_goes_on_afterwards() {
    with_rounds(|outbox| async move {
        let (mut posted, mut peer) = pair(&outbox).await;
        posted.post(&vec![0; 20_000_000]);
        let more = std::future::poll_fn(|cx| {
            let written = Pin::new(&mut posted).poll_write(cx, b"more");
            Poll::Ready(written.is_pending())
        });
        assert!(more.await, "the rest of the first write goes first");
        let reading = async {
            let mut read = Vec::new();
            peer.read_to_end(&mut read).await.unwrap();
            read.len()
        };
        let writing = async {
            posted.write_all(b"more").await.unwrap();
            posted.shutdown().await.unwrap();
        };
        let (read, ()) = tokio::join!(reading, writing);
        assert_eq!(read, 20_000_004);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_given_up_is_closed_whatever_its_peer_has_not_taken() {
    with_rounds(|outbox| async move {
        let (posted, mut peer) = pair(&outbox).await;
        posted.post(&vec![0; 20_000_000]);
        tokio::task::yield_now().await;
        assert!(!posted.is_clear(), "the socket takes less than that");
        drop(posted);
        let mut read = Vec::new();
        // It ends, with or without a reset, and before everything came.
        let _ = peer.read_to_end(&mut read).await;
        assert!(read.len() < 20_000_000);
        assert!(outbox.held.borrow().is_empty());
    })
    .await;
}

#[tokio::test]
async fn who_has_sent_the_last_byte_and_reads_on_tells_its_peer() {
    with_rounds(|outbox| async move {
        let (mut posted, mut peer) = pair(&outbox).await;
        posted.write_all(b"that is all").await.unwrap();
        posted.shutdown().await.unwrap();
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"that is all");
        peer.write_all(b"!").await.unwrap();
        assert_eq!(posted.read_u8().await.unwrap(), b'!');
    })
    .await;
}

#[tokio::test]
async fn who_closes_behind_the_last_byte_does_not_wait_for_the_rounds_end() {
    let outbox = Rc::new(Outbox::default());
    let (mut posted, mut peer) = pair(&outbox).await;
    posted.write_all(b"that is all").await.unwrap();
    posted.shutdown().await.unwrap();
    drop(posted);
    let mut read = Vec::new();
    peer.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"that is all");
    outbox.tell_ends();
    assert!(outbox.ended.borrow().is_empty());
}

#[tokio::test]
async fn a_broken_connection_fails_the_next_write() {
    let outbox = Rc::new(Outbox::default());
    let (mut posted, peer) = pair(&outbox).await;
    peer.set_zero_linger().unwrap();
    drop(peer);
    let mut buffer = [0];
    readable(&posted).await;
    posted.try_read(&mut buffer).unwrap_err();
    posted.post(b"lost");
    outbox.send();
    posted.write_all(b"noticed").await.unwrap_err();
}

/// A connection that the runtime does not know of yet, and its other side.
async fn unwatched_pair(outbox: &Rc<Outbox>) -> (Posted, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let stream: StdTcpStream = accepted.unwrap().0.into_std().unwrap();
    let posted = Posted::new(stream, Peer::Client, outbox);
    (posted, peer.unwrap())
}

#[tokio::test]
async fn a_socket_is_taken_away_behind_what_was_written() {
    let outbox = Rc::new(Outbox::default());
    for (posted, mut peer) in [pair(&outbox).await, unwatched_pair(&outbox).await] {
        posted.post(b"before, ");
        assert!(posted.send_all());
        let mut socket = posted.take_socket().unwrap();
        drop(posted);
        std::io::Write::write_all(&mut socket, b"after").unwrap();
        drop(socket);
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"before, after");
    }
}

#[tokio::test]
async fn what_a_socket_has_not_taken_is_not_sent() {
    let outbox = Rc::new(Outbox::default());
    let (posted, _peer) = pair(&outbox).await;
    posted.post(&vec![0; 20_000_000]);
    assert!(!posted.send_all());
}

#[tokio::test]
async fn one_request_and_its_answer_need_nobody_who_is_told_when_something_comes() {
    let outbox = Rc::new(Outbox::default());
    let (mut posted, mut peer) = unwatched_pair(&outbox).await;
    peer.write_all(b"asked").await.unwrap();
    let mut place = [0; 8];
    assert_eq!(posted.read(&mut place).await.unwrap(), 5);
    posted.write_all(b"answered").await.unwrap();
    posted.shutdown().await.unwrap();
    assert!(!posted.is_watched());
    drop(posted);
    let mut read = Vec::new();
    peer.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"answered");
}

#[tokio::test]
async fn who_waits_on_one_that_nobody_watched_is_woken() {
    let outbox = Rc::new(Outbox::default());
    for has_come in [false, true] {
        let (mut posted, mut peer) = unwatched_pair(&outbox).await;
        if has_come {
            peer.write_all(b"a").await.unwrap();
            assert_eq!(posted.read_u8().await.unwrap(), b'a');
        }
        assert!(is_silent(&mut posted).await && posted.is_watched());
        let (byte, sent) = tokio::join!(posted.read_u8(), peer.write_all(b"b"));
        sent.unwrap();
        assert_eq!(byte.unwrap(), b'b');
        drop(peer);
        posted.read_u8().await.unwrap_err();
    }
}

#[tokio::test]
async fn an_answer_goes_out_though_the_next_question_is_waited_for_already() {
    let outbox = Rc::new(Outbox::default());
    let (mut posted, mut peer) = unwatched_pair(&outbox).await;
    posted.post(b"answer");
    assert!(is_silent(&mut posted).await && posted.is_watched());
    outbox.send();
    assert!(
        posted.is_clear(),
        "nobody has to wait for the runtime's word"
    );
    let mut place = [0; 6];
    peer.read_exact(&mut place).await.unwrap();
    assert_eq!(&place, b"answer");
}

#[tokio::test]
async fn a_peer_that_reads_slowly_gets_everything_of_one_that_nobody_watched_too() {
    with_rounds(|outbox| async move {
        let (posted, mut peer) = unwatched_pair(&outbox).await;
        posted.post(&vec![0; 20_000_000]);
        let mut read = vec![0; 20_000_000];
        peer.read_exact(&mut read).await.unwrap();
    })
    .await;
}

/// Whether nothing has come, asked of the reading side.
async fn is_silent(posted: &mut Posted) -> bool {
    poll_fn(|cx| {
        let read = Pin::new(&mut *posted).poll_read(cx, &mut ReadBuf::new(&mut [0]));
        Poll::Ready(read.is_pending())
    })
    .await
}

#[tokio::test]
async fn who_asks_again_and_again_is_woken_whatever_was_done_in_between() {
    let outbox = Rc::new(Outbox::default());
    let (mut posted, mut peer) = pair(&outbox).await;
    for between in 0..3 {
        assert!(is_silent(&mut posted).await && is_silent(&mut posted).await);
        match between {
            0 => _ = posted.try_read(&mut [0]).unwrap_err(),
            1 => {
                let peeked = poll_fn(|cx| {
                    let peeked = std::pin::pin!(posted.peek(&mut [0])).poll(cx);
                    Poll::Ready(peeked.is_pending())
                });
                assert!(peeked.await);
            }
            _ => {}
        }
        let reading = LocalSet::new();
        let read = reading.spawn_local(async move {
            assert!(is_silent(&mut posted).await && is_silent(&mut posted).await);
            (posted.read_u8().await.unwrap(), posted)
        });
        reading
            .run_until(async {
                tokio::task::yield_now().await;
                peer.write_all(b"x").await.unwrap();
            })
            .await;
        let byte;
        (byte, posted) = reading.run_until(read).await.unwrap();
        assert_eq!(byte, b'x');
    }
}

#[tokio::test]
async fn a_reader_that_has_done_enough_for_once_is_woken_too() {
    let outbox = Rc::new(Outbox::default());
    let (mut posted, mut peer) = pair(&outbox).await;
    let reading = LocalSet::new();
    let read = reading.spawn_local(async move {
        poll_fn(|cx| {
            while let Poll::Ready(more) = coop::poll_proceed(cx) {
                more.made_progress();
            }
            Poll::Ready(())
        })
        .await;
        assert!(is_silent(&mut posted).await);
        posted.read_u8().await.unwrap()
    });
    reading
        .run_until(async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            peer.write_all(b"x").await.unwrap();
        })
        .await;
    assert_eq!(reading.run_until(read).await.unwrap(), b'x');
}

/// A task that reads.
struct Reader;

impl Wake for Reader {
    fn wake(self: Arc<Self>) {}
}

#[tokio::test]
async fn who_has_read_is_let_go_of_when_nobody_waits_any_more() {
    let outbox = Rc::new(Outbox::default());
    let (mut posted, mut peer) = pair(&outbox).await;
    let reader = Arc::new(Reader);
    let waker = Waker::from(Arc::clone(&reader));
    let mut cx = Context::from_waker(&waker);
    let mut place = [0; 8];
    let mut buffer = ReadBuf::new(&mut place);
    let read = Pin::new(&mut posted).poll_read(&mut cx, &mut buffer);
    assert!(read.is_pending());
    peer.write_all(b"answer").await.unwrap();
    readable(&posted).await;
    let read = Pin::new(&mut posted).poll_read(&mut cx, &mut buffer);
    assert!(read.is_ready());
    drop(waker);
    posted.try_read(&mut [0]).unwrap_err();
    assert_eq!(Arc::strong_count(&reader), 1);
}
