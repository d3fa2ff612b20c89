//! What is noted, told and heard, between two tables of two gateways.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use gatewright_model::config::{self, Environment};
use gatewright_model::id::Slot;
use gatewright_model::snapshot::Snapshot;

use super::*;
use crate::sessions::Sessions;
use crate::space::Space;

const HOUR: Duration = Duration::from_secs(3600);

/// What the cluster's clock shows when a host's shows nothing.
const AHEAD_MS: u64 = 1_700_000_000_000;

fn replica() -> Arc<Replica> {
    Arc::new(Replica::new(Duration::ZERO, AHEAD_MS, Box::new(|| {})))
}

fn space() -> (Space, Arc<Replica>) {
    let replica = replica();
    (
        Space::default().sharing(Some(Arc::clone(&replica))),
        replica,
    )
}

fn told(space: &Space, replica: &Replica, now: Duration) -> Vec<Change> {
    of_space(space, replica, now).changes
}

fn of_space(space: &Space, replica: &Replica, now: Duration) -> Changes {
    Changes::of(|kind, changes| space.changes(kind, "", (replica, now), changes))
}

/// Tell the other all that one has to tell.
fn pass(from: &(Space, Arc<Replica>), to: &(Space, Arc<Replica>), now: Duration) {
    for Change { field, deed } in told(&from.0, &from.1, now) {
        match deed {
            Deed::Write(record) => to.0.hear(&field, record, &to.1, now),
            other => panic!("{other:?} is no write"),
        }
    }
}

#[test]
fn what_changes_often_is_told_once_and_as_it_is() {
    let (one, other) = (space(), space());
    for value in 0..10 {
        one.0.set("k", vec![value], 0, HOUR);
    }
    one.0.set("gone", vec![1], 0, HOUR);
    one.0.remove("gone", HOUR);
    other.0.set("gone", vec![1], 0, HOUR / 2);
    assert_eq!(one.0.get("k", HOUR), Some(vec![9]));
    pass(&one, &other, HOUR);
    assert_eq!(other.0.get("k", HOUR), Some(vec![9]));
    assert_eq!(other.0.get("gone", HOUR), None);
    assert!(told(&one.0, &one.1, HOUR).is_empty());
    // What is heard is not told again.
    assert!(told(&other.0, &other.1, HOUR).is_empty());
}

#[test]
fn the_later_write_counts_whoever_hears_of_the_other() {
    let (one, other) = (space(), space());
    one.0.set("k", b"early".to_vec(), 0, HOUR);
    other.0.set("k", b"late".to_vec(), 1000, HOUR * 2);
    pass(&one, &other, HOUR * 2);
    assert_eq!(other.0.get("k", HOUR * 2), Some(b"late".to_vec()));
    pass(&other, &one, HOUR * 2);
    assert_eq!(one.0.get("k", HOUR * 2), Some(b"late".to_vec()));
    // A clock that is behind makes no change older than what it changes.
    one.0.set("k", b"latest".to_vec(), 0, HOUR);
    pass(&one, &other, HOUR);
    assert_eq!(other.0.get("k", HOUR), Some(b"latest".to_vec()));
    // The end of its time goes with it.
    one.0.set("short", vec![1], 1000, HOUR);
    pass(&one, &other, HOUR);
    let end = HOUR + Duration::from_secs(1);
    assert_eq!(other.0.get("short", HOUR), Some(vec![1]));
    assert_eq!(other.0.get("short", end), None);
}

#[test]
fn what_was_added_since_is_on_top_of_what_is_heard() {
    let (space, replica) = space();
    let sum = |sum| Record {
        stamp: replica.clock_ms(HOUR),
        expires: None,
        content: Content::Number(sum),
    };
    space.hear("n", sum(40), &replica, HOUR);
    assert_eq!(space.add("n", 1, 0, HOUR), 41);
    assert_eq!(space.add("n", 1, 0, HOUR), 42);
    space.hear("n", sum(50), &replica, HOUR);
    assert_eq!(space.get("n", HOUR), Some(b"52".to_vec()));
    let told = told(&space, &replica, HOUR);
    assert!(
        matches!(told[0].deed, Deed::Add { delta: 2, .. }),
        "{told:?}"
    );
    // The answer has both in it.
    space.hear("n", sum(52), &replica, HOUR);
    assert_eq!(space.add("n", 0, 0, HOUR), 52);
}

#[test]
fn what_two_add_before_they_hear_of_each_other_is_summed() {
    let spaces = [space(), space()];
    for ((space, replica), delta) in spaces.iter().zip([1, 2]) {
        assert_eq!(space.add("n", delta, 0, HOUR), delta);
        let told = told(space, replica, HOUR);
        let is_it = |deed: &Deed| matches!(deed, Deed::Add { delta: it, .. } if *it == delta);
        assert!(is_it(&told[0].deed), "{told:?}");
    }
    for (space, replica) in &spaces {
        let sum = Record {
            stamp: replica.clock_ms(HOUR),
            expires: None,
            content: Content::Number(3),
        };
        space.hear("n", sum, replica, HOUR);
        assert_eq!(space.get("n", HOUR), Some(b"3".to_vec()));
    }
}

#[test]
fn a_number_that_begins_anew_is_told_without_what_was_before() {
    let (space, replica) = space();
    space.add("n", 5, 1000, HOUR);
    let later = HOUR + Duration::from_secs(2);
    assert_eq!(space.add("n", 1, 0, later), 1);
    let expired = told(&space, &replica, later);
    assert!(
        matches!(expired[0].deed, Deed::Add { delta: 1, .. }),
        "{expired:?}"
    );
    // Others would add to what they do not know to be removed.
    space.remove("n", later);
    assert_eq!(space.add("n", 1, 0, later), 1);
    let removed = told(&space, &replica, later);
    let Deed::Write(record) = &removed[0].deed else {
        panic!("{removed:?}");
    };
    assert!(matches!(record.content, Content::Number(1)), "{record:?}");
}

#[test]
fn a_bucket_asks_and_hears() {
    let (space, replica) = space();
    let met = Met {
        clock_ms: AHEAD_MS,
        gateways: 3,
        have_read: 0,
    };
    replica.met(met, Duration::ZERO);
    let take = || space.take("b", 1, (0.0, 30), HOUR).wait_ms == 0;
    assert_eq!((0..20).filter(|_| take()).count(), 10);
    let asked = told(&space, &replica, HOUR);
    let Deed::Lease(ask) = asked[0].deed else {
        panic!("{asked:?}");
    };
    assert_eq!(
        (ask.debit, ask.used, ask.held, ask.lacked),
        (10.0, 10.0, 0.0, 1.0)
    );
    let granted = gatewright_model::shared::Granted {
        tokens: 7.0,
        level: 13.0,
        room: 23.0,
        born: 1,
    };
    space.hear_leased("b", granted, HOUR * 2, HOUR);
    assert_eq!((0..20).filter(|_| take()).count(), 7);
    // A bucket that others are heard to use gives no share, but a take on credit.
    let bucket = Record {
        stamp: replica.clock_ms(HOUR),
        expires: Some(replica.clock_ms(HOUR * 2)),
        content: Content::Bucket {
            level: 5.0,
            at_ms: replica.clock_ms(HOUR),
            born: 0,
        },
    };
    space.hear("known", bucket, &replica, HOUR);
    let take = || space.take("known", 1, (0.0, 30), HOUR).wait_ms == 0;
    assert_eq!((0..20).filter(|_| take()).count(), 1);
}

#[test]
fn whoever_listens_is_woken_once_between_two_looks() {
    let woken = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&woken);
    let wake = Box::new(move || {
        counting.fetch_add(1, Ordering::Relaxed);
    });
    let replica = Arc::new(Replica::new(Duration::ZERO, AHEAD_MS, wake));
    let space = Space::default().sharing(Some(Arc::clone(&replica)));
    assert!(!replica.is_noted());
    for _ in 0..3 {
        space.add("n", 1, 0, HOUR);
    }
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    assert!(replica.is_noted() && !replica.is_noted());
    space.add("n", 1, 0, HOUR);
    assert_eq!(woken.load(Ordering::Relaxed), 2);
}

fn snapshot(ports: &[u16]) -> Snapshot {
    let server = |port: &u16| format!("{{ host = \"192.0.2.1\", port = {port} }}");
    let servers: Vec<_> = ports.iter().map(server).collect();
    let text = format!("[pools.web]\nservers = [{}]", servers.join(", "));
    let config = config::parse(&text, Path::new("."), &Environment::empty());
    Snapshot::next(None, Arc::new(config.unwrap()), 1).unwrap()
}

/// A gateway's sessions, with its own servers.
struct Table {
    sessions: Sessions,
    replica: Arc<Replica>,
    snapshot: Snapshot,
}

impl Table {
    fn of(ports: &[u16]) -> Self {
        let replica = replica();
        Self {
            sessions: Sessions::default().sharing(Some(Arc::clone(&replica))),
            replica,
            snapshot: snapshot(ports),
        }
    }

    fn set(&self, key: &str, slot: u32, now: Duration) {
        let pool = &self.snapshot.pools[0];
        assert!(self.sessions.set(key, (Slot(slot), HOUR), pool, now));
    }

    fn get(&self, key: &str, now: Duration) -> Option<Slot> {
        self.sessions.get(key, &self.snapshot.pools[0], now)
    }

    fn pass(&self, to: &Self, now: Duration) -> usize {
        let changes = Changes::of(|kind, changes| {
            if kind == Kind::Session {
                self.sessions.changes("", &self.replica, changes);
            }
        });
        let told = changes.changes.len();
        for Change { field, deed } in changes.changes {
            let Deed::Write(record) = deed else {
                panic!("{deed:?} is no write");
            };
            let seat = |id: &str| {
                let mut endpoints = to.snapshot.pools[0].endpoints();
                let endpoint = endpoints.find(|endpoint| endpoint.id.as_str() == id)?;
                Some(endpoint.slot())
            };
            to.sessions.hear(&field, record, seat, (&to.replica, now));
        }
        told
    }
}

#[test]
fn a_session_is_heard_of_by_the_name_of_its_endpoint() {
    let (one, other) = (Table::of(&[1, 2]), Table::of(&[2, 3, 1]));
    one.set("key", 1, HOUR);
    assert_eq!(one.pass(&other, HOUR), 1);
    assert_eq!(other.get("key", HOUR), Some(Slot(0)));
    // A later binding counts, and so does the end of the session.
    other.set("key", 2, HOUR);
    other.pass(&one, HOUR);
    assert_eq!(one.get("key", HOUR), Some(Slot(0)));
    assert!(one.sessions.remove("key", HOUR));
    one.pass(&other, HOUR);
    assert_eq!(other.get("key", HOUR), None);
}

#[test]
fn that_a_session_was_used_is_told_every_tenth_of_its_idle_time() {
    let (one, other) = (Table::of(&[1]), Table::of(&[1]));
    one.set("key", 0, HOUR);
    one.pass(&other, HOUR);
    let minute = HOUR / 60;
    let mut told = 0;
    for minutes in 1..=60 {
        let now = HOUR + minute * minutes;
        assert_eq!(one.get("key", now), Some(Slot(0)));
        one.set("key", 0, now);
        told += one.pass(&other, now);
    }
    assert!((7..=10).contains(&told), "{told}");
    // The other knows that it was used, up to a tenth of its idle time.
    let late = HOUR * 3 - minute * 10;
    assert_eq!(other.get("key", late), Some(Slot(0)));
}

#[test]
fn a_session_waits_for_an_endpoint_that_another_gateway_has_first() {
    let (one, other) = (Table::of(&[1, 2]), Table::of(&[1]));
    one.set("key", 1, HOUR);
    one.pass(&other, HOUR);
    assert_eq!(other.get("key", HOUR), None);
    let later = snapshot(&[1, 2]);
    other.sessions.seat_waiting(&later.pools[0], HOUR);
    let seated = other.sessions.peek("key", &later.pools[0], HOUR);
    assert_eq!(seated, Some(Slot(1)));
}

#[test]
fn much_of_one_kind_holds_up_no_other() {
    let ((space, replica), table) = (space(), Table::of(&[1]));
    let flood = 3 * MOST_CHANGES;
    for key in 0..flood {
        space.take(&format!("limit {key}"), 1, (1.0, 5), HOUR);
    }
    for key in 0..9 {
        space.add(&format!("sum {key}"), 1, 0, HOUR);
        space.set(&format!("value {key}"), vec![1], 0, HOUR);
        table.set(&format!("session {key}"), 0, HOUR);
    }
    let next = || {
        Changes::of(|kind, changes| match kind {
            Kind::Session => table.sessions.changes("", &replica, changes),
            Kind::Sum | Kind::Value | Kind::Limit => {
                space.changes(kind, "", (&replica, HOUR), changes);
            }
        })
    };
    let of = |changes: &Changes, kind: &str| {
        let fields = changes.changes.iter().map(|change| &change.field);
        fields.filter(|field| field.starts_with(kind)).count()
    };
    let first = next();
    assert!(first.has_more && first.changes.len() == MOST_CHANGES);
    for kind in ["sum", "value", "session"] {
        assert_eq!(of(&first, kind), 9, "{kind}");
    }
    table.set("session late", 0, HOUR);
    let second = next();
    assert_eq!(of(&second, "session"), 1);
    // A kind that is alone has all of the room, and each of it is told once.
    let mut told = of(&first, "limit") + of(&second, "limit");
    let third = next();
    assert!(third.has_more && of(&third, "limit") == MOST_CHANGES);
    told += MOST_CHANGES;
    let last = next();
    assert_eq!(told + of(&last, "limit"), flood);
    assert!(!last.has_more);
}

#[test]
fn without_a_cluster_nothing_is_noted() {
    let (space, sessions, pools) = (Space::default(), Sessions::default(), snapshot(&[1]).pools);
    space.set("k", vec![1], 0, HOUR);
    space.add("n", 1, 0, HOUR);
    space.remove("k", HOUR);
    sessions.set("key", (Slot(0), HOUR), &pools[0], HOUR);
    let replica = replica();
    let changes = Changes::of(|kind, changes| {
        space.changes(kind, "", (&replica, HOUR), changes);
        sessions.changes("", &replica, changes);
    });
    assert!(changes.changes.is_empty() && !changes.has_more);
}
