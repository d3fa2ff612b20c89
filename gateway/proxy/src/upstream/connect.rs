//! New connections to a server, and whose turn it is to make one: where many
//! requests will share it, one of them makes it and the others wait.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use gatewright_model::address::Address;
use gatewright_wire::proxy_header::Behalf;
use tokio::sync::Notify;

use super::dial::{Dialed, dial};
use super::{Connection, Landing, Manner, Session, Upstream};
use crate::deadlines::{Deadline, Deadlines, Passed};
use crate::outbox::Outbox;

/// What one request is sent on.
pub(crate) enum Line {
    /// A connection of its own; `reused` if it has served before.
    Http1 {
        connection: Box<Connection>,
        reused: bool,
    },
    /// A stream of a connection that others share.
    Http2(Rc<Session>),
}

/// What a worker's connections write by, read into and are timed by, and for
/// whom they are.
#[derive(Clone, Copy)]
pub(crate) struct By<'a> {
    /// Whom a new one is for.
    pub(crate) client: Behalf,
    pub(crate) deadlines: &'a Rc<Deadlines>,
    pub(crate) outbox: &'a Rc<Outbox>,
    pub(crate) landing: &'a Rc<Landing>,
}

/// Why no address of a server was reached: what became of the last of them.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// It refused, or the system cannot get there.
    Io(io::Error),
    /// It did not answer in time.
    Timeout,
}

/// Whose turn it is to make a connection that many will share.
#[derive(Default)]
pub(super) struct Turn {
    is_taken: Cell<bool>,
    /// Wakes those who wait for it.
    given_back: Notify,
}

impl Turn {
    /// Take it, which nobody else may have.
    fn take(&self) -> Dialing<'_> {
        self.is_taken.set(true);
        Dialing(self)
    }
}

/// The guard of a connection that is being made for many.
struct Dialing<'a>(&'a Turn);

impl Drop for Dialing<'_> {
    fn drop(&mut self) {
        self.0.is_taken.set(false);
        self.0.given_back.notify_waiters();
    }
}

impl Upstream {
    /// A new connection, to the first address that answers; or one that somebody
    /// else has made meanwhile and that is for many. `arm` sets the deadline, and
    /// is called for each address: one that swallows what it is sent must not
    /// take the time of the next.
    pub(crate) async fn connect(
        &self,
        by: By<'_>,
        deadline: &Deadline,
        arm: impl Fn(),
    ) -> Result<Line, ConnectError> {
        arm();
        let _dialing = loop {
            if self.is_single.get() {
                break None;
            }
            if let Some(session) = self.free_session() {
                return Ok(Line::Http2(session));
            }
            if !self.turn.is_taken.get() {
                break Some(self.turn.take());
            }
            let given_back = self.turn.given_back.notified();
            if deadline.limit(given_back).await.is_err() {
                return Err(ConnectError::Timeout);
            }
        };
        self.connect_now(by, deadline, arm).await
    }

    async fn connect_now(
        &self,
        by: By<'_>,
        deadline: &Deadline,
        arm: impl Fn(),
    ) -> Result<Line, ConnectError> {
        let addresses = self.state.addresses.load_full();
        let manner = Rc::clone(&self.manner.borrow());
        let mut failure = ConnectError::Io(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "the server's name does not resolve",
        ));
        for address in addresses.iter() {
            arm();
            let connecting = self.connect_to(address, &manner, by);
            match deadline.limit(connecting).await {
                Ok(Ok(line)) => {
                    self.counters().connections.add(1);
                    return Ok(line);
                }
                Ok(Err(error)) => failure = ConnectError::Io(error),
                Err(Passed) => failure = ConnectError::Timeout,
            }
        }
        Err(failure)
    }

    async fn connect_to(
        &self,
        address: &Address,
        manner: &Rc<Manner>,
        by: By<'_>,
    ) -> io::Result<Line> {
        let dialed = dial(address, &self.host, manner, by).await?;
        // What was found in a manner of before says nothing of now.
        let is_present = || self.manner.borrow().connects_like(manner);
        if is_present() {
            self.is_single.set(matches!(dialed, Dialed::Http1(_)));
        }
        match dialed {
            Dialed::Http1(stream) => {
                let connection = Connection::new(stream, by.landing, manner);
                Ok(Line::Http1 {
                    connection,
                    reused: false,
                })
            }
            Dialed::Http2(stream) => {
                let largest = manner.head_limits.max_bytes;
                let session = Session::begin(stream, largest, by.deadlines).await;
                let session = session.map_err(io::Error::other)?;
                // Who has waited for it gets it in any case.
                if is_present() {
                    self.sessions.borrow_mut().push(Rc::clone(&session));
                }
                Ok(Line::Http2(session))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::pin::pin;
    use std::task::{Context, Waker};
    use std::time::Duration;

    use gatewright_model::config::Protocol;
    use gatewright_wire::proxy_header::ProxyVersion;
    use socket2::{Domain, Socket, Type};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::deadlines::TICK;

    /// A listener whose queue is full, so that whoever connects is not answered.
    async fn swallowing() -> (Socket, Vec<TcpStream>) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut queued = Vec::new();
        let patience = Duration::from_millis(100);
        while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await
        {
            queued.push(connected.unwrap());
        }
        (socket, queued)
    }

    /// What connecting comes to when each address is given a tick.
    async fn connect_to_any(addresses: Vec<SocketAddr>) -> Result<Line, ConnectError> {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let upstream = Upstream::at(addresses, Manner::plain(1));
        let outbox = Rc::new(Outbox::default());
        let landing = Rc::default();
        let by = By {
            client: Behalf::Own,
            deadlines: &deadlines,
            outbox: &outbox,
            landing: &landing,
        };
        let connecting = upstream.connect(by, &deadline, || deadline.arm(TICK));
        let mut connecting = std::pin::pin!(connecting);
        loop {
            match tokio::time::timeout(TICK / 2, &mut connecting).await {
                Ok(connected) => return connected,
                Err(_) => deadlines.sweep(),
            }
        }
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_the_next_its_time() {
        let (swallowing, _queued) = swallowing().await;
        let swallowing = swallowing.local_addr().unwrap().as_socket().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answering = listener.local_addr().unwrap();
        let connected = connect_to_any(vec![swallowing, answering]).await;
        assert!(connected.is_ok());
        let timed_out = connect_to_any(vec![swallowing]).await.err();
        assert!(matches!(timed_out, Some(ConnectError::Timeout)));
    }

    #[tokio::test]
    async fn what_is_dialled_in_a_manner_of_before_says_nothing_of_the_present_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut manner = Manner::plain(1);
        manner.protocol = Protocol::Auto;
        let upstream = Upstream::at(vec![listener.local_addr().unwrap()], manner.clone());
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let by = By {
            client: Behalf::Own,
            deadlines: &deadlines,
            outbox: &Rc::default(),
            landing: &Rc::default(),
        };
        let mut connecting = pin!(upstream.connect(by, &deadline, || ()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(connecting.as_mut().poll(&mut cx).is_pending());
        manner.proxy_protocol = Some(ProxyVersion::V1);
        upstream.adopt(&Rc::new(manner));
        assert!(matches!(connecting.await, Ok(Line::Http1 { .. })));
        assert!(!upstream.is_single.get());
    }
}
