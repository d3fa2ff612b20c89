//! Facts between two exchanges: nothing is known, and what one has left is of use to
//! the next.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_host::{Edits, Effects};
use gatewright_wire::RequestId;
use http::{HeaderMap, Method, Uri, Version};
use smallvec::SmallVec;

use super::{Facts, NO_ADDRESS};
use crate::account::Noted;
use crate::come_back::SOON;
use crate::connection::LONGEST_HOST;

impl Facts {
    /// Facts of which nothing is known but when they begin.
    pub(super) fn blank(started: Instant) -> Self {
        Self {
            started,
            responded: None,
            method: Method::GET,
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            uri: Uri::default(),
            path: None,
            query: None,
            authority: Arc::default(),
            asked: None,
            vouched: Vec::new(),
            settled: Vec::new(),
            has_body: false,
            has_cookies: false,
            is_known: false,
            upgrade: None,
            scheme: "",
            waited: Duration::ZERO,
            client: NO_ADDRESS,
            client_text: None,
            id: RequestId::from(0),
            tried: SmallVec::new(),
            come_back: SOON,
            most_attempts: u32::MAX,
            effects: Effects::default(),
            response_edits: Edits::new(),
            asks_why: false,
            answerer: None,
            noted: Noted::default(),
            status: None,
            response: HeaderMap::new(),
        }
    }

    /// Forget what not every request says anew, and what takes memory, so that another
    /// can begin as from blank facts: where nothing was noted there is little to do.
    /// Returns the map of the headers.
    pub(super) fn forget(&mut self) -> HeaderMap {
        let Self {
            responded,
            method,
            headers,
            uri,
            path,
            query,
            asked,
            vouched,
            settled,
            is_known,
            upgrade,
            waited,
            client_text,
            tried,
            come_back,
            most_attempts,
            effects,
            response_edits,
            answerer,
            noted,
            status,
            response,
            authority,
            // These are small, and put there with each request's head.
            started: _,
            version: _,
            has_body: _,
            has_cookies: _,
            scheme: _,
            client: _,
            id: _,
            asks_why: _,
        } = self;
        *responded = None;
        *method = Method::GET;
        // What is left must not hold on to the client's read buffer.
        *uri = Uri::default();
        *path = None;
        *query = None;
        *asked = None;
        // All workers count who has an empty one.
        if authority.len() > LONGEST_HOST {
            *authority = Arc::default();
        }
        vouched.clear();
        settled.clear();
        *is_known = false;
        *upgrade = None;
        *waited = Duration::ZERO;
        *client_text = None;
        tried.clear();
        *come_back = SOON;
        *most_attempts = u32::MAX;
        clear(effects);
        response_edits.clear();
        *answerer = None;
        noted.put(None);
        *status = None;
        if !response.is_empty() {
            // The plugin's look at it broke off.
            response.clear();
        }
        mem::take(headers)
    }
}

fn clear(effects: &mut Effects) {
    let Effects {
        second_choice,
        reason,
        timeout,
        retries,
        hedge_after,
        call_bind,
        edits,
        lot,
        is_given_up,
        trace,
    } = effects;
    *second_choice = None;
    *reason = None;
    *timeout = None;
    *retries = None;
    *hedge_after = None;
    *call_bind = false;
    edits.clear();
    *lot = None;
    *is_given_up = false;
    *trace = None;
}

#[cfg(test)]
mod tests {
    use gatewright_host::{Edit, ExchangeView as _};
    use gatewright_model::id::Slot;
    use http::{HeaderName, HeaderValue, StatusCode, header};

    use super::*;

    #[test]
    fn nothing_of_an_exchange_is_left_to_the_next_one() {
        let mut facts = Facts::blank(Instant::now());
        facts.responded = Some(facts.started);
        facts.has_body = true;
        let name = HeaderName::from_static("x-forwarded-proto");
        facts.set_header(name, HeaderValue::from_static("https"));
        facts.set_query(Some("b".to_owned()));
        facts.set_authority("elsewhere.".repeat(30));
        facts.is_known = true;
        facts.waited = Duration::from_secs(1);
        facts.tried.extend((0..9).map(Slot));
        facts.come_back = SOON + 1;
        facts.most_attempts = 1;
        facts.effects = Effects {
            second_choice: Some(Slot(1)),
            reason: Some("it is so".to_owned()),
            timeout: Some(Duration::from_secs(1)),
            retries: Some(1),
            hedge_after: Some(Duration::from_secs(1)),
            call_bind: true,
            edits: Edits::from_iter([Edit::Path("/a".to_owned())]),
            lot: Some(7),
            is_given_up: true,
            trace: Some(Box::default()),
        };
        facts.response_edits.push(Edit::Query(None));
        facts.answerer = Some(Box::default());
        facts.status = Some(StatusCode::OK);
        let value = HeaderValue::from_static("a");
        facts.response.insert(header::SERVER, value);

        let headers = facts.forget();
        assert_eq!(headers.len(), 1);
        assert!(facts.headers.is_empty());
        assert_eq!((facts.responded, facts.query()), (None, None));
        assert!(facts.asked.is_none() && !facts.is_known);
        assert!(facts.authority.is_empty());
        assert!(facts.vouched.is_empty() && facts.settled.is_empty());
        assert_eq!((facts.waited, facts.attempt()), (Duration::ZERO, 1));
        assert_eq!((facts.come_back, facts.most_attempts), (SOON, u32::MAX));
        let none = format!("{:?}", Effects::default());
        assert_eq!(format!("{:?}", facts.effects), none);
        assert!(facts.response_edits.is_empty() && facts.answerer.is_none());
        assert!(facts.status.is_none() && facts.response.is_empty());
    }
}
