//! The imports' second body: each function asks this thread's fake host. The
//! modules and signatures are those of the generated imports.

use std::string::String;
use std::vec::Vec;

use super::host;

pub(crate) mod request {
    use super::{String, Vec, host};
    use crate::Slot;

    pub(crate) fn id() -> String {
        host(|host| host.request.id.clone())
    }

    pub(crate) fn method() -> String {
        host(|host| host.request.method.clone())
    }

    pub(crate) fn scheme() -> String {
        host(|host| host.request.scheme.clone())
    }

    pub(crate) fn authority() -> String {
        host(|host| host.request.authority.clone())
    }

    pub(crate) fn path() -> String {
        host(|host| host.request.path.clone())
    }

    pub(crate) fn query() -> Option<String> {
        host(|host| host.request.query.clone())
    }

    pub(crate) fn header(name: &str) -> Option<String> {
        String::from_utf8(header_bytes(name, 0)?).ok()
    }

    pub(crate) fn header_bytes(name: &str, index: u32) -> Option<Vec<u8>> {
        host(|host| {
            let headers = host.request.headers.iter();
            let mut values = headers.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            values.nth(index as usize).map(|(_, value)| value.clone())
        })
    }

    pub(crate) fn has_body() -> bool {
        host(|host| host.request.has_body)
    }

    pub(crate) fn cookie(name: &str) -> Option<String> {
        host(|host| host.request.cookies.get(name).cloned())
    }

    pub(crate) fn client_address() -> String {
        host(|host| host.request.client_address.clone())
    }

    pub(crate) fn attempt() -> u32 {
        host(|host| host.request.tried.len() as u32 + 1)
    }

    pub(crate) fn tried() -> Vec<Slot> {
        host(|host| host.request.tried.clone())
    }
}

pub(crate) mod endpoints {
    use super::{String, host};
    use crate::Slot;

    pub(crate) fn label(slot: Slot, name: &str) -> Option<String> {
        host(|host| host.labels.get(&(slot, name.into())).cloned())
    }
}

pub(crate) mod load {
    use super::{Vec, host};
    use crate::{Report, Slot, UNUSABLE};

    pub(crate) fn active(slot: Slot) -> u32 {
        host(|host| host.active.get(slot as usize).copied().unwrap_or(UNUSABLE))
    }

    pub(crate) fn all_active() -> Vec<u32> {
        host(|host| host.active.clone())
    }

    pub(crate) fn response_time(slot: Slot) -> u32 {
        host(|host| host.response_times.get(slot as usize).copied().unwrap_or(0))
    }

    pub(crate) fn all_response_times() -> Vec<u32> {
        host(|host| host.response_times.clone())
    }

    pub(crate) fn reported(slot: Slot) -> Option<Report> {
        host(|host| host.reports.get(&slot).copied())
    }
}

pub(crate) mod pools {
    use super::host;
    use crate::PoolIndex;

    pub(crate) fn index(name: &str) -> Option<PoolIndex> {
        let index = host(|host| host.pools.iter().position(|(known, _)| known == name))?;
        Some(index as PoolIndex)
    }

    pub(crate) fn available(pool: PoolIndex) -> u32 {
        host(|host| {
            host.pools
                .get(pool as usize)
                .map_or(0, |(_, available)| *available)
        })
    }
}

pub(crate) mod log {
    use super::host;
    use crate::log::Level;

    pub(crate) fn write(level: Level, message: &str) {
        host(|host| host.log.push((level, message.into())));
    }
}

pub(crate) mod advice {
    use super::host;
    use crate::Slot;

    pub(crate) fn second_choice(slot: Slot) {
        host(|host| host.advice.second_choice = Some(slot));
    }

    pub(crate) fn reason(text: &str) {
        host(|host| host.advice.reason = Some(text.into()));
    }

    pub(crate) fn timeout(milliseconds: u32) {
        host(|host| host.advice.timeout = Some(milliseconds));
    }

    pub(crate) fn retries(most: u32) {
        host(|host| host.advice.retries = Some(most));
    }

    pub(crate) fn hedge_after(milliseconds: u32) {
        host(|host| host.advice.hedge_after = Some(milliseconds));
    }

    pub(crate) fn call_bind() {
        host(|host| host.advice.call_bind = true);
    }
}

pub(crate) mod rewrite {
    use super::host;

    pub(crate) fn path(path: &str) {
        host(|host| host.rewrites.path = Some(path.into()));
    }

    pub(crate) fn query(query: Option<&str>) {
        host(|host| host.rewrites.query = Some(query.map(Into::into)));
    }

    pub(crate) fn authority(authority: &str) {
        host(|host| host.rewrites.authority = Some(authority.into()));
    }

    pub(crate) fn set_header(name: &str, value: &str) {
        let header = (name.into(), Some(value.into()));
        host(|host| host.rewrites.headers.push(header));
    }

    pub(crate) fn append_header(name: &str, value: &str) {
        let header = (name.into(), value.into());
        host(|host| host.rewrites.appended.push(header));
    }

    pub(crate) fn remove_header(name: &str) {
        host(|host| host.rewrites.headers.push((name.into(), None)));
    }
}

pub(crate) mod response {
    use super::{String, Vec, host};
    use crate::testing::Answer;

    pub(crate) fn status() -> u16 {
        host(|host| host.response.status)
    }

    pub(crate) fn header(name: &str) -> Option<String> {
        String::from_utf8(header_bytes(name, 0)?).ok()
    }

    pub(crate) fn header_bytes(name: &str, index: u32) -> Option<Vec<u8>> {
        host(|host| {
            let headers = host.response.headers.iter();
            let mut values = headers.filter(|(key, _)| key.eq_ignore_ascii_case(name));
            let (_, value) = values.nth(index as usize)?;
            Some(value.as_bytes().into())
        })
    }

    pub(crate) fn set_header(name: &str, value: &str) {
        remove_header(name);
        append_header(name, value);
    }

    pub(crate) fn append_header(name: &str, value: &str) {
        host(|host| host.response.headers.push((name.into(), value.into())));
    }

    pub(crate) fn remove_header(name: &str) {
        host(|host| {
            let headers = &mut host.response.headers;
            headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        });
    }

    pub(crate) fn set_cookie(cookie: &str) {
        host(|host| host.response.cookies.push(cookie.into()));
    }

    pub(crate) fn body(content_type: &str, body: &[u8]) {
        let answer = Answer {
            content_type: content_type.into(),
            body: body.into(),
        };
        host(|host| host.response.answer = Some(answer));
    }
}

pub(crate) mod store {
    use super::{Vec, host};
    use crate::Taken;

    pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
        host(|host| host.store.get(key, host.now))
    }

    pub(crate) fn set(key: &str, value: &[u8], ttl_ms: u32) {
        host(|host| host.store.set(key, value, ttl_ms, host.now));
    }

    pub(crate) fn remove(key: &str) {
        host(|host| host.store.remove(key));
    }

    pub(crate) fn add(key: &str, delta: i64, ttl_ms: u32) -> i64 {
        host(|host| host.store.add(key, delta, ttl_ms, host.now))
    }

    pub(crate) fn compare_and_swap(
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        ttl_ms: u32,
    ) -> bool {
        let equal = get(key).as_deref() == expected;
        if equal {
            set(key, value, ttl_ms);
        }
        equal
    }

    pub(crate) fn take(key: &str, count: u32, per_second: f64, burst: u32) -> Taken {
        host(|host| host.store.take(key, count, per_second, burst, host.now))
    }
}

pub(crate) mod sessions {
    use super::host;
    use crate::Slot;

    pub(crate) fn get(key: &str) -> Option<Slot> {
        host(|host| host.sessions.get(key).copied())
    }

    pub(crate) fn set(key: &str, slot: Slot, idle_seconds: u32) {
        host(|host| {
            host.sessions.insert(key.into(), slot);
            host.session_idle.insert(key.into(), idle_seconds);
        });
    }

    pub(crate) fn remove(key: &str) {
        host(|host| {
            host.sessions.remove(key);
            host.session_idle.remove(key);
        });
    }
}

pub(crate) mod clock {
    use super::host;

    pub(crate) fn now() -> u64 {
        host(|host| host.now)
    }

    pub(crate) fn unix_ms() -> u64 {
        host(|host| host.unix_ms)
    }
}

pub(crate) mod random {
    use super::host;

    pub(crate) fn next() -> u64 {
        host(|host| host.random.bits())
    }
}

pub(crate) mod metrics {
    use super::host;

    pub(crate) fn count(name: &str, by: u64) {
        host(|host| *host.counters.entry(name.into()).or_default() += by);
    }

    pub(crate) fn gauge(name: &str, value: f64) {
        host(|host| host.gauges.insert(name.into(), value));
    }
}
