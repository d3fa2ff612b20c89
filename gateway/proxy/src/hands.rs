//! The tasks that serve connections. One that is done with its connection rests until
//! it is given another: a task of its own for each would be memory to find, to fill and
//! to give back, several kilobytes that are moved about on the way.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// How many tasks may rest: each holds the memory of a connection.
const AT_REST: usize = 64;

/// A worker's tasks that serve connections of one kind.
pub(crate) struct Hands<A> {
    at_rest: RefCell<Vec<Rc<Hand<A>>>>,
}

/// What a task is given.
struct Hand<A> {
    given: RefCell<Option<A>>,
    /// Wakes the task when it rests.
    waker: RefCell<Option<Waker>>,
}

impl<A> Default for Hands<A> {
    fn default() -> Self {
        Self {
            at_rest: RefCell::default(),
        }
    }
}

impl<A: 'static> Hands<A> {
    /// Have this served, as all that these hands are given is.
    pub(crate) fn give<F>(self: &Rc<Self>, arrival: A, serve: impl Fn(A) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let at_rest = self.at_rest.borrow_mut().pop();
        if let Some(hand) = at_rest {
            return hand.give(arrival);
        }
        let hand = Rc::new(Hand {
            given: RefCell::new(Some(arrival)),
            waker: RefCell::default(),
        });
        tokio::task::spawn_local(work(Rc::clone(self), hand, serve));
    }

    /// Let one rest that is done, if there is room.
    fn lets_rest(&self, hand: &Rc<Hand<A>>) -> bool {
        let mut at_rest = self.at_rest.borrow_mut();
        let has_room = at_rest.len() < AT_REST;
        if has_room {
            at_rest.push(Rc::clone(hand));
        }
        has_room
    }
}

/// Serve one after another.
async fn work<A: 'static, F: Future<Output = ()>>(
    hands: Rc<Hands<A>>,
    hand: Rc<Hand<A>>,
    serve: impl Fn(A) -> F,
) {
    loop {
        let given = poll_fn(|cx| hand.poll_given(cx)).await;
        // Awaited as it stands, the future, which is large, could be moved first.
        pin!(serve(given)).await;
        if !hands.lets_rest(&hand) {
            return;
        }
    }
}

impl<A> Hand<A> {
    fn give(&self, arrival: A) {
        *self.given.borrow_mut() = Some(arrival);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn poll_given(&self, cx: &mut Context<'_>) -> Poll<A> {
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
    use std::cell::Cell;

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
                assert_eq!(hands.at_rest.borrow().len(), tasks);
            }
            assert_eq!(sum.get(), 28, "each was served once");
        };
        LocalSet::new().run_until(working).await;
    }

    #[tokio::test]
    async fn no_more_than_so_many_rest() {
        let working = async {
            let hands = Rc::new(Hands::default());
            for _ in 0..=AT_REST {
                hands.give((), |()| async {});
            }
            let_work().await;
            assert_eq!(hands.at_rest.borrow().len(), AT_REST);
        };
        LocalSet::new().run_until(working).await;
    }
}
