//! Waiting for what must come, with far more patience than it should need.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. No test asserts a
/// duration; this one only bounds how long a failure takes.
const PATIENCE: Duration = Duration::from_secs(10);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Look again and again until it is so.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFnMut() -> bool) {
    within(PATIENCE, what, is_so).await;
}

/// [`eventually`], for what may take longer.
pub(crate) async fn within(patience: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(
            began.elapsed() < patience,
            "it never came to be that {what}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Wait for something that must come by itself.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("it took too long: {what}"))
}
