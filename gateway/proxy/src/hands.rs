//! The tasks that serve connections, and those that run streams of HTTP/2. One that is
//! done with what it was given rests until it is given more: a task of its own for each
//! would be memory to find, to fill and to give back, several kilobytes that are moved
//! about on the way.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// How many tasks may rest: each holds the memory of a connection, or some 4 KiB of a
/// stream's. A worker that is busy has a few streams of each of its clients under way, and
/// all of them may end before the next ones come.
const MOST_AT_REST: usize = 256;

/// A worker's tasks that rest, by where they find what they are given.
pub(crate) struct AtRest<H: ?Sized>(RefCell<Vec<Rc<H>>>);

/// A worker's tasks that serve connections of one kind.
pub(crate) type Hands<A> = AtRest<Hand<A>>;

impl<H: ?Sized> Default for AtRest<H> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<H: ?Sized> AtRest<H> {
    /// Let a task rest that is done, if there is room.
    pub(crate) fn keep(&self, task: Rc<H>) -> bool {
        let mut at_rest = self.0.borrow_mut();
        let has_room = at_rest.len() < MOST_AT_REST;
        if has_room {
            at_rest.push(task);
        }
        has_room
    }
}

impl AtRest<dyn Any> {
    /// The task that came to rest last, whose memory is the warmest, if it finds what it
    /// is given in one of these.
    pub(crate) fn take<H: 'static>(&self) -> Option<Rc<H>> {
        let last = self.0.borrow_mut().pop_if(|last| last.is::<H>())?;
        last.downcast().ok()
    }
}

impl<A: 'static> Hands<A> {
    /// Have this served, as all that these hands are given is.
    pub(crate) fn give<F>(self: &Rc<Self>, arrival: A, serve: impl Fn(A) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let at_rest = self.0.borrow_mut().pop();
        if let Some(hand) = at_rest {
            return hand.give(arrival);
        }
        let hand = Rc::new(Hand::default());
        hand.give(arrival);
        tokio::task::spawn_local(work(Rc::clone(self), hand, serve));
    }
}

/// Serve one after another.
async fn work<A: 'static, F: Future<Output = ()>>(
    hands: Rc<Hands<A>>,
    hand: Rc<Hand<A>>,
    serve: impl Fn(A) -> F,
) {
    loop {
        let given = hand.given().await;
        // Awaited as it stands, the future, which is large, could be moved first.
        pin!(serve(given)).await;
        if !hands.keep(Rc::clone(&hand)) {
            return;
        }
    }
}

/// Where a task finds what it is given.
pub(crate) struct Hand<A> {
    given: Cell<Option<A>>,
    /// Wakes the task when it rests.
    waker: RefCell<Option<Waker>>,
}

impl<A> Default for Hand<A> {
    fn default() -> Self {
        Self {
            given: Cell::new(None),
            waker: RefCell::default(),
        }
    }
}

impl<A> Hand<A> {
    /// Give the task this, which is new or rests.
    pub(crate) fn give(&self, what: A) {
        self.given.set(Some(what));
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// What the task is given next.
    pub(crate) async fn given(&self) -> A {
        poll_fn(|cx| self.poll_given(cx)).await
    }

    /// Ready with what has been given. The task may also be woken by what it has waited
    /// for before.
    fn poll_given(&self, cx: &Context<'_>) -> Poll<A> {
        if let Some(given) = self.given.take() {
            return Poll::Ready(given);
        }
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::{LocalSet, yield_now};

    use super::*;

    /// Let all tasks run for as long as they have something to do.
    async fn let_work() {
        for _ in 0..16 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_is_done_with_one_is_given_the_next() {
        let working = async {
            let hands = Rc::new(Hands::default());
            let sum = Rc::new(Cell::new(0));
            let added_to = Rc::clone(&sum);
            let serve = move |number: u32| {
                let sum = Rc::clone(&added_to);
                async move {
                    yield_now().await;
                    sum.set(sum.get() + number);
                }
            };
            for (numbers, tasks) in [(1..2, 1), (2..3, 1), (3..6, 3), (6..8, 3)] {
                for number in numbers {
                    hands.give(number, serve.clone());
                }
                let_work().await;
                assert_eq!(hands.0.borrow().len(), tasks);
            }
            assert_eq!(sum.get(), 28, "each was served once");
        };
        LocalSet::new().run_until(working).await;
    }

    #[tokio::test]
    async fn no_more_than_so_many_rest() {
        let working = async {
            let hands = Rc::new(Hands::default());
            for _ in 0..=MOST_AT_REST {
                hands.give((), |()| async {});
            }
            let_work().await;
            assert_eq!(hands.0.borrow().len(), MOST_AT_REST);
        };
        LocalSet::new().run_until(working).await;
    }

    #[test]
    fn one_of_any_kind_is_found_once_and_by_its_kind_alone() {
        let at_rest = AtRest::<dyn Any>::default();
        let hand = Rc::new(Hand::<u8>::default());
        assert!(at_rest.take::<Hand<u8>>().is_none());
        assert!(at_rest.keep(Rc::<Hand<u8>>::clone(&hand)));
        assert!(at_rest.take::<Hand<u16>>().is_none());
        assert!(Rc::ptr_eq(&at_rest.take::<Hand<u8>>().unwrap(), &hand));
        assert!(at_rest.take::<Hand<u8>>().is_none());
    }

    #[test]
    fn who_is_woken_without_being_given_anything_waits_on() {
        let cx = Context::from_waker(Waker::noop());
        let hand = Hand::default();
        assert!(hand.poll_given(&cx).is_pending());
        assert!(hand.poll_given(&cx).is_pending());
        hand.give(1);
        assert_eq!(hand.poll_given(&cx), Poll::Ready(1));
        assert!(hand.poll_given(&cx).is_pending());
    }
}
