//! Moments as text: RFC 3339 in UTC, from milliseconds since 1970.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// A moment, in milliseconds since 1970. It displays as
/// `2026-01-31T12:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00.000Z")]
#[schema(description = "A moment: RFC 3339, in UTC")]
pub struct Timestamp(pub u64);

/// The end of the year 9999: the latest moment that the format can say.
const LATEST: u64 = 253_402_300_799_999;

impl Timestamp {
    /// The present moment.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// So long after this one, or at the end of the year 9999.
    #[must_use]
    pub fn after(self, period: Duration) -> Self {
        let period = u64::try_from(period.as_millis()).unwrap_or(LATEST);
        Self(self.0.saturating_add(period).min(LATEST))
    }
}

/// A clock that only goes on, told as moments: the same time is the same moment
/// however often it is told, unless the machine's clock was set meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Moments(AtomicU64);

/// Readings of the two clocks, one after the other, are less apart than this; a
/// machine's clock that is set to within it is as good as right.
const APART_MS: u64 = 1000;

impl Moments {
    /// The moment at which the clock stood at zero that says `clock` now.
    pub(crate) fn beginning(&self, now: Timestamp, clock: Duration) -> Timestamp {
        let clock = u64::try_from(clock.as_millis()).unwrap_or(u64::MAX);
        let beginning = now.0.saturating_sub(clock);
        let told = self.0.load(Ordering::Relaxed);
        if told.abs_diff(beginning) < APART_MS {
            return Timestamp(told);
        }
        self.0.store(beginning, Ordering::Relaxed);
        Timestamp(beginning)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_1970 = time.duration_since(UNIX_EPOCH);
        Self(since_1970.map_or(0, |elapsed| elapsed.as_millis() as u64))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(at.0.min(LATEST))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0.min(LATEST));
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = humantime::parse_rfc3339(&text);
        time.map(Self::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_the_same() {
        let known = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (LATEST, "9999-12-31T23:59:59.999Z"),
        ];
        for (unix_ms, text) in known {
            assert_eq!(Timestamp(unix_ms).to_string(), text);
            let json = serde_json::to_string(&Timestamp(unix_ms)).unwrap();
            let read: Timestamp = serde_json::from_str(&json).unwrap();
            assert_eq!(read, Timestamp(unix_ms));
        }
    }

    #[test]
    fn a_time_of_another_clock_is_one_moment_until_the_machine_s_is_set() {
        let moments = Moments::default();
        let beginning = |now, clock| {
            let beginning = moments.beginning(Timestamp(now), Duration::from_millis(clock));
            beginning.0
        };
        assert_eq!(beginning(5_000_000, 2_000), 4_998_000);
        assert_eq!(beginning(5_000_003, 2_001), 4_998_000);
        assert_eq!(beginning(6_000_000, 1_002_001), 4_998_000);
        assert_eq!(beginning(9_000_000, 1_002_000), 7_998_000);
    }

    #[test]
    fn no_period_leads_beyond_the_format() {
        assert_eq!(Timestamp(5).after(Duration::from_secs(2)), Timestamp(2005));
        assert_eq!(Timestamp::now().after(Duration::MAX), Timestamp(LATEST));
    }
}
