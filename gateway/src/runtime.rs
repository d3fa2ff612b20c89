//! The runtime of a command: one thread, because traffic has the workers' own.

use anyhow::Context as _;

/// Run a future to its end on this thread. What it has left to threads that may
/// block is not waited for: whoever gives up waiting for workers to drain, or for
/// a file to be read, means to end at once.
///
/// # Errors
///
/// When the system has no room for a runtime; otherwise what the future says.
pub(crate) fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("no runtime can be started")?;
    let outcome = runtime.block_on(future);
    runtime.shutdown_background();
    outcome
}
