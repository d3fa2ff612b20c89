//! Asking a server whether what is kept is still right while it is used: nobody
//! waits for the answer (RFC 5861 §3).

use std::rc::Rc;
use std::sync::Arc;

use http::Method;
use http::header;

use super::ask::Conditions;
use super::fetch::Fetch;
use super::stored::Stored;
use crate::aside::Aside;
use crate::connection::Client;
use crate::current::PoolView;
use crate::facts::Held;
use crate::request_body::RequestBody;
use crate::under_way::Work;

/// Ask, unless somebody does.
pub(super) fn begin(
    client: &Rc<Client>,
    held: &Held,
    pool: &PoolView,
    fetch: &Fetch,
    stored: &Arc<Stored>,
) {
    let Some(lead) = fetch.cache.flights.lead(&fetch.key) else {
        return;
    };
    let mut fetch = fetch.to_refresh(stored, lead);
    let mut held = held.duplicate();
    // The whole is wanted, whatever this client wants of it.
    held.method = Method::GET;
    for name in [
        header::RANGE,
        header::IF_RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
    ] {
        held.headers.remove(name);
    }
    fetch.is_validating = Conditions::put(stored, &mut held.headers);
    let refresh = Aside::of(client, held, &pool.pool);
    tokio::task::spawn_local(async move {
        let most = fetch.most();
        let asked = refresh.ask(
            Work::Refresh,
            RequestBody::none(),
            |worker, held, answered, mut response| {
                let answered = answered.map_err(Into::into);
                fetch.settle(worker, held, answered, &mut response).ok()?;
                Some((response.into_body(), most))
            },
        );
        // What is kept goes on being used for as long as it may be.
        let _ = asked.await;
    });
}
