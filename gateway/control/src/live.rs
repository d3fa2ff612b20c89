//! Who watches live, and the newest figures for all of them.
//!
//! There is a place for the newest figures and no queue, so a watcher that does
//! not read holds nothing up and costs nothing but its seat. While nobody
//! watches, nothing is gathered.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

/// Watchers that there may be at once.
pub(crate) const MOST: usize = 64;

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
    came: Notify,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            shown: watch::Sender::default(),
            seats: Arc::new(Semaphore::new(MOST)),
            came: Notify::default(),
        }
    }
}

/// A watcher's seat, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    shown: watch::Receiver<Shown>,
    _seat: OwnedSemaphorePermit,
}

impl Live {
    /// Take a seat; none when all are taken, or the gateway ends.
    pub(crate) fn sit(&self) -> Option<Seat> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        let mut shown = self.shown.subscribe();
        // What the others have seen last is of this second.
        shown.mark_changed();
        self.came.notify_one();
        Some(Seat { shown, _seat: seat })
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
        let mut seat = live.sit().unwrap();
        for number in 0..1000 {
            live.show(number.to_string().into());
        }
        let shown = seat.next().await;
        assert!(
            matches!(&shown, Shown::Figures(text) if **text == *b"999"),
            "{shown:?}"
        );
        let mut late = live.sit().unwrap();
        assert!(matches!(late.next().await, Shown::Figures(_)));
    }

    #[tokio::test]
    async fn seats_are_given_back() {
        let live = Live::default();
        let seats: Vec<_> = (0..MOST).map(|_| live.sit().unwrap()).collect();
        assert!(live.sit().is_none());
        drop(seats);
        assert!(live.sit().is_some());
    }

    #[tokio::test]
    async fn who_comes_after_all_have_left_is_shown_nothing_old() {
        let live = Arc::new(Live::default());
        drop(live.sit());
        live.show("old".into());
        let waiting = Arc::clone(&live);
        let waiting = tokio::spawn(async move { waiting.watched().await });
        // It waits from its first look on.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
        let mut seat = live.sit().unwrap();
        waiting.await.unwrap();
        assert!(matches!(seat.next().await, Shown::Nothing));
    }

    #[tokio::test]
    async fn the_end_reaches_all_and_nobody_comes_after_it() {
        let live = Arc::new(Live::default());
        let mut seat = live.sit().unwrap();
        let ending = Arc::clone(&live);
        let ending = tokio::spawn(async move { ending.end(Duration::from_secs(60)).await });
        while !matches!(seat.next().await, Shown::Over) {}
        drop(seat);
        ending.await.unwrap();
        assert!(live.sit().is_none());
    }
}
