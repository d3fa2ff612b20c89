//! What a table of sessions remembers, and what it forgets.

use super::*;
use gatewright_model::config::{self, Environment};
use gatewright_model::snapshot::Snapshot;
use std::path::Path;

const HOUR: Duration = Duration::from_secs(3600);

fn snapshot(previous: Option<&Snapshot>, ports: &[u16]) -> Snapshot {
    let server = |port: &u16| format!("{{ host = \"192.0.2.1\", port = {port} }}");
    let servers: Vec<_> = ports.iter().map(server).collect();
    let text = format!("[pools.web]\nservers = [{}]", servers.join(", "));
    let config = config::parse(&text, Path::new("."), &Environment::empty());
    Snapshot::next(previous, Arc::new(config.unwrap()), 1).unwrap()
}

fn shard_of(entries: impl IntoIterator<Item = (Arc<str>, Entry)>) -> Shard {
    Shard {
        entries: entries.into_iter().collect(),
        ..Shard::default()
    }
}

#[test]
fn a_seed_forgets_the_same_each_time() {
    let snapshot = snapshot(None, &[1]);
    let pool = &snapshot.pools[0];
    let keys = |seed| {
        let sessions = Sessions::new(&Spread::Seeded(seed));
        for (from, now) in [(0, HOUR), (500, HOUR * 3)] {
            for number in from..from + 500 {
                assert!(sessions.set(&number.to_string(), (Slot(0), HOUR), pool, now));
            }
        }
        // What is over and has not been met yet is still there.
        let listed = sessions.list(pool, HOUR);
        listed.into_iter().map(|one| one.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(1), keys(1));
    assert_ne!(keys(1), keys(2));
}

#[test]
fn a_session_is_forgotten_when_it_is_idle_for_too_long() {
    let snapshot = snapshot(None, &[1, 2]);
    let pool = &snapshot.pools[0];
    let sessions = Sessions::default();
    assert!(sessions.set("key", (Slot(1), HOUR), pool, HOUR));
    assert_eq!(sessions.get("key", pool, HOUR * 2), Some(Slot(1)));
    assert_eq!(sessions.get("key", pool, HOUR * 3), Some(Slot(1)));
    let late = HOUR * 4 + Duration::from_secs(1);
    assert_eq!(sessions.get("key", pool, late), None);
    assert_eq!(sessions.count(), 0);
}

#[test]
fn a_session_that_is_set_again_is_as_old_as_it_was() {
    let snapshot = snapshot(None, &[1, 2]);
    let pool = &snapshot.pools[0];
    let sessions = Sessions::default();
    assert!(sessions.set("key", (Slot(0), HOUR), pool, HOUR));
    assert!(sessions.set("key", (Slot(1), HOUR), pool, HOUR + HOUR / 2));
    let listed = sessions.list(pool, HOUR * 2);
    let expected = Session {
        key: "key".into(),
        endpoint: EndpointId::from("192.0.2.1:2"),
        age: HOUR,
        idle: HOUR / 2,
        left: HOUR / 2,
    };
    assert_eq!(listed, [expected]);
}

#[test]
fn sessions_are_counted_by_endpoint_while_they_live() {
    let snapshot = snapshot(None, &[1, 2, 3]);
    let pool = &snapshot.pools[0];
    let sessions = Sessions::default();
    for (key, slot, idle) in [("a", 0, 1), ("b", 2, 3), ("c", 2, 3)] {
        assert!(sessions.set(key, (Slot(slot), HOUR * idle), pool, HOUR));
    }
    assert_eq!(sessions.counts(pool, HOUR), [1, 0, 2]);
    assert_eq!(sessions.counts(pool, HOUR * 3), [0, 0, 2]);
}

#[test]
fn a_session_goes_with_its_endpoint_even_if_the_slot_is_taken_again() {
    let before = snapshot(None, &[1, 2]);
    let sessions = Sessions::default();
    assert!(sessions.set("key", (Slot(1), HOUR), &before.pools[0], HOUR));
    let between = snapshot(Some(&before), &[1]);
    drop(before);
    let after = snapshot(Some(&between), &[1, 3]);
    let pool = &after.pools[0];
    assert!(
        pool.endpoint(Slot(1)).is_some(),
        "the slot is not taken again"
    );
    assert_eq!(sessions.count(), 1);
    assert!(sessions.list(pool, HOUR).is_empty());
    sessions.sweep(pool, HOUR);
    assert_eq!(sessions.count(), 0);
    assert!(!sessions.set("key", (Slot(7), HOUR), pool, HOUR));
    assert!(!sessions.set(&"k".repeat(KEY_BYTES + 1), (Slot(1), HOUR), pool, HOUR));
}

#[test]
fn a_full_shard_drops_what_is_dead_before_what_is_old() {
    let snapshot = snapshot(None, &[1]);
    let pool = &snapshot.pools[0];
    let entry = |idle, used| Entry {
        slot: Slot(0),
        endpoint: EndpointId::from("192.0.2.1:1"),
        idle,
        created: used,
        used,
        stamp: 0,
        told: used,
    };
    let mut shard = shard_of([
        ("dead".into(), entry(HOUR, HOUR * 8)),
        ("old".into(), entry(HOUR * 99, HOUR)),
        ("new".into(), entry(HOUR * 99, HOUR * 9)),
    ]);
    let present = |shard: &Shard, key: &str| shard.entries.contains_key(key);
    shard.make_room(pool, HOUR * 10);
    assert!(!present(&shard, "dead") && shard.entries.len() == 2);
    shard.make_room(pool, HOUR * 10);
    assert!(!present(&shard, "old") && present(&shard, "new"));
}

#[test]
fn what_is_kept_shortly_makes_room_before_what_is_older() {
    let snapshot = snapshot(None, &[1]);
    let pool = &snapshot.pools[0];
    let entry = |idle, used| Entry {
        slot: Slot(0),
        endpoint: EndpointId::from("192.0.2.1:1"),
        idle,
        created: used,
        used,
        stamp: 0,
        told: used,
    };
    let minute = Duration::from_secs(60);
    let mut shard = shard_of([
        ("named".into(), entry(HOUR, HOUR)),
        ("claimed".into(), entry(minute, HOUR + minute)),
    ]);
    shard.make_room(pool, HOUR + minute);
    assert!(shard.entries.contains_key("named") && shard.entries.len() == 1);
}

#[test]
fn what_is_over_goes_while_others_are_used() {
    let snapshot = snapshot(None, &[1]);
    let pool = &snapshot.pools[0];
    let sessions = Sessions::default();
    let minute = Duration::from_secs(60);
    for number in 0..1000 {
        assert!(sessions.set(&number.to_string(), (Slot(0), minute), pool, HOUR));
    }
    let later = HOUR + 2 * minute;
    // Each is looked at in its shard with one in about 60, some thousand times.
    for number in 0..16_000 {
        let key = format!("new {}", number % 160);
        assert!(sessions.set(&key, (Slot(0), HOUR), pool, later));
        assert_eq!(sessions.get(&key, pool, later), Some(Slot(0)));
    }
    assert_eq!(sessions.count(), 160);
}

#[test]
fn in_a_full_shard_the_old_make_room_for_the_new() {
    const ENTRIES: u64 = 512;
    let snapshot = snapshot(None, &[1]);
    let pool = &snapshot.pools[0];
    let entry = |used| Entry {
        slot: Slot(0),
        endpoint: EndpointId::from("192.0.2.1:1"),
        idle: HOUR * 99,
        created: Duration::from_secs(used),
        used: Duration::from_secs(used),
        stamp: 0,
        told: Duration::from_secs(used),
    };
    let named = |n: u64| -> (Arc<str>, Entry) { (n.to_string().into(), entry(n)) };
    let mut shard = shard_of((0..ENTRIES).map(named));
    for n in ENTRIES..10 * ENTRIES {
        shard.make_room(pool, HOUR);
        shard.entries.extend([named(n)]);
    }
    let shard = shard.entries;
    assert_eq!(shard.len() as u64, ENTRIES);
    // Of those that came last nine in ten are there, and of the first nobody.
    let since = |n: u64| shard.values().filter(|it| it.used.as_secs() >= n).count();
    assert!(
        since(9 * ENTRIES + ENTRIES / 2) > 230,
        "{}",
        since(9 * ENTRIES)
    );
    assert_eq!(
        shard
            .values()
            .filter(|it| it.used.as_secs() < ENTRIES)
            .count(),
        0
    );
}
