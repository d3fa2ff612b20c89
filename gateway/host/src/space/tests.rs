//! What a `store` keeps, and for how long.

use super::*;
use proptest::prelude::*;

const NOW: Duration = Duration::from_secs(100);

fn after(ms: u64) -> Duration {
    NOW + Duration::from_millis(ms)
}

#[test]
fn a_value_lives_as_long_as_it_was_given() {
    let space = Space::default();
    assert!(space.set("short", b"1".to_vec(), 50, NOW));
    assert!(space.set("long", b"2".to_vec(), 0, NOW));
    assert_eq!(space.get("short", after(49)), Some(b"1".to_vec()));
    assert_eq!(space.get("short", after(50)), None);
    assert_eq!(
        space.get("long", after(u32::MAX.into())),
        Some(b"2".to_vec())
    );
    space.remove("long", NOW);
    assert_eq!(space.get("long", NOW), None);
}

#[test]
fn a_sum_lives_from_its_first_addition() {
    let space = Space::default();
    assert_eq!(space.add("n", 2, 50, NOW), 2);
    assert_eq!(space.add("n", 3, 50, after(40)), 5);
    assert_eq!(space.get("n", after(40)), Some(b"5".to_vec()));
    assert_eq!(space.add("n", 1, 50, after(50)), 1);
}

#[test]
fn a_value_of_digits_can_be_added_to() {
    let space = Space::default();
    space.set("n", b"40".to_vec(), 0, NOW);
    assert_eq!(space.add("n", 2, 0, NOW), 42);
    space.remove("n", NOW);
    assert!(
        space
            .shards
            .iter()
            .all(|shard| shard.lock().unwrap().bytes == 0)
    );
}

#[test]
fn a_swap_needs_the_expected_value() {
    let space = Space::default();
    let to = |value: &[u8]| (value.to_vec(), 0);
    assert!(!space.compare_and_swap("k", Some(b"a"), to(b"b"), NOW));
    assert!(space.compare_and_swap("k", None, to(b"a"), NOW));
    assert!(!space.compare_and_swap("k", None, to(b"b"), NOW));
    assert!(space.compare_and_swap("k", Some(b"a"), to(b"b"), NOW));
    assert_eq!(space.get("k", NOW), Some(b"b".to_vec()));
}

#[test]
fn a_bucket_says_how_long_to_wait() {
    let space = Space::default();
    let bucket = (10.0, 5);
    let take = |key, count, now| {
        let taken = space.take(key, count, bucket, now);
        (taken.wait_ms, taken.left)
    };
    assert_eq!(take("b", 4, NOW), (0, 1));
    assert_eq!(take("b", 2, NOW), (100, 1));
    assert_eq!(take("b", 2, after(100)), (0, 0));
    assert_eq!(take("b", 1, after(100)), (100, 0));
    let left = [199, 200, 9000].map(|ms| take("b", 0, after(ms)).1);
    assert_eq!(left, [0, 1, 5]);
    assert_eq!(take("new", 0, NOW), (0, 5));
    assert_eq!(take("b", 6, after(9000)), (u32::MAX, 5));
    let never = space.take("never", 1, (0.0, 0), NOW);
    assert_eq!((never.wait_ms, never.left), (u32::MAX, 0));
}

#[test]
fn a_full_shard_drops_its_oldest() {
    let mut shard = Shard::default();
    for key in 0..=SHARD_KEYS {
        assert!(shard.put(&key.to_string(), Value::Number(1), None, 0));
    }
    assert_eq!(shard.entries.len(), SHARD_KEYS);
    assert!(shard.live("0", NOW).is_none() && shard.live("1", NOW).is_some());
    let large = || bytes(vec![0; ENTRY_BYTES - 1]);
    for key in 0..9 {
        assert!(shard.put(&key.to_string(), large(), None, 0));
        assert!(shard.bytes <= SHARD_BYTES);
    }
    assert!(!shard.put("larger", large(), None, 0));
}

#[test]
fn a_seed_spreads_keys_the_same_way_each_time() {
    let kept = |seed| {
        let space = Space::new(Spread::Seeded(seed));
        for key in 0..100 {
            space.add(&key.to_string(), 1, 0, NOW);
        }
        // Shard after shard.
        space.kept()
    };
    assert_eq!(kept(1), kept(1));
    assert_ne!(kept(1), kept(2));
}

#[test]
fn a_space_over_another_sees_it_and_leaves_it_alone() {
    let under = Arc::new(Estate::default());
    under.space.set("seen", b"below".to_vec(), 0, after(0));
    under.space.add("count", 5, 0, after(0));
    let over = Space::over(&under);
    assert_eq!(over.get("seen", after(0)).unwrap(), b"below");
    under.space.set("seen", b"later".to_vec(), 0, after(0));
    assert_eq!(over.get("seen", after(0)).unwrap(), b"later");

    assert_eq!(over.add("count", 1, 0, after(0)), 6);
    over.remove("seen", NOW);
    assert_eq!(over.get("seen", after(0)), None);
    assert_eq!(under.space.get("seen", after(0)).unwrap(), b"later");
    assert_eq!(under.space.get("count", after(0)).unwrap(), b"5");
}

proptest! {
    /// However it is asked, a bucket never gives more than its burst and
    /// what it gained since.
    #[test]
    fn a_bucket_never_gives_more_than_it_gained(
        asks in prop::collection::vec((0u64..200, 1u32..4), 1..100),
        per_second in 1u32..50,
        burst in 4u32..20,
    ) {
        let space = Space::default();
        let (mut elapsed, mut given) = (0, 0);
        for (wait, count) in asks {
            elapsed += wait;
            let taken = space.take("b", count, (per_second.into(), burst), after(elapsed));
            given += if taken.wait_ms == 0 { count } else { 0 };
            let gained = f64::from(per_second) * elapsed as f64 / 1000.0;
            prop_assert!(f64::from(given) <= f64::from(burst) + gained + 1e-6);
        }
    }
}
