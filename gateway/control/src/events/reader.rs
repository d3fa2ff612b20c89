//! Following the events, one after the other, from any place on.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Event, Events};

/// A place among the events. It holds none of them.
#[derive(Debug)]
pub(crate) struct Reader {
    events: Arc<Events>,
    newest: watch::Receiver<u64>,
    /// The number of the last that was read or missed.
    last: u64,
}

/// What a reader comes upon.
#[derive(Debug)]
pub(crate) enum Read {
    Event(Event),
    /// So many events had gone before they were read.
    Missed(u64),
}

impl Reader {
    /// Of what happens from now on.
    pub(crate) fn from_now(events: &Arc<Events>) -> Self {
        let newest = events.newest.subscribe();
        let last = *newest.borrow();
        Self::new(events, newest, last)
    }

    /// Of what happened after the event of this number, as far as it is kept.
    /// Who asks for what is after 0 has seen none of it and misses none: it
    /// gets all that is kept.
    pub(crate) fn after(events: &Arc<Events>, number: u64) -> Self {
        let newest = events.newest.subscribe();
        let last = match number {
            0 => events.last_gone(),
            seen => seen.min(*newest.borrow()),
        };
        Self::new(events, newest, last)
    }

    fn new(events: &Arc<Events>, newest: watch::Receiver<u64>, last: u64) -> Self {
        Self {
            events: Arc::clone(events),
            newest,
            last,
        }
    }

    /// The next one, if there is one yet.
    pub(crate) fn next(&mut self) -> Option<Read> {
        let event = self.events.after(self.last)?;
        let missed = event.number - self.last - 1;
        if missed > 0 {
            self.last += missed;
            return Some(Read::Missed(missed));
        }
        self.last = event.number;
        Some(Read::Event(event))
    }

    /// Wait until something has happened since the last time of waiting.
    pub(crate) async fn changed(&mut self) {
        // The sender lives as long as the events, which this holds.
        let _ = self.newest.changed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Happened, KEPT};
    use super::*;

    fn happens(events: &Events, times: usize) {
        for _ in 0..times {
            events.push(Happened::Refused("why".to_owned()));
        }
    }

    /// What is read to the end: numbers of events, negative for missed ones.
    fn read(reader: &mut Reader) -> Vec<i64> {
        let mut all = Vec::new();
        while let Some(read) = reader.next() {
            all.push(match read {
                Read::Event(event) => event.number as i64,
                Read::Missed(count) => -(count as i64),
            });
        }
        all
    }

    #[test]
    fn a_reader_begins_where_it_is_told_to() {
        let events = Arc::new(Events::default());
        assert!(read(&mut Reader::after(&events, 7)).is_empty());
        happens(&events, 3);
        let mut from_now = Reader::from_now(&events);
        assert_eq!(read(&mut Reader::after(&events, 1)), [2, 3]);
        assert!(read(&mut from_now).is_empty());
        happens(&events, 1);
        assert_eq!(read(&mut from_now), [4]);
        assert!(read(&mut Reader::after(&events, u64::MAX)).is_empty());
    }

    #[test]
    fn what_is_gone_is_counted_as_missed_once() {
        let events = Arc::new(Events::default());
        let mut reader = Reader::from_now(&events);
        happens(&events, KEPT + 5);
        let read = read(&mut reader);
        assert_eq!(read[..3], [-5, 6, 7]);
        assert_eq!(read.len(), KEPT + 1);
    }

    #[test]
    fn whoever_begins_with_all_that_is_kept_has_missed_nothing() {
        let events = Arc::new(Events::default());
        happens(&events, KEPT + 5);
        let mut reader = Reader::after(&events, 0);
        let first = read(&mut reader);
        assert_eq!((first[0], first.len()), (6, KEPT));
        happens(&events, KEPT + 1);
        assert_eq!(read(&mut reader)[0], -1, "what goes by later is missed");
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_what_happens() {
        let events = Arc::new(Events::default());
        let mut reader = Reader::from_now(&events);
        let waiting = tokio::spawn(async move {
            reader.changed().await;
            read(&mut reader)
        });
        happens(&events, 1);
        assert_eq!(waiting.await.unwrap(), [1]);
    }
}
