//! Passing TLS on to servers as it comes. Of a connection the first message
//! alone is read, for the name that the client asks for; the pool's balancer
//! chooses the server, and from there on bytes go both ways.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use gatewright_host::Ending;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::connection::{Client, Tunnelling};
use crate::current::PoolView;
use crate::deadlines;
use crate::due::Due;
use crate::facts::{Facts, Held};
use crate::outbox::Posted;
use crate::tunnel;
use crate::upstream::{By, ConnectError, Line, Switched};
use crate::waiting::Seeking;

/// The longest first message that is read: several times what the largest of
/// today's keys and tickets come to.
const LONGEST_HELLO: usize = 16 * 1024;

/// What one read has room for: a usual first message.
const READ: usize = 2 * 1024;

/// Serve a connection of a listener that passes on.
pub(crate) async fn serve(client: &Rc<Client>, mut stream: Posted) {
    let worker = &client.worker;
    let mut read = Vec::new();
    let patience = worker.timeouts().request_head;
    let hello = client.within(patience, hello(&mut stream, &mut read)).await;
    let Ok(Ok(name)) = hello else {
        worker.counters().tls_failures.add(1);
        return;
    };
    let current = worker.current();
    let entrance = client.entrance();
    let pool = entrance.passed_on_to(name.as_deref());
    let Some(pool) = pool.and_then(|pool| current.pool_named(pool.as_str())) else {
        worker.counters().tls_failures.add(1);
        return;
    };
    let Ok(facts) = Facts::of_connection(client, name.as_deref().unwrap_or_default()) else {
        return;
    };
    let mut held = Held::new(facts);
    let server = tokio::select! {
        server = reach(client, &mut held, pool) => server,
        () = gone(&mut stream) => None,
    };
    drop((current, held));
    if let Some(server) = server {
        let tunnelling = Tunnelling::begin(client);
        tunnel::run(tunnelling, stream, read, server).await;
    }
}

/// The name that a client asks for; `read` gets every byte that it takes to know.
async fn hello(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut Vec<u8>,
) -> io::Result<Option<String>> {
    let mut acceptor = Acceptor::default();
    let mut landing = [0; READ];
    loop {
        if read.len() > LONGEST_HELLO {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut news = match stream.read(&mut landing).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => &landing[..length],
        };
        read.extend_from_slice(news);
        while !news.is_empty() {
            acceptor.read_tls(&mut news)?;
            // The answer to a malformed message is the server's to give, but
            // nobody knows which.
            let accepted = acceptor
                .accept()
                .map_err(|(error, _)| io::Error::other(error))?;
            if let Some(accepted) = accepted {
                return Ok(accepted.client_hello().server_name().map(str::to_owned));
            }
        }
    }
}

/// Ready when the client has left. One that goes on to send says by that that it
/// has not.
async fn gone(stream: &mut Posted) {
    let mut next = [0];
    if !matches!(stream.peek(&mut next).await, Ok(0) | Err(_)) {
        std::future::pending::<()>().await;
    }
}

/// A connection to the first server of the pool that can be reached.
async fn reach(client: &Client, held: &mut Held, pool: &PoolView) -> Option<Switched> {
    let worker = &client.worker;
    let config = &pool.pool.config;
    let deadline = worker.deadlines.register();
    let due = Due::after(&worker.deadlines, Duration::ZERO, None, Duration::ZERO);
    let by = By {
        client: client.source().behalf,
        deadlines: &worker.deadlines,
        outbox: &worker.outbox,
        landing: &worker.landing,
    };
    for _ in 0..config.retries.attempts {
        let seeking = Seeking {
            worker,
            pool: &pool.pool,
            session: None,
            deadline: &deadline,
            due: &due,
        };
        let mut in_flight = seeking.find(held).await.ok()?;
        let upstream = Rc::clone(in_flight.upstream());
        let arm = || deadline.arm(config.connect_timeout);
        match upstream.connect(by, &deadline, arm).await {
            Ok(Line::Http1 { connection, .. }) => {
                in_flight.proved();
                pool.budgets.answered(&config.retries);
                return Some(Switched {
                    connection,
                    in_flight,
                    place: None,
                });
            }
            // A pool that has come to speak it since has no use for a tunnel.
            Ok(Line::Http2(_)) => return None,
            Err(ConnectError::Io(error)) => upstream.tell(&error, worker.deadlines.now()),
            Err(ConnectError::Timeout) => {}
        }
        in_flight.failed(Ending::ConnectFailed);
        held.tried.push(upstream.state().slot());
        if !pool
            .budgets
            .withdraw_connect(deadlines::since_start(worker.deadlines.now()))
        {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// The first message of a client that asks for this name.
    fn first_message(name: &'static str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = name.try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut message = Vec::new();
        client.write_tls(&mut message).unwrap();
        message
    }

    #[tokio::test]
    async fn the_name_is_known_wherever_the_message_is_cut_and_nothing_is_lost() {
        let message = first_message("DB.example");
        let rest = b"and what follows".as_slice();
        for cut in [1, 5, 6, 100, message.len()] {
            let mut stream = message[..cut].chain(&message[cut..]).chain(rest);
            let mut read = Vec::new();
            let name = hello(&mut stream, &mut read).await.unwrap();
            assert_eq!(name.as_deref(), Some("db.example"), "{cut}");
            stream.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, [&message, rest].concat(), "{cut}");
        }
        let nameless = first_message("127.0.0.1");
        let mut read = Vec::new();
        assert_eq!(hello(&mut &nameless[..], &mut read).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_tls_or_has_no_end_is_given_up() {
        // A record that is whole, of a message that never is.
        let record = [&[22, 3, 1, 0x20, 0][..], &[1, 0, 0xff, 0], &[0; 0x1ffc]].concat();
        for bytes in [
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
            first_message("db.example")[..40].to_vec(),
            record.repeat(8),
        ] {
            let mut read = Vec::new();
            assert!(hello(&mut &bytes[..], &mut read).await.is_err());
            assert!(read.len() <= LONGEST_HELLO + READ);
        }
    }
}
