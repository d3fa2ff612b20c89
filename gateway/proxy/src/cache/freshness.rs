//! Which answers may be kept, and for how long they may be used (RFC 9111 §3,
//! §4.2; RFC 5861).

use std::time::{Duration, Instant, SystemTime};

use gatewright_model::config::CacheRules;
use http::StatusCode;
use http::header::{self, HeaderMap};

use super::directives::{RequestDirectives, ResponseDirectives, seconds};

/// The share of the time since an answer was last modified for which it is taken
/// to be fresh, and the most that comes of it (§4.2.2).
const HEURISTIC_SHARE: u32 = 10;
const HEURISTIC_MOST: Duration = Duration::from_secs(24 * 3600);

/// When an answer was asked for and when its head came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) asked: Instant,
    pub(super) received: Instant,
    /// The second, by the clock.
    pub(super) clock: SystemTime,
}

/// For how long an answer may be used.
#[derive(Clone, Debug)]
pub(super) struct Freshness {
    received: Instant,
    /// How old it was then.
    initial_age: Duration,
    lifetime: Duration,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    /// Whether it is validated before each use.
    pub(super) is_validated_always: bool,
    /// Whether it is never used once it is stale.
    is_never_stale: bool,
}

/// Whether an answer may be used for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usable {
    /// As it is.
    Fresh,
    /// Although it is stale: the client takes it.
    Stale,
    /// Although it is stale, if it is validated meanwhile.
    Meanwhile,
    /// Once the server has said that it is still right.
    Validated,
}

impl Freshness {
    pub(super) fn of(
        status: StatusCode,
        headers: &HeaderMap,
        times: Times,
        rules: &CacheRules,
    ) -> Self {
        let said = ResponseDirectives::of(headers);
        let date = date(headers, &header::DATE).unwrap_or(times.clock);
        let apparent = times.clock.duration_since(date).unwrap_or_default();
        let age = headers.get(header::AGE);
        let age = age.map_or(0, |age| seconds(age.as_bytes().trim_ascii()));
        let delay = times.received.saturating_duration_since(times.asked);
        let is_never_stale = said.no_cache || said.must_revalidate || said.s_maxage.is_some();
        let period = |seconds: Option<u64>| Duration::from_secs(seconds.unwrap_or(0));
        let beyond = |period: Duration| match is_never_stale {
            true => Duration::ZERO,
            false => period,
        };
        let stale_if_error = match said.stale_if_error {
            None => rules.stale_if_error,
            said => period(said),
        };
        Self {
            received: times.received,
            initial_age: apparent.max(Duration::from_secs(age) + delay),
            lifetime: lifetime(status, headers, &said, date, rules),
            stale_while_revalidate: beyond(period(said.stale_while_revalidate)),
            stale_if_error: beyond(stale_if_error),
            is_validated_always: said.no_cache,
            is_never_stale,
        }
    }

    /// How old it is (§4.2.3).
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.initial_age + now.saturating_duration_since(self.received)
    }

    /// For how long it is still fresh; none once it is stale.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.lifetime.checked_sub(self.age(now))?;
        (!left.is_zero()).then_some(left)
    }

    /// Seconds for which it is fresh; below nought: for which it has not been.
    pub(super) fn ttl(&self, now: Instant) -> i64 {
        let seconds = |period: Duration| i64::try_from(period.as_secs()).unwrap_or(i64::MAX);
        seconds(self.lifetime) - seconds(self.age(now))
    }

    /// For how long it has been stale.
    fn staleness(&self, now: Instant) -> Duration {
        self.age(now).saturating_sub(self.lifetime)
    }

    /// Whether it is of any use, be it for being validated or where servers fail.
    pub(super) fn is_useful(&self, headers: &HeaderMap, now: Instant) -> bool {
        let has_validator =
            headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED);
        let beyond = self.stale_if_error.max(self.stale_while_revalidate);
        let is_ever_used = self.left(now).is_some() || self.staleness(now) < beyond;
        has_validator || (is_ever_used && !self.is_validated_always)
    }

    /// Whether it may be used for a request (§4.2.4, §5.2.1).
    pub(super) fn usable(&self, said: &RequestDirectives, now: Instant) -> Usable {
        let age = self.age(now);
        let is_too_old = said
            .max_age
            .is_some_and(|most| age > Duration::from_secs(most));
        if said.no_cache || self.is_validated_always {
            return Usable::Validated;
        }
        if let Some(left) = self.left(now) {
            let wanted = Duration::from_secs(said.min_fresh.unwrap_or(0));
            return match is_too_old || left < wanted {
                true => Usable::Validated,
                false => Usable::Fresh,
            };
        }
        let staleness = self.staleness(now);
        let is_taken = said.max_stale;
        let is_taken = is_taken.is_some_and(|most| staleness <= Duration::from_secs(most));
        match () {
            () if is_too_old || said.min_fresh.is_some() => Usable::Validated,
            () if is_taken && !self.is_never_stale => Usable::Stale,
            () if staleness < self.stale_while_revalidate => Usable::Meanwhile,
            () => Usable::Validated,
        }
    }

    /// Whether it may be used because servers fail.
    pub(super) fn is_for_errors(&self, now: Instant) -> bool {
        self.staleness(now) < self.stale_if_error
    }
}

/// How long an answer is fresh from when it was made (§4.2.1).
fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    said: &ResponseDirectives,
    date: SystemTime,
    rules: &CacheRules,
) -> Duration {
    if let Some(seconds) = said.s_maxage.or(said.max_age) {
        return Duration::from_secs(seconds);
    }
    if headers.contains_key(header::EXPIRES) {
        // What is no date is in the past; so are two that differ.
        let expires = only(headers, &header::EXPIRES);
        let expires = expires.and_then(|_| self::date(headers, &header::EXPIRES));
        let left = expires.and_then(|expires| expires.duration_since(date).ok());
        return left.unwrap_or_default();
    }
    if !is_cacheable_by_default(status) && !said.public {
        return Duration::ZERO;
    }
    if let Some(ttl) = rules.default_ttl {
        return ttl;
    }
    let modified = self::date(headers, &header::LAST_MODIFIED);
    let since = modified.and_then(|modified| date.duration_since(modified).ok());
    since.map_or(Duration::ZERO, |since| {
        (since / HEURISTIC_SHARE).min(HEURISTIC_MOST)
    })
}

/// A header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a header::HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// A date in any of the three forms of RFC 9110 §5.6.7.
pub(super) fn date(headers: &HeaderMap, name: &header::HeaderName) -> Option<SystemTime> {
    let text = headers.get(name)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok()
}

/// Whether an answer to a GET may be kept in a cache that many share (§3).
pub(super) fn is_storable(status: StatusCode, headers: &HeaderMap, rules: &CacheRules) -> bool {
    let said = ResponseDirectives::of(headers);
    let is_understood = is_cacheable_by_default(status)
        || matches!(
            status.as_u16(),
            302 | 303 | 307 | 400 | 403 | 500 | 502 | 503 | 504
        );
    let is_forbidden = match said.must_understand {
        true => !is_understood,
        false => said.no_store,
    };
    // Parts are not put together here, and what comes of a request's own conditions,
    // ranges and expectations answers no other request.
    let is_whole = !matches!(status.as_u16(), 206 | 304 | 412 | 416 | 417);
    let is_said = said.public
        || said.max_age.is_some()
        || said.s_maxage.is_some()
        || headers.contains_key(header::EXPIRES);
    is_whole
        && !status.is_informational()
        && !is_forbidden
        && !said.private
        && (is_said || is_cacheable_by_default(status))
        && (rules.store_cookies || !headers.contains_key(header::SET_COOKIE))
        && !headers.contains_key(header::CONTENT_RANGE)
}

/// Whether an answer to somebody who has said who it is may be anybody's (§3.5).
pub(super) fn is_for_all(headers: &HeaderMap) -> bool {
    let said = ResponseDirectives::of(headers);
    said.public || said.must_revalidate || said.s_maxage.is_some()
}

/// Whether answers with this status may be kept although they do not say so
/// (RFC 9110 §15.1).
fn is_cacheable_by_default(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}
