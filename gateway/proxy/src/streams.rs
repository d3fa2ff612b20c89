//! HTTP/2 streams as tasks of the worker's own thread, and an end to those whose
//! client takes nothing of their response.
//!
//! A task begins and ends at some cost, and a stream takes a few kilobytes: when a
//! stream is over, its task and its memory are kept for the next one.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::connection::Client;
use crate::deadlines::Deadline;

/// The most tasks that a worker keeps, with some 4 KiB each.
const MOST_AT_REST: usize = 64;

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
        let (seat, task) = match self.0.worker.at_rest.take::<F>() {
            Some((seat, task)) => (seat, Some(task)),
            None => (Rc::new(Seat::new()), None),
        };
        // In one place, where it can be inlined: called, it has the stream moved twice.
        seat.give(client, stream);
        match task {
            Some(task) => task.wake(),
            None => {
                tokio::task::spawn_local(serve(seat));
            }
        }
    }
}

/// A worker's tasks that wait for a stream.
#[derive(Default)]
pub(crate) struct AtRest(RefCell<Vec<Resting>>);

struct Resting {
    /// Where it finds the stream: the seat of streams of some type.
    seat: Rc<dyn Any>,
    task: Waker,
}

impl AtRest {
    /// The task that came to rest last, whose memory is the warmest, if it runs
    /// streams of this type.
    fn take<F: 'static>(&self) -> Option<(Rc<Seat<F>>, Waker)> {
        let mut resting = self.0.borrow_mut();
        let Resting { seat, task } = resting.pop_if(|last| last.seat.is::<Seat<F>>())?;
        Some((seat.downcast::<Seat<F>>().ok()?, task))
    }

    /// Whether there is room for this task, which has nothing to do; then it is woken
    /// once it has a stream.
    fn keep<F: 'static>(&self, seat: &Rc<Seat<F>>, task: &Waker) -> bool {
        let mut resting = self.0.borrow_mut();
        let has_room = resting.len() < MOST_AT_REST;
        if has_room {
            let seat = Rc::<Seat<F>>::clone(seat);
            let task = task.clone();
            resting.push(Resting { seat, task });
        }
        has_room
    }
}

/// A place for a stream, which does not move while it is there.
type Place<F> = Pin<Box<Option<F>>>;

/// Where a task finds the next stream that it is to run.
struct Seat<F> {
    /// Whose stream it is; none where there is no stream to be begun.
    client: Cell<Option<Rc<Client>>>,
    /// The place for it, where there has been one and the task does not have it.
    place: Cell<Option<Place<F>>>,
}

impl<F> Seat<F> {
    fn new() -> Self {
        Self {
            client: Cell::new(None),
            place: Cell::new(None),
        }
    }

    /// Give a stream to the task, which has none.
    #[inline]
    fn give(&self, client: Rc<Client>, stream: F) {
        let mut place = self.place.take().unwrap_or_else(|| Box::pin(None));
        place.set(Some(stream));
        self.place.set(Some(place));
        self.client.set(Some(client));
    }

    /// Ready with what has been given. The task may also be woken by what an earlier
    /// stream has waited for.
    fn poll_given(&self) -> Poll<(Rc<Client>, Place<F>)> {
        let client = self.client.take();
        let given = client.and_then(|client| Some((client, self.place.take()?)));
        given.map_or(Poll::Pending, Poll::Ready)
    }
}

/// Run the streams that are given, one after the other, until there is no room for
/// one more task at rest.
async fn serve<F: Future<Output = ()> + 'static>(seat: Rc<Seat<F>>) {
    loop {
        let (client, mut place) = poll_fn(|_| seat.poll_given()).await;
        if let Some(stream) = place.as_mut().as_pin_mut() {
            run(&client, stream).await;
        }
        place.set(None);
        seat.place.set(Some(place));
        let at_rest = &client.worker.at_rest;
        if !poll_fn(|cx| Poll::Ready(at_rest.keep(&seat, cx.waker()))).await {
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

#[cfg(test)]
mod tests {
    use std::future::{Pending, Ready};

    use super::*;

    #[test]
    fn a_task_at_rest_is_found_once_and_by_streams_of_its_type_alone() {
        let at_rest = AtRest::default();
        let seat = Rc::new(Seat::<Ready<()>>::new());
        assert!(at_rest.take::<Ready<()>>().is_none());
        assert!(at_rest.keep(&seat, Waker::noop()));
        assert!(at_rest.take::<Pending<()>>().is_none());
        let (found, _) = at_rest.take::<Ready<()>>().unwrap();
        assert!(Rc::ptr_eq(&found, &seat));
        assert!(at_rest.take::<Ready<()>>().is_none());
    }

    #[test]
    fn a_worker_keeps_so_many_tasks_and_no_more() {
        let at_rest = AtRest::default();
        let seat = Rc::new(Seat::<Ready<()>>::new());
        for _ in 0..MOST_AT_REST {
            assert!(at_rest.keep(&seat, Waker::noop()));
        }
        assert!(!at_rest.keep(&seat, Waker::noop()));
    }

    #[test]
    fn who_is_woken_without_a_stream_waits_on() {
        let seat = Seat::<Ready<()>>::new();
        assert!(seat.poll_given().is_pending());
        seat.place.set(Some(Box::pin(None)));
        assert!(seat.poll_given().is_pending());
        assert!(seat.place.take().is_some(), "the place is kept");
    }
}
