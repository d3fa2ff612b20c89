//! HTTP/2 streams as tasks of the worker's own thread, and an end to those whose
//! client takes nothing of their response.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use crate::connection::Client;
use crate::deadlines::Deadline;

/// Runs the streams of one connection.
#[derive(Clone)]
pub(crate) struct Streams(Rc<Client>);

impl Streams {
    pub(crate) fn of(client: &Rc<Client>) -> Self {
        Self(Rc::clone(client))
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, stream: F) {
        // It is large, and a task is moved several times before it has its place.
        tokio::task::spawn_local(run(Rc::clone(&self.0), Box::pin(stream)));
    }
}

/// What a response's body had to give when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gave {
    /// A piece, or its end.
    Something,
    /// Nothing: the server is to bring more.
    Nothing,
}

/// Run a stream until it is over, or its client has given no room for too long
/// for what its response's body gave; then it is reset.
///
/// hyper does not ask a body for more while the last piece waits for room, so
/// the body cannot see that it stands still. What is seen here is that a poll of
/// the stream ended with a piece in hand, and that the body was not asked since.
async fn run(client: Rc<Client>, stream: impl Future<Output = ()>) {
    let mut stream = pin!(stream);
    // Registered only for a response that has to wait.
    let mut room: Option<Deadline> = None;
    poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let worker = &client.worker;
        match client.take_gave() {
            Some(Gave::Something) => room
                .get_or_insert_with(|| worker.deadlines.register())
                .arm(worker.timeouts().body_idle),
            Some(Gave::Nothing) => room = None,
            // It was not asked: the client still has the last piece to take.
            None => {}
        }
        match &room {
            Some(room) => room.poll_passed(cx),
            None => Poll::Pending,
        }
    })
    .await;
    // Another stream must not find what this one's body gave.
    client.take_gave();
}
