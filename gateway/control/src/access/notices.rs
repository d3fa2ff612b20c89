//! Which refusals are logged: a stranger must not be able to fill a disk with
//! them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long further refusals of an address are counted only.
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are told of within [`WINDOW`]; of more, nothing is.
const MOST: usize = 1024;

/// Whose refusals have been told lately.
#[derive(Debug, Default)]
pub(crate) struct Notices(Mutex<HashMap<IpAddr, Told>>);

#[derive(Clone, Copy, Debug)]
struct Told {
    at: Instant,
    /// Refusals since then.
    untold: u64,
}

impl Notices {
    /// Whether a refusal is to be told of: how many were not since the last one
    /// of the address that was. None if it is only counted.
    pub(crate) fn due(&self, from: IpAddr, now: Instant) -> Option<u64> {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |told: &Told| now.duration_since(told.at) < WINDOW;
        if let Some(told) = addresses.get_mut(&from)
            && is_recent(told)
        {
            told.untold += 1;
            return None;
        }
        let before = addresses.remove(&from);
        if addresses.len() >= MOST {
            addresses.retain(|_, told| is_recent(told));
        }
        if addresses.len() >= MOST {
            return None;
        }
        addresses.insert(from, Told { at: now, untold: 0 });
        Some(before.map_or(0, |told| told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn an_address_is_told_of_once_a_minute_with_how_much_was_not() {
        let notices = Notices::default();
        let start = Instant::now();
        assert_eq!(notices.due(address(1), start), Some(0));
        assert_eq!(notices.due(address(1), start), None);
        assert_eq!(notices.due(address(2), start), Some(0));
        assert_eq!(notices.due(address(1), start), None);
        assert_eq!(notices.due(address(1), start + WINDOW), Some(2));
    }

    #[test]
    fn only_so_many_addresses_are_told_of_within_a_minute() {
        let notices = Notices::default();
        let start = Instant::now();
        let numbers = 0..2 * MOST as u32;
        let told = numbers.filter(|number| notices.due(address(*number), start).is_some());
        assert_eq!(told.count(), MOST);
        let late = start + WINDOW;
        assert_eq!(notices.due(address(u32::MAX), late), Some(0));
        assert_eq!(notices.0.lock().unwrap().len(), 1);
    }
}
