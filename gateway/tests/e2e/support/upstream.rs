//! Servers behind the gateway: honest ones that keep what they were asked, and
//! scripted ones that do to a connection whatever a test wants done.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use super::eventually::soon;
use super::message::Message;
use super::wire::Wire;

/// A server on a port of its own. It stops when it is dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
    serving: JoinHandle<()>,
}

/// What a server has seen.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<Message>>,
    resumed: Notify,
}

/// What an honest server sends for a request.
pub(crate) type Answer = String;

impl Upstream {
    /// A server that answers everything with its name.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::answering(move |_| plain(name)).await
    }

    /// A server that answers each request with these bytes, and keeps its
    /// connections.
    pub(crate) async fn answering(
        answer: impl Fn(&Message) -> Answer + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::scripted(move |peer| honest(peer, answer.clone())).await
    }

    /// A server that does this with every connection, and then closes it.
    pub(crate) async fn scripted<F>(script: impl Fn(Peer) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::on(listener, script)
    }

    /// A server that takes requests and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::scripted(|mut peer| async move {
            peer.request().await;
            peer.stall().await;
        })
        .await
    }

    /// A server that answers `hello`, the first half of what it announces, and no more
    /// for ever.
    pub(crate) async fn that_hangs() -> Self {
        Self::scripted(|mut peer| async move {
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
                .await;
            std::future::pending::<()>().await;
        })
        .await
    }

    /// A server that sends half of its response, `helloworld`, at once and the rest
    /// when told.
    pub(crate) async fn in_two_halves() -> Self {
        Self::scripted(|mut peer| async move {
            peer.request().await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
                .await;
            peer.resumed().await;
            peer.send("world").await;
            peer.stall().await;
        })
        .await
    }

    /// A server that does this with the stream of every connection.
    pub(crate) async fn speaking<F>(speak: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::scripted(move |peer| speak(peer.wire.stream)).await
    }

    /// A server with this name at an address where one was before.
    pub(crate) async fn named_at(name: &'static str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address)
            .await
            .expect("the port of before");
        Self::on(listener, move |peer| honest(peer, move |_| plain(name)))
    }

    /// A server that answers with its address, which may have any port; none
    /// where somebody else has it.
    pub(crate) async fn that_is(address: SocketAddr) -> Option<Self> {
        let listener = TcpListener::bind(address).await.ok()?;
        let name = listener.local_addr().ok()?.to_string();
        let script = move |peer| {
            let name = name.clone();
            honest(peer, move |_| plain(&name))
        };
        Some(Self::on(listener, script))
    }

    /// An address where nobody listens, nor will: its port stays taken.
    pub(crate) fn nowhere() -> SocketAddr {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(any_port).expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        // Held until the test's process ends.
        std::mem::forget(socket);
        address
    }

    fn on<F>(listener: TcpListener, script: impl Fn(Peer) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let seen = Arc::<Seen>::default();
        let known = Arc::clone(&seen);
        Self {
            address: listener.local_addr().expect("it is bound"),
            serving: tokio::spawn(async move {
                // With the server its connections end too.
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    known.connections.fetch_add(1, Ordering::Relaxed);
                    stream.set_nodelay(true).expect("a socket's option");
                    connections.spawn(script(Peer {
                        wire: Wire::new(stream),
                        seen: Arc::clone(&known),
                    }));
                }
            }),
            seen,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests that it has read, oldest first.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.seen.requests.lock().expect("no panic").clone()
    }

    /// The request that it has read, which must be the only one.
    pub(crate) fn request(&self) -> Message {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// Let one script go on that waits for [`Peer::resumed`].
    pub(crate) fn resume(&self) {
        self.seen.resumed.notify_one();
    }

    /// Close it and all its connections, as when its process is killed.
    pub(crate) async fn kill(mut self) -> SocketAddr {
        self.serving.abort();
        let _ = (&mut self.serving).await;
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The server's end of a connection.
pub(crate) struct Peer {
    wire: Wire<TcpStream>,
    seen: Arc<Seen>,
}

impl Peer {
    /// Read a request and keep it; none when the gateway has closed.
    pub(crate) async fn request(&mut self) -> Option<Message> {
        let request = self.wire.request().await?;
        self.note(request.clone());
        Some(request)
    }

    /// Keep a request that was read in another way.
    pub(crate) fn note(&self, request: Message) {
        self.seen.requests.lock().expect("no panic").push(request);
    }

    /// Wait for [`Upstream::resume`].
    pub(crate) async fn resumed(&self) {
        soon("the test's word to go on", self.seen.resumed.notified()).await;
    }

    /// Reset the connection.
    pub(crate) fn reset(self) {
        self.wire
            .stream
            .set_zero_linger()
            .expect("a socket's option");
    }

    /// Stay silent until the gateway closes.
    pub(crate) async fn stall(mut self) {
        self.wire.rest().await;
    }
}

impl Deref for Peer {
    type Target = Wire<TcpStream>;

    fn deref(&self) -> &Self::Target {
        &self.wire
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.wire
    }
}

async fn honest(mut peer: Peer, answer: impl Fn(&Message) -> Answer) {
    while let Some(request) = peer.request().await {
        let mut answer = answer(&request);
        if request.method() == "HEAD" {
            let end = answer.find("\r\n\r\n").expect("a whole head");
            answer.truncate(end + 4);
        }
        if peer.try_send(answer).await.is_err() {
            return;
        }
    }
}

/// A plain response with this body.
pub(crate) fn plain(body: &str) -> Answer {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
