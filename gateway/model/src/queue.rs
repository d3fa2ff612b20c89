//! Where requests wait for a pool in which nobody has room for them: one line
//! for all workers, served in the order in which they came.
//!
//! A waiter is *called* when there may be room for it: by a request that leaves,
//! by a publication, or by a worker's sweep, which sees to it that no change goes
//! unnoticed for long. It looks for itself then, and keeps its place if somebody
//! else was faster. Who is called and leaves without having looked hands the
//! call on.
//!
//! The line is behind a mutex that nobody touches while nobody waits: a request
//! that leaves looks at a number, and that is all. No call is lost between a
//! request that leaves and one that joins: the first counts itself out and then
//! looks whether anybody waits, the second is counted as waiting and then looks
//! for room, both in the one order that sequential consistency gives them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A line of waiting requests.
#[derive(Debug, Default)]
pub struct Queue {
    /// How many wait: the line's length, to be read without the mutex.
    waiting: AtomicUsize,
    line: Mutex<Line>,
    /// Requests that have waited, those that did so in vain, and those for which
    /// there was no place in the line.
    joined: AtomicU64,
    overdue: AtomicU64,
    refused: AtomicU64,
}

/// The waiters by the number that each has drawn.
#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiters: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    is_called: bool,
    waker: Option<Waker>,
}

/// What a line has seen since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests that wait now.
    pub waiting: usize,
    /// Requests that have waited.
    pub joined: u64,
    /// Those of them that waited for as long as they may, in vain.
    pub overdue: u64,
    /// Requests that found no place in the line.
    pub refused: u64,
}

impl Figures {
    /// Requests that were answered with a refusal for want of room, whether or not
    /// they have waited for it.
    pub fn shed(&self) -> u64 {
        self.overdue + self.refused
    }
}

impl Queue {
    /// Whether anybody waits.
    pub fn is_waited_in(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Wait behind everybody else; none when `most` wait already.
    pub fn join(self: &Arc<Self>, most: usize) -> Option<Place> {
        let mut line = self.line();
        if line.waiters.len() >= most {
            self.refuse();
            return None;
        }
        let number = line.next;
        line.next += 1;
        // The first has nobody before it who would be called for its room.
        let is_called = line.waiters.is_empty();
        let waiter = Waiter {
            is_called,
            waker: None,
        };
        line.waiters.insert(number, waiter);
        self.tell_length(&line);
        drop(line);
        fence(Ordering::SeqCst);
        self.joined.fetch_add(1, Ordering::Relaxed);
        Some(Place {
            queue: Arc::clone(self),
            number,
            has_call: false,
        })
    }

    /// Somebody has come who may not wait at all.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Somebody has left: call the first who has not been called.
    pub fn call_next(&self) {
        if self.is_waited_in() {
            self.call_one();
        }
    }

    #[cold]
    fn call_one(&self) {
        let mut line = self.line();
        let next = line.waiters.values_mut().find(|waiter| !waiter.is_called);
        let waker = next.and_then(Waiter::call);
        drop(line);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// There may be room for so many: call the first so many.
    pub fn call_first(&self, count: usize) {
        if !self.is_waited_in() {
            return;
        }
        let mut line = self.line();
        let first = line.waiters.values_mut().take(count);
        let wakers: Vec<_> = first.filter_map(Waiter::call).collect();
        drop(line);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// What it has seen.
    pub fn figures(&self) -> Figures {
        Figures {
            waiting: self.waiting.load(Ordering::Relaxed),
            joined: self.joined.load(Ordering::Relaxed),
            overdue: self.overdue.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_length(&self, line: &Line) {
        self.waiting.store(line.waiters.len(), Ordering::SeqCst);
    }
}

impl Waiter {
    /// Call it; what wakes it, if it has not been called before.
    fn call(&mut self) -> Option<Waker> {
        self.is_called = true;
        self.waker.take()
    }
}

/// A request's place in the line; dropping it gives it up.
#[derive(Debug)]
pub struct Place {
    queue: Arc<Queue>,
    number: u64,
    /// Whether it has been called and not found out yet what for.
    has_call: bool,
}

impl Place {
    /// Ready once it is called; then look for room, and say what came of it:
    /// [`Self::keep`], or [`Self::served`].
    pub fn poll_called(&mut self, cx: &Context<'_>) -> Poll<()> {
        let mut line = self.queue.line();
        // It is there for as long as the place is.
        let Some(waiter) = line.waiters.get_mut(&self.number) else {
            return Poll::Ready(());
        };
        if std::mem::take(&mut waiter.is_called) {
            self.has_call = true;
            return Poll::Ready(());
        }
        let known = waiter.waker.as_ref();
        if !known.is_some_and(|waker| waker.will_wake(cx.waker())) {
            waiter.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// There was no room: wait on, in the same place.
    pub fn keep(&mut self) {
        self.has_call = false;
    }

    /// There was room. `is_more`: there may be for the next one too.
    pub fn served(mut self, is_more: bool) {
        self.has_call = is_more;
    }

    /// It has waited for as long as it may.
    pub fn overdue(self) {
        self.queue.overdue.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        let left = line.waiters.remove(&self.number);
        self.queue.tell_length(&line);
        drop(line);
        // A call that was not used is for whoever comes next.
        if self.has_call || left.is_some_and(|waiter| waiter.is_called) {
            self.queue.call_next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_called(place: &mut Place) -> bool {
        let cx = Context::from_waker(Waker::noop());
        place.poll_called(&cx).is_ready()
    }

    /// So many in a line, of whom the first has found no room.
    fn line(count: usize) -> (Arc<Queue>, Vec<Place>) {
        let queue = Arc::new(Queue::default());
        let mut places: Vec<_> = (0..count).filter_map(|_| queue.join(count)).collect();
        assert!(is_called(&mut places[0]), "the first looks at once");
        places[0].keep();
        (queue, places)
    }

    #[test]
    fn they_are_called_in_the_order_in_which_they_came() {
        let (queue, mut places) = line(3);
        while !places.is_empty() {
            queue.call_next();
            let called: Vec<_> = places.iter_mut().map(is_called).collect();
            assert_eq!(called.iter().position(|called| *called), Some(0));
            assert_eq!(called.iter().filter(|called| **called).count(), 1);
            places.remove(0).served(false);
        }
    }

    #[test]
    fn who_finds_no_room_keeps_its_place() {
        let (queue, mut places) = line(2);
        for _ in 0..3 {
            queue.call_next();
            assert!(is_called(&mut places[0]));
            places[0].keep();
            assert!(!is_called(&mut places[1]));
        }
    }

    #[test]
    fn a_call_is_handed_on_by_who_leaves_with_it() {
        let (queue, mut places) = line(3);
        queue.call_next();
        drop(places.remove(0));
        assert!(is_called(&mut places[0]));
        assert!(!is_called(&mut places[1]));
        drop(places.remove(0));
        assert!(
            is_called(&mut places[0]),
            "it had looked, and left before it said so"
        );
        places[0].keep();
        drop(places);
        assert!(!queue.is_waited_in());
    }

    #[test]
    fn who_is_served_calls_the_next_only_where_there_is_more() {
        for is_more in [false, true] {
            let (queue, mut places) = line(2);
            queue.call_next();
            assert!(is_called(&mut places[0]));
            places.remove(0).served(is_more);
            assert_eq!(is_called(&mut places[0]), is_more);
        }
    }

    #[test]
    fn no_more_wait_than_may() {
        let (queue, places) = line(2);
        assert!(queue.join(2).is_none());
        drop(places);
        assert!(queue.join(2).is_some());
        let figures = queue.figures();
        assert_eq!(
            (figures.joined, figures.refused, figures.waiting),
            (3, 1, 0)
        );
    }

    #[test]
    fn all_for_whom_there_may_be_room_are_called_at_once() {
        let (queue, mut places) = line(4);
        queue.call_first(3);
        let called: Vec<_> = places.iter_mut().map(is_called).collect();
        assert_eq!(called, [true, true, true, false]);
    }
}
