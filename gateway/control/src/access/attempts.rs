//! Slowing down those who guess tokens, by their address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens that an address may show within [`WINDOW`]: a mistyped variable
/// in a script, not a search.
const ALLOWED: u32 = 10;

/// How long wrong tokens count.
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered. With more at a time, the one that began first
/// is forgotten: memory is bounded, and 256 bits are not found by taking turns.
const REMEMBERED: usize = 1024;

/// Who has shown wrong tokens lately.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<IpAddr, Window>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    failures: u32,
}

impl Attempts {
    /// For how long an address is not listened to; none if it is.
    pub(super) fn pause(&self, from: IpAddr, now: Instant) -> Option<Duration> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&from).filter(|one| one.failures >= ALLOWED)?;
        let left = WINDOW.checked_sub(now.duration_since(window.began));
        left.filter(|left| !left.is_zero())
    }

    /// Note a wrong token.
    pub(super) fn failed(&self, from: IpAddr, now: Instant) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, window| now.duration_since(window.began) < WINDOW);
        if windows.len() >= REMEMBERED && !windows.contains_key(&from) {
            let first = windows.iter().min_by_key(|(_, window)| window.began);
            if let Some(first) = first.map(|(address, _)| *address) {
                windows.remove(&first);
            }
        }
        let new = Window {
            began: now,
            failures: 0,
        };
        windows.entry(from).or_insert(new).failures += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn the_eleventh_guess_within_a_minute_waits_for_its_end() {
        let attempts = Attempts::default();
        let start = Instant::now();
        for _ in 0..ALLOWED {
            assert_eq!(attempts.pause(address(1), start), None);
            attempts.failed(address(1), start);
        }
        assert_eq!(attempts.pause(address(1), start), Some(WINDOW));
        assert_eq!(attempts.pause(address(2), start), None);
        assert_eq!(attempts.pause(address(1), start + WINDOW), None);
        attempts.failed(address(1), start + WINDOW);
        assert_eq!(attempts.pause(address(1), start + WINDOW), None);
    }

    #[test]
    fn the_table_does_not_grow_without_end() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..2 * REMEMBERED as u32 {
            attempts.failed(address(number), now);
        }
        assert_eq!(attempts.0.lock().unwrap().len(), REMEMBERED);
    }
}
