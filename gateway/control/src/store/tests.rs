//! What the store keeps, and what it refuses.

use std::os::unix::fs::PermissionsExt as _;

use gatewright_model::config::{Declared, Environment, Key, Overlay};
use gatewright_model::id::Digest;
use serde_json::json;

use super::*;
use crate::timestamp::Timestamp;

fn entry(target: &str) -> Entry {
    Entry {
        at: Timestamp(0),
        who: "somebody".to_owned(),
        from: None,
        action: "server.add".to_owned(),
        target: target.to_owned(),
        generation: Some(2),
    }
}

fn overlay(weight: u16) -> Overlay {
    let text = "[pools.web]\nservers = [\"a:1\"]\n";
    let file = Declared::parse(text, Path::new(""), &Environment::empty()).unwrap();
    let mut overlay = Overlay::default();
    let key = Key::server("web", "a:1").then("weight");
    overlay.set(&file, &key, json!(weight));
    overlay
}

async fn keep(store: &Store, before: Overlay, after: Overlay) {
    let entry = entry("it");
    let edited = Edited {
        before,
        after,
        records: Vec::new(),
        entry,
    };
    store.keep(edited).await.unwrap();
}

fn refusal(folder: &Path) -> String {
    Store::open(folder).unwrap_err().to_string()
}

#[tokio::test]
async fn what_is_kept_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("made/on/the/way");
    let store = Store::open(&data).unwrap();
    keep(&store, Overlay::default(), overlay(5)).await;
    drop(store);
    let store = Store::open(&data).unwrap();
    assert_eq!(store.overlay().unwrap(), overlay(5));
    keep(&store, overlay(5), overlay(6)).await;
    assert_eq!(store.overlay().unwrap(), overlay(6));
    keep(&store, overlay(6), Overlay::default()).await;
    assert!(store.overlay().unwrap().is_empty());
    let audit = store.audit(2).unwrap();
    let sequences: Vec<_> = audit.iter().map(|numbered| numbered.sequence).collect();
    assert_eq!(sequences, [3, 2]);
    assert_eq!(audit[0].entry.who, "somebody");
}

#[tokio::test]
async fn versions_and_histories_are_kept_with_the_change_and_go_when_they_are_to() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!(store.versions().unwrap().is_empty() && store.histories().unwrap().is_empty());
    let digest = Digest([7; 32]);
    let version = VersionRecord {
        at: Timestamp(5),
        size: 9,
        source: VersionSource::Upload,
        uploader: Some("somebody".to_owned()),
        roles: vec!["balancer".to_owned()],
        imports: Vec::new(),
        exports: Vec::new(),
        direct: true,
        about: About {
            version: Some("1.2.0".to_owned()),
            ..About::default()
        },
        reference: None,
    };
    let step = |restore| Step {
        plugin: Some("mine".to_owned()),
        version: Some(digest),
        restore,
    };
    let steps = [
        Restore::Declared,
        Restore::Nothing,
        Restore::Binding(json!({})),
    ];
    let steps: Vec<_> = steps.map(step).into();
    let keep = async |store: &Store, version: Option<VersionRecord>, steps: Vec<Step>| {
        let records = vec![
            Record::Version("mine".into(), digest, version.map(Box::new)),
            Record::History("web/balancer".to_owned(), steps),
        ];
        let edited = Edited {
            before: overlay(5),
            after: overlay(5),
            records,
            entry: entry("it"),
        };
        store.keep(edited).await.unwrap();
    };
    keep(&store, Some(version.clone()), steps.clone()).await;
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.versions().unwrap()[&("mine".into(), digest)], version);
    assert_eq!(store.histories().unwrap()["web/balancer"], steps);
    keep(&store, None, Vec::new()).await;
    assert!(store.versions().unwrap().is_empty() && store.histories().unwrap().is_empty());
}

#[test]
fn what_others_may_write_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let file = folder.path().join(FILE_NAME);
    for (path, open, closed) in [(folder.path(), 0o770, 0o700), (&file, 0o606, 0o600)] {
        let set = |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(open);
        let refusal = refusal(folder.path());
        let remedy = format!("chmod go-w {}", path.display());
        assert!(refusal.contains(&remedy), "{refusal}");
        set(closed);
        Store::open(folder.path()).unwrap();
    }
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let somebody = rustix::process::geteuid().as_raw() + 1;
    let metadata = fs::metadata(folder.path()).unwrap();
    assert!(refuse_foreign(folder.path(), &metadata).is_ok());
    // Only who may do everything can give files away.
    if std::os::unix::fs::chown(folder.path(), Some(somebody), None).is_ok() {
        let refusal = refusal(folder.path());
        assert!(refusal.contains("belongs to another user"), "{refusal}");
    }
}

#[test]
fn a_new_store_is_not_written_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "theirs").unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    let draft = data
        .join(FILE_NAME)
        .with_extension(format!("{}.new", std::process::id()));
    std::os::unix::fs::symlink(&elsewhere, &draft).unwrap();
    drop(Store::open(&data).unwrap());
    assert_eq!(fs::read(&elsewhere).unwrap(), b"theirs");
}

#[test]
fn the_oldest_entries_of_the_audit_log_go_first_each_of_its_kind() {
    let store = Store::in_memory().unwrap();
    store
        .write(|writing| {
            let token = Entry {
                action: "token.create".to_owned(),
                ..entry("mine")
            };
            audit::add(writing, &token)?;
            for number in 0..10_002 {
                audit::add(writing, &entry(&number.to_string()))?;
            }
            Ok(())
        })
        .unwrap();
    let audit = store.audit(usize::MAX).unwrap();
    assert_eq!(audit.len(), 10_001);
    assert_eq!(audit[0].sequence, 10_003);
    assert_eq!(audit[9_999].entry.target, "2");
    // Who may do less does not push out what takes more.
    assert_eq!(audit[10_000].entry.target, "mine");
    let newest = store.audit(1).unwrap();
    assert_eq!(newest[0].entry.target, "10001");
}

#[test]
fn one_gateway_has_it_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let refusal = refusal(folder.path());
    assert!(refusal.contains("in use by another gateway"), "{refusal}");
    drop(store);
    Store::open(folder.path()).unwrap();
}

#[test]
fn what_is_damaged_is_refused_and_left_as_it_is() {
    for content in [&b""[..], b"not a database", &[0; 100_000]] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        fs::write(&file, content).unwrap();
        let refusal = refusal(folder.path());
        assert!(refusal.contains("is damaged"), "{refusal}");
        assert!(refusal.contains("move it away"), "{refusal}");
        assert_eq!(fs::read(&file).unwrap(), content);
    }
}

#[test]
fn a_cut_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let file = folder.path().join(FILE_NAME);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let refusal = refusal(folder.path());
    assert!(refusal.contains("is damaged"), "{refusal}");
}

#[test]
fn a_record_that_does_not_read_is_damage() {
    let store = Store::in_memory().unwrap();
    store
        .write(|writing| {
            writing.open_table(overrides::OVERRIDES)?.insert("[", "{")?;
            Ok(())
        })
        .unwrap();
    assert!(matches!(store.overlay(), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_newer_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store
        .write(|writing| {
            writing.open_table(META)?.insert(SCHEMA_KEY, SCHEMA + 1)?;
            Ok(())
        })
        .unwrap();
    drop(store);
    let refusal = refusal(folder.path());
    assert!(refusal.contains("newer gateway"), "{refusal}");
}

#[test]
fn nobody_else_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    drop(Store::open(&data).unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join(FILE_NAME)), 0o600);
}

/// Whatever a bit of the file turns to, the store opens as it was or is refused.
#[tokio::test]
async fn a_flipped_bit_is_never_taken_for_another_content() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    keep(&store, Overlay::default(), overlay(5)).await;
    drop(store);
    let file = folder.path().join(FILE_NAME);
    let whole = fs::read(&file).unwrap();
    let used: Vec<_> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    for at in used.iter().copied().step_by(used.len() / 100) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&file, &flipped).unwrap();
        match Store::open(folder.path()).and_then(|store| store.overlay()) {
            Ok(found) => assert_eq!(found, overlay(5), "byte {at}"),
            Err(StoreError::Damaged { .. } | StoreError::Newer { .. }) => {
                assert!(fs::read(&file).unwrap() == flipped, "byte {at} was mended");
            }
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_store_that_is_handed_over_is_another_processes_until_it_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    keep(&store, Overlay::default(), overlay(5)).await;
    store.hand_over();
    assert!(matches!(store.overlay(), Err(StoreError::HandedOver)));
    let other = Store::open(folder.path()).unwrap();
    keep(&other, overlay(5), overlay(6)).await;
    drop(other);
    store.take_back().unwrap();
    assert_eq!(store.overlay().unwrap(), overlay(6));
}

#[tokio::test]
async fn a_store_in_memory_has_everything_when_it_is_taken_back() {
    let store = Store::in_memory().unwrap();
    keep(&store, Overlay::default(), overlay(5)).await;
    store.hand_over();
    assert!(matches!(store.overlay(), Err(StoreError::HandedOver)));
    store.take_back().unwrap();
    assert_eq!(store.overlay().unwrap(), overlay(5));
}
