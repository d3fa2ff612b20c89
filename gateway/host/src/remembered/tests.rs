//! What outlives a process, read back on another clock.

use std::path::Path;
use std::sync::Arc;

use gatewright_model::config::{self, Environment};
use gatewright_model::id::Slot;
use gatewright_model::snapshot::Snapshot;
use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn snapshot(ports: &[u16]) -> Snapshot {
    let server = |port: &u16| format!("{{ host = \"192.0.2.1\", port = {port} }}");
    let servers: Vec<_> = ports.iter().map(server).collect();
    let text = format!("[pools.web]\nservers = [{}]", servers.join(", "));
    let config = config::parse(&text, Path::new("."), &Environment::empty());
    Snapshot::next(None, Arc::new(config.unwrap()), 1).unwrap()
}

/// A plan that has sessions alone, written when its clock showed `now`.
fn written(sessions: &Arc<Sessions>, now: Duration) -> Written {
    let mut plan = Plan::default();
    plan.sessions
        .insert(PoolName::from("web"), Arc::clone(sessions));
    Written::of(&plan, now, usize::MAX)
}

#[test]
fn sessions_go_on_being_idle_on_another_clock() {
    let before = snapshot(&[1, 2]);
    let sessions = Arc::new(Sessions::default());
    assert!(sessions.set("a", (Slot(1), HOUR), &before.pools[0], HOUR));
    assert!(sessions.set("b", (Slot(0), HOUR), &before.pools[0], HOUR));
    let written = written(&sessions, HOUR + HOUR / 2);
    let mut read = Remembered::read(&written.text).unwrap();
    // A quarter of an hour passes while nobody serves, and the endpoint of `b` is
    // gone; that of `a` has another slot.
    read.unix_ms -= 15 * 60 * 1000;
    let after = snapshot(&[2, 3]);
    let (pool, now) = (&after.pools[0], HOUR * 100);
    let taken = Sessions::default();
    read.give_sessions(&taken, pool, now);
    let listed = taken.list(pool, now);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(&*listed[0].key, "a");
    let minutes = |duration: Duration| (duration.as_secs() + 30) / 60;
    assert_eq!((minutes(listed[0].idle), minutes(listed[0].left)), (45, 15));
    assert_eq!(taken.peek("a", pool, now), Some(Slot(0)));
    assert_eq!(taken.peek("a", pool, now + HOUR / 2), None);
}

#[test]
fn sessions_wait_for_endpoints_that_come_late() {
    let before = snapshot(&[1, 2]);
    let sessions = Arc::new(Sessions::default());
    for key in ["a", "b"] {
        assert!(sessions.set(key, (Slot(1), HOUR), &before.pools[0], HOUR));
    }
    let text = written(&sessions, HOUR).text;
    let (without, with) = (snapshot(&[1]), snapshot(&[3, 2]));
    let (then, minute) = (HOUR * 9, Duration::from_secs(60));
    let taken = Arc::new(Sessions::default());
    let read = Remembered::read(&text).unwrap();
    read.give_sessions(&taken, &without.pools[0], then);
    assert_eq!(taken.count(), 0);
    // They are written while they wait, and what is learned meanwhile is newer.
    let again = written(&taken, then + minute).text;
    assert_eq!(Remembered::read(&again).unwrap().sessions(), 2);
    assert!(taken.set("b", (Slot(0), HOUR), &with.pools[0], then));
    taken.seat_waiting(&with.pools[0], then + minute);
    let at = |key: &str| taken.peek(key, &with.pools[0], then + minute);
    assert_eq!((at("a"), at("b")), (Some(Slot(1)), Some(Slot(0))));
    let again = written(&taken, then + minute).text;
    assert_eq!(Remembered::read(&again).unwrap().sessions(), 2);
}

#[test]
fn sessions_wait_for_some_minutes_only() {
    let before = snapshot(&[1, 2]);
    let sessions = Arc::new(Sessions::default());
    assert!(sessions.set("a", (Slot(1), HOUR), &before.pools[0], HOUR));
    let read = Remembered::read(&written(&sessions, HOUR).text).unwrap();
    let (without, then) = (snapshot(&[1]), HOUR * 9);
    let taken = Arc::new(Sessions::default());
    read.give_sessions(&taken, &without.pools[0], then);
    let late = then + Duration::from_secs(301);
    let again = written(&taken, late).text;
    assert_eq!(Remembered::read(&again).unwrap().sessions(), 0);
    taken.seat_waiting(&before.pools[0], late);
    assert_eq!(taken.count(), 0);
}

#[test]
fn values_expire_while_nobody_serves() {
    let space = Space::default();
    space.set("gone", b"1".to_vec(), 60_000, HOUR);
    space.set("there", vec![0, 255], 3_600_000, HOUR);
    space.add("number", 5, 0, HOUR);
    assert_eq!(space.take("bucket", 5, (1.0, 5), HOUR).left, 0);
    let kept = Remembered {
        now_ms: HOUR.as_millis() as u64,
        unix_ms: unix_ms() - 120_000,
        ..Remembered::default()
    };
    let (now, taken) = (HOUR * 9, Space::default());
    taken.take_back(&space.kept(), now, |then| kept.on_clock(then, now));
    assert_eq!(taken.get("gone", now), None);
    assert_eq!(taken.get("there", now), Some(vec![0, 255]));
    assert_eq!(taken.get("there", now + HOUR), None);
    assert_eq!(taken.add("number", 1, 0, now), 6);
    // It has filled again in two minutes.
    assert_eq!(taken.take("bucket", 0, (1.0, 5), now).left, 5);
}

#[test]
fn the_same_content_has_the_same_digest_whenever_it_is_written() {
    let snapshot = snapshot(&[1]);
    let sessions = Arc::new(Sessions::default());
    sessions.set("a", (Slot(0), HOUR), &snapshot.pools[0], HOUR);
    let first = written(&sessions, HOUR);
    assert_eq!(first.digest, written(&sessions, HOUR * 2).digest);
    sessions.get("a", &snapshot.pools[0], HOUR * 2);
    let second = written(&sessions, HOUR * 2);
    assert_ne!(first.digest, second.digest);
    // What is used a little later is not worth writing; a minute is.
    let minute = Duration::from_secs(60);
    sessions.get("a", &snapshot.pools[0], HOUR * 2 + minute / 2);
    assert_eq!(second.digest, written(&sessions, HOUR * 2).digest);
    sessions.get("a", &snapshot.pools[0], HOUR * 2 + minute);
    assert_ne!(second.digest, written(&sessions, HOUR * 2).digest);
}

#[test]
fn what_does_not_fit_is_counted() {
    let snapshot = snapshot(&[1]);
    let sessions = Arc::new(Sessions::default());
    for key in ["a", "b", "c"] {
        sessions.set(key, (Slot(0), HOUR), &snapshot.pools[0], HOUR);
    }
    let mut plan = Plan::default();
    plan.sessions.insert(PoolName::from("web"), sessions);
    let written = Written::of(&plan, HOUR, 150);
    assert_eq!(written.left_out, 2, "{}", written.text);
    assert_eq!(Remembered::read(&written.text).unwrap().sessions(), 1);
}

#[test]
fn values_have_room_before_sessions() {
    let snapshot = snapshot(&[1]);
    let sessions = Arc::new(Sessions::default());
    for key in ["a", "b", "c"] {
        sessions.set(key, (Slot(0), HOUR), &snapshot.pools[0], HOUR);
    }
    let mut plan = Plan::default();
    plan.sessions.insert(PoolName::from("web"), sessions);
    let space = Space::default();
    space.add("number", 5, 0, HOUR);
    let name = ("policy".to_owned(), "rate-limit".to_owned());
    let values = [(name, space.kept())].into_iter();
    let written = Written::with(values, &plan, HOUR, 150);
    let read = Remembered::read(&written.text).unwrap();
    assert_eq!(read.values(), 1, "{}", written.text);
    assert_eq!(read.sessions() + written.left_out, 3);
    assert!(written.left_out > 0);
}

proptest! {
    /// Nothing that was cut or changed anywhere is believed, and nothing panics.
    #[test]
    fn damage_is_noticed(place in 0usize..400, byte: u8) {
        let snapshot = snapshot(&[1]);
        let sessions = Arc::new(Sessions::default());
        sessions.set("key", (Slot(0), HOUR), &snapshot.pools[0], HOUR);
        let text = written(&sessions, HOUR).text;
        let mut bytes = text.clone().into_bytes();
        let place = place % bytes.len();
        prop_assert!(Remembered::read(&text[..place]).is_err());
        let is_same = bytes[place] == byte;
        bytes[place] = byte;
        if let Ok(changed) = String::from_utf8(bytes) {
            let read = Remembered::read(&changed);
            prop_assert!(is_same || read.is_err());
        }
    }
}
