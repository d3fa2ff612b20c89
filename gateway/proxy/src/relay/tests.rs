//! What is carried between two sockets, and how that ends.

use std::future::poll_fn;
use std::net::TcpStream as StdTcpStream;
use std::task::{Poll, Waker};

use gatewright_host::Ending;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, yield_now};

use super::*;
use crate::tunnel::TUNNEL_LANDING;

/// More than all sockets between a client and a server take.
const VERY_MUCH: usize = 64_000_000;

/// Run a test with a relay at work that reads so much at once.
async fn with_relay<F: Future>(room: usize, test: impl FnOnce(Rc<Relay>) -> F) -> F::Output {
    let relay = Relay::new(room, &Deadlines::new()).unwrap();
    let serving = Rc::clone(&relay);
    let local = LocalSet::new();
    local.spawn_local(async move { serving.serve().await });
    local.run_until(test(relay)).await
}

/// A bare socket, and its other side.
async fn pair() -> (StdTcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (far, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (accepted.unwrap().0.into_std().unwrap(), far.unwrap())
}

/// A client, a server, and the tunnel between them, for each way of which something has
/// come before.
async fn tunnel(relay: &Rc<Relay>, early: [&[u8]; 2]) -> (TcpStream, TcpStream, Joined) {
    let (to_client, client) = pair().await;
    let (to_server, server) = pair().await;
    let joined = relay.join([to_client, to_server], early).unwrap();
    (client, server, joined)
}

async fn ended(joined: &Joined) -> Ending {
    poll_fn(|cx| match joined.so_far(cx).ending {
        Some(ending) => Poll::Ready(ending),
        None => Poll::Pending,
    })
    .await
}

async fn half_closed(joined: &Joined) {
    poll_fn(|cx| match joined.so_far(cx).is_half_closed {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

/// The tick at which something moved last.
fn moved_at(joined: &Joined) -> u64 {
    let cx = Context::from_waker(Waker::noop());
    joined.so_far(&cx).moved_at
}

/// How much memory there is for what was read and is not taken yet.
fn room(relay: &Relay) -> usize {
    let tunnels = relay.tunnels.borrow();
    tunnels
        .iter()
        .map(|(_, tunnel)| tunnel.passage.room())
        .sum()
}

/// Send this and that it is all, and read what arrives.
async fn passes(
    mut from: impl AsyncWrite + Unpin,
    mut to: impl AsyncRead + Unpin,
    bytes: &[u8],
) -> Vec<u8> {
    let sending = async {
        from.write_all(bytes).await.unwrap();
        from.shutdown().await.unwrap();
    };
    let mut read = Vec::new();
    let (arrived, ()) = tokio::join!(to.read_to_end(&mut read), sending);
    arrived.unwrap();
    read
}

#[tokio::test]
async fn everything_arrives_in_order_both_ways_behind_what_came_before() {
    let test = |relay: Rc<Relay>| async move {
        let (client, server, joined) = tunnel(&relay, [&b"up: "[..], b"down: "]).await;
        let (client_hears, client_says) = client.into_split();
        let (server_hears, server_says) = server.into_split();
        let bytes: Vec<u8> = (0..8_000_000_u32).map(|at| (at / 7) as u8).collect();
        let (up, down) = tokio::join!(
            passes(client_says, server_hears, &bytes),
            passes(server_says, client_hears, &bytes),
        );
        assert!(up == [&b"up: "[..], &bytes].concat());
        assert!(down == [&b"down: "[..], &bytes].concat());
        assert_eq!(ended(&joined).await, Ending::Completed);
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn the_end_of_one_way_is_told_and_leaves_the_other_open() {
    let test = |relay: Rc<Relay>| async move {
        let (mut client, mut server, joined) = tunnel(&relay, [&[], &[]]).await;
        let ((), sent) = tokio::join!(half_closed(&joined), async {
            client.write_all(b"the last word").await?;
            client.shutdown().await
        });
        sent.unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "the last word");
        server.write_all(b"an answer").await.unwrap();
        drop(server);
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "an answer");
        assert_eq!(ended(&joined).await, Ending::Completed);
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn last_bytes_of_which_the_system_tells_together_with_the_end_arrive_with_it() {
    let test = |relay: Rc<Relay>| async move {
        let (to_client, mut client) = pair().await;
        let (to_server, mut server) = pair().await;
        client.write_all(b"all there is").await.unwrap();
        client.shutdown().await.unwrap();
        let _joined = relay.join([to_client, to_server], [&[]; 2]).unwrap();
        let mut heard = String::new();
        server.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, "all there is");
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn nothing_more_is_read_before_the_other_side_has_taken_what_was() {
    let test = |relay: Rc<Relay>| async move {
        let (mut client, mut server, _joined) = tunnel(&relay, [&[], &[]]).await;
        let sending = async {
            client.write_all(&vec![7; VERY_MUCH]).await.unwrap();
        };
        let reading = async {
            while room(&relay) == 0 {
                yield_now().await;
            }
            let mut read = vec![0; VERY_MUCH / 64];
            for _ in 0..64 {
                server.read_exact(&mut read).await.unwrap();
                assert!(room(&relay) <= TUNNEL_LANDING);
            }
        };
        tokio::join!(sending, reading);
        while room(&relay) > 0 {
            yield_now().await;
        }
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn who_has_sent_more_than_a_turn_carries_is_carried_on_without_sending_more() {
    let test = |relay: Rc<Relay>| async move {
        let (mut client, mut server, _joined) = tunnel(&relay, [&[], &[]]).await;
        client.write_all(&[b'x'; 1000]).await.unwrap();
        let mut read = [0; 1000];
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(read, [b'x'; 1000]);
    };
    with_relay(7, test).await;
}

#[tokio::test]
async fn a_turn_ends_though_many_tunnels_have_more_to_carry() {
    const ROOM: usize = 7;
    let relay = Relay::new(ROOM, &Deadlines::new()).unwrap();
    let bytes = [b'x'; 16 * ROOM];
    let mut tunnels = Vec::new();
    for _ in 0..60 {
        let (mut client, server, joined) = tunnel(&relay, [&[], &[]]).await;
        client.write_all(&bytes).await.unwrap();
        tunnels.push((client, server, joined));
    }
    let mut work = Work::new(ROOM);
    let mut turns = 1;
    while relay.turn(&mut work) {
        turns += 1;
    }
    assert!(turns > 5, "960 reads in {turns} turns");
    for (_, server, _) in &mut tunnels {
        let mut read = [0; 16 * ROOM];
        server.read_exact(&mut read).await.unwrap();
        assert_eq!(read, bytes);
    }
}

#[tokio::test]
async fn who_breaks_off_is_known() {
    let test = |relay: Rc<Relay>| async move {
        for (is_client, ending) in [(true, Ending::Abandoned), (false, Ending::Broken)] {
            let (client, server, joined) = tunnel(&relay, [&[], &[]]).await;
            let (leaves, _stays) = match is_client {
                true => (client, server),
                false => (server, client),
            };
            leaves.set_zero_linger().unwrap();
            drop(leaves);
            assert_eq!(ended(&joined).await, ending);
        }
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn it_is_known_when_something_moved_last() {
    let test = |relay: Rc<Relay>| async move {
        let (mut client, mut server, joined) = tunnel(&relay, [&[], &[]]).await;
        relay.deadlines.sweep_at(5);
        client.write_all(b"x").await.unwrap();
        server.read_u8().await.unwrap();
        relay.deadlines.sweep_at(7);
        assert_eq!(moved_at(&joined), 5);
        server.write_all(b"x").await.unwrap();
        client.read_u8().await.unwrap();
        relay.deadlines.sweep_at(9);
        assert_eq!(moved_at(&joined), 7);
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn a_tunnel_that_is_given_up_is_closed_and_forgotten() {
    let test = |relay: Rc<Relay>| async move {
        let (mut client, mut server, joined) = tunnel(&relay, [&[], &[]]).await;
        drop(joined);
        assert!(relay.tunnels.borrow().is_empty());
        for side in [&mut client, &mut server] {
            assert_eq!(side.read(&mut [0]).await.unwrap(), 0);
        }
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn what_comes_late_for_a_tunnel_reaches_none_in_its_place() {
    let test = |relay: Rc<Relay>| async move {
        let finds = |token: Token| token.find(&mut relay.tunnels.borrow_mut()).is_some();
        let (_, _, first) = tunnel(&relay, [&[], &[]]).await;
        let (number, place) = (relay.next.get() - 1, first.key);
        let late = Token::new(number, place, 0);
        assert!(finds(late));
        drop(first);
        assert!(!finds(late));
        let (_, _, next) = tunnel(&relay, [&[], &[]]).await;
        assert_eq!(next.key, place);
        assert!(!finds(late) && finds(Token::new(number + 1, place, 1)));
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn the_last_words_of_a_server_that_breaks_off_arrive_at_a_slow_client() {
    const WORDS: usize = 40_000;
    let test = |relay: Rc<Relay>| async move {
        let (to_client, mut client) = pair().await;
        let (to_server, mut server) = pair().await;
        SockRef::from(&to_client)
            .set_send_buffer_size(2_000)
            .unwrap();
        SockRef::from(&client).set_recv_buffer_size(2_000).unwrap();
        server.write_all(&[b'x'; WORDS]).await.unwrap();
        server.set_zero_linger().unwrap();
        drop(server);
        // It cannot be passed on.
        client.write_all(b"more").await.unwrap();
        let joined = relay.join([to_client, to_server], [&[]; 2]).unwrap();
        let ending = async {
            let ending = ended(&joined).await;
            drop(joined);
            ending
        };
        let mut heard = Vec::new();
        let (ending, read) = tokio::join!(ending, client.read_to_end(&mut heard));
        read.unwrap();
        assert_eq!((heard.len(), ending), (WORDS, Ending::Broken));
    };
    with_relay(TUNNEL_LANDING, test).await;
}

#[tokio::test]
async fn a_client_that_breaks_off_counts_as_done_though_the_server_takes_nothing() {
    let test = |relay: Rc<Relay>| async move {
        let (mut client, _server, joined) = tunnel(&relay, [&[], &[]]).await;
        let sending = async { client.write_all(&vec![7; VERY_MUCH]).await };
        let filling = async {
            while room(&relay) == 0 {
                yield_now().await;
            }
        };
        tokio::select! {
            _ = sending => panic!("it is not taken"),
            () = filling => {}
        }
        client.set_zero_linger().unwrap();
        drop(client);
        half_closed(&joined).await;
    };
    with_relay(TUNNEL_LANDING, test).await;
}
