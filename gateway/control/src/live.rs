//! Who watches live, and the newest figures for all of them.
//!
//! There is a place for the newest figures and no queue, so a watcher that does
//! not read holds nothing up and costs nothing but its seat. While nobody
//! watches, nothing is gathered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

/// Watchers that there may be at once.
pub(crate) const MOST: usize = 64;

/// Watchers that one token may have at once, or all without one together: a
/// team that shares one leaves some to others.
pub(crate) const MOST_OF_ONE: u32 = 56;

/// What watchers are shown.
#[derive(Clone, Debug, Default)]
pub(crate) enum Shown {
    /// Nothing has been gathered for those who watch now.
    #[default]
    Nothing,
    /// The newest figures, as the bytes that are sent to each.
    Figures(Bytes),
    /// The gateway ends.
    Over,
}

/// The watchers' place.
#[derive(Debug)]
pub(crate) struct Live {
    shown: watch::Sender<Shown>,
    seats: Arc<Semaphore>,
    taken: Arc<Taken>,
    came: Notify,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            shown: watch::Sender::default(),
            seats: Arc::new(Semaphore::new(MOST)),
            taken: Arc::default(),
            came: Notify::default(),
        }
    }
}

/// A watcher's seat, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    shown: watch::Receiver<Shown>,
    _seat: OwnedSemaphorePermit,
    _share: Share,
}

/// How many seats each has, by their tokens' ids.
#[derive(Debug, Default)]
struct Taken(Mutex<HashMap<String, u32>>);

/// One of the seats that somebody may have, given back when it is dropped.
#[derive(Debug)]
struct Share {
    taken: Arc<Taken>,
    whose: String,
}

impl Taken {
    fn share(self: &Arc<Self>, whose: &str) -> Option<Share> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(whose).copied().unwrap_or(0);
        (count < MOST_OF_ONE).then(|| {
            taken.insert(whose.to_owned(), count + 1);
            Share {
                taken: Arc::clone(self),
                whose: whose.to_owned(),
            }
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.whose) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = taken.remove(&self.whose),
        }
    }
}

impl Live {
    /// Take a seat; none when all are taken, those of this token's are, or the
    /// gateway ends.
    pub(crate) fn sit(&self, whose: &str) -> Option<Seat> {
        let share = self.taken.share(whose)?;
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let mut shown = self.shown.subscribe();
        // What the others have seen last is of this second.
        shown.mark_changed();
        self.came.notify_one();
        Some(Seat {
            shown,
            _seat: seat,
            _share: share,
        })
    }

    /// Wait until somebody watches.
    pub(crate) async fn watched(&self) {
        while !self.is_watched() {
            let is_over = matches!(*self.shown.borrow(), Shown::Over);
            if !is_over {
                // Whoever comes next is shown nothing old.
                self.shown.send_replace(Shown::Nothing);
            }
            self.came.notified().await;
        }
    }

    /// Whether somebody watches.
    pub(crate) fn is_watched(&self) -> bool {
        self.shown.receiver_count() > 0
    }

    /// Show figures to all that watch.
    pub(crate) fn show(&self, figures: Bytes) {
        self.shown.send_if_modified(|shown| match shown {
            Shown::Over => false,
            shown => {
                *shown = Shown::Figures(figures);
                true
            }
        });
    }

    /// Send all away, and wait until they have gone or for so long: one that
    /// does not read does not go by itself.
    pub(crate) async fn end(&self, patience: Duration) {
        self.shown.send_replace(Shown::Over);
        let all = self.seats.acquire_many(MOST as u32);
        // Either way they are over.
        let _ = tokio::time::timeout(patience, all).await;
        self.seats.close();
    }
}

impl Seat {
    /// Wait for what this watcher has not been shown yet.
    pub(crate) async fn next(&mut self) -> Shown {
        match self.shown.changed().await {
            Ok(()) => self.shown.borrow_and_update().clone(),
            Err(_) => Shown::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watcher_is_shown_the_newest_alone() {
        let live = Live::default();
        let mut seat = live.sit("one").unwrap();
        for number in 0..1000 {
            live.show(number.to_string().into());
        }
        let shown = seat.next().await;
        assert!(
            matches!(&shown, Shown::Figures(text) if **text == *b"999"),
            "{shown:?}"
        );
        let mut late = live.sit("one").unwrap();
        assert!(matches!(late.next().await, Shown::Figures(_)));
    }

    #[tokio::test]
    async fn seats_are_given_back() {
        let live = Live::default();
        let watchers = (0..MOST).map(|number| (number / MOST_OF_ONE as usize).to_string());
        let seats: Vec<_> = watchers.map(|whose| live.sit(&whose).unwrap()).collect();
        assert!(live.sit("late").is_none());
        drop(seats);
        assert!(live.sit("late").is_some());
    }

    #[tokio::test]
    async fn one_token_takes_no_others_seats() {
        let live = Live::default();
        let seats: Vec<_> = (0..MOST_OF_ONE).map(|_| live.sit("one").unwrap()).collect();
        assert!(live.sit("one").is_none());
        assert!(live.sit("other").is_some());
        drop(seats);
        assert!(live.sit("one").is_some());
        assert!(live.taken.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_comes_after_all_have_left_is_shown_nothing_old() {
        let live = Arc::new(Live::default());
        drop(live.sit("one"));
        live.show("old".into());
        let waiting = Arc::clone(&live);
        let waiting = tokio::spawn(async move { waiting.watched().await });
        // It waits from its first look on.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        let mut seat = live.sit("one").unwrap();
        waiting.await.unwrap();
        assert!(matches!(seat.next().await, Shown::Nothing));
    }

    #[tokio::test]
    async fn the_end_reaches_all_and_nobody_comes_after_it() {
        let live = Arc::new(Live::default());
        let mut seat = live.sit("one").unwrap();
        let ending = Arc::clone(&live);
        let ending = tokio::spawn(async move { ending.end(Duration::from_secs(60)).await });
        while !matches!(seat.next().await, Shown::Over) {}
        drop(seat);
        ending.await.unwrap();
        assert!(live.sit("one").is_none());
    }
}
