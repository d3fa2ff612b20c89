//! Faults on purpose: delays and failures that a pool's configuration asks for,
//! to see how clients take them.

use gatewright_model::config::Faults;
use http::StatusCode;

use crate::respond::Denial;
use crate::worker::Worker;

/// Hold a request up, or fail it, as often as is asked for.
pub(crate) async fn inject(worker: &Worker, faults: &Faults) -> Result<(), Denial> {
    let draw = |percent: u8| worker.random.borrow_mut().u8(..100) < percent;
    if let Some(delay) = faults.delay.filter(|delay| draw(delay.percent)) {
        // Never armed: it wakes the request when the time to finish is over.
        let deadline = worker.deadlines.register();
        let _ = deadline.limit(tokio::time::sleep(delay.by)).await;
    }
    match faults.abort.filter(|abort| draw(abort.percent)) {
        Some(abort) => {
            let status = StatusCode::from_u16(abort.status);
            Err(Denial::Injected(
                status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            ))
        }
        None => Ok(()),
    }
}
