//! Noticing that a file of the configuration, or a plugin's, has changed.
//!
//! What the system tells of folders is only a hint to look: editors and `mv`
//! replace files, `cp` writes them bit by bit, and links are turned to another
//! folder. What counts is that the files look different from when they were
//! read, and have looked the same for a moment since.

mod folders;
mod sight;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use self::folders::Folders;
pub(crate) use self::sight::Sight;
use crate::control::Control;

/// How long files must have looked the same: what is copied slowly is not read
/// half-way, and if it is, it is refused and read again.
const QUIET: Duration = Duration::from_millis(100);

/// How often to look without a hint, for file systems that give none.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);

/// How long to wait before looking again, though there are hints: another program may
/// write beside the files all the time.
const PAUSE: Duration = Duration::from_millis(50);

/// Reload whenever the files have changed since `seen`, for ever.
pub(crate) async fn watch(control: Arc<Control>, mut seen: Sight) {
    let hint = Arc::new(Notify::new());
    let mut snapshots = control.publisher.subscribe();
    let mut folders = Folders::new(&hint);
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update().snapshot);
        folders.follow(&snapshot.config);
        seen.follow(&snapshot.config);
        let looked = Instant::now();
        let now = Sight::of(&snapshot.config);
        if now != seen {
            seen = settled(now, || Sight::of(&snapshot.config)).await;
            drop(snapshot);
            // What came of it is logged there.
            let _ = control.reload().await;
            continue;
        }
        tokio::select! {
            () = hint.notified() => tokio::time::sleep_until(looked + PAUSE).await,
            () = tokio::time::sleep(LOOK_ANYWAY) => {}
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

/// What the files look like once they have looked the same for a moment.
async fn settled(mut sight: Sight, look: impl Fn() -> Sight) -> Sight {
    loop {
        tokio::time::sleep(QUIET).await;
        let now = look();
        if now == sight {
            return now;
        }
        sight = now;
    }
}
