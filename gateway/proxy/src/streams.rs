//! HTTP/2 streams as tasks of the worker's own thread, and an end to those whose
//! client takes nothing of their response. When a stream is over, its task and its
//! memory are kept for the next one ([`crate::hands`]).

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use crate::connection::Client;
use crate::deadlines::Deadline;
use crate::hands::Hand;

/// The smallest stream whose task is kept. The only others are those that a tunnel
/// sends by: they last, and are no request.
const SMALLEST_KEPT: usize = 1024;

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
        let client = Rc::clone(&self.0);
        if size_of::<F>() < SMALLEST_KEPT {
            tokio::task::spawn_local(async move { run(&client, pin!(stream)).await });
            return;
        }
        let at_rest = self.0.worker.streams.take::<Seat<F>>();
        let is_new = at_rest.is_none();
        let seat = at_rest.unwrap_or_default();
        // In one place, where it can be inlined: called, it has the stream moved twice.
        seat.give(client, stream);
        if is_new {
            tokio::task::spawn_local(serve(seat));
        }
    }
}

/// A place for a stream, which does not move while it is there.
type Place<F> = Pin<Box<Option<F>>>;

/// Where a task finds the next stream that it is to run.
struct Seat<F> {
    /// The stream in its place, and whose it is.
    hand: Hand<(Rc<Client>, Place<F>)>,
    /// The place, where there has been one and no stream is in it.
    place: Cell<Option<Place<F>>>,
}

impl<F> Default for Seat<F> {
    fn default() -> Self {
        Self {
            hand: Hand::default(),
            place: Cell::new(None),
        }
    }
}

impl<F> Seat<F> {
    /// Give a stream to the task, which has none.
    #[inline]
    fn give(&self, client: Rc<Client>, stream: F) {
        let mut place = self.place.take().unwrap_or_else(|| Box::pin(None));
        place.set(Some(stream));
        self.hand.give((client, place));
    }
}

/// Run the streams that are given, one after the other, until there is no room for
/// one more task at rest.
async fn serve<F: Future<Output = ()> + 'static>(seat: Rc<Seat<F>>) {
    loop {
        let (client, mut place) = seat.hand.given().await;
        if let Some(stream) = place.as_mut().as_pin_mut() {
            run(&client, stream).await;
        }
        place.set(None);
        seat.place.set(Some(place));
        if !client.worker.streams.keep(Rc::<Seat<F>>::clone(&seat)) {
            return;
        }
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
async fn run<F: Future<Output = ()>>(client: &Client, mut stream: Pin<&mut F>) {
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
