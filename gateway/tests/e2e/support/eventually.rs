//! Waiting for what must come, with far more patience than it should need.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it. No test asserts a
/// duration, unless one is promised; this one only bounds how long a failure takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is done on one gateway of a cluster counts on all after so long at most, as is
/// promised.
const PROMISED: Duration = Duration::from_secs(1);

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

/// [`eventually`], for what is promised within a second of something.
pub(crate) async fn within_a_second_of(
    began: Instant,
    what: &str,
    is_so: impl AsyncFnMut() -> bool,
) {
    eventually(what, is_so).await;
    let took = began.elapsed();
    assert!(took < PROMISED, "it took {took:?} until {what}");
}

/// Wait for something that must come by itself.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("it took too long: {what}"))
}
