//! A running time for people.

use std::time::Duration;

/// Days, hours and minutes, such as `7d 12h 30m`.
pub(super) fn in_words(uptime: Duration) -> String {
    let minutes = uptime.as_secs() / 60;
    format!(
        "{}d {}h {}m",
        minutes / 1440,
        minutes / 60 % 24,
        minutes % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_days_hours_and_minutes() {
        assert_eq!(in_words(Duration::from_secs(59)), "0d 0h 0m");
        let week = Duration::from_secs(((7 * 24 + 12) * 60 + 30) * 60 + 59);
        assert_eq!(in_words(week), "7d 12h 30m");
    }
}
