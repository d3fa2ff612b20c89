//! The line that tells how the shopping goes while it goes.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Summary;

/// How often the line is drawn.
pub(super) const PERIOD: Duration = Duration::from_millis(250);

/// A line on the error output, drawn over and over; nothing where that is no
/// terminal. It disappears when dropped.
pub(super) struct LiveLine {
    bar: ProgressBar,
    rate: Rate,
}

impl LiveLine {
    pub(super) fn new(duration: Duration, hidden: bool) -> Self {
        let (bar, template) = match duration {
            Duration::ZERO => (ProgressBar::no_length(), "{elapsed:>4} {wide_msg}"),
            duration => (
                ProgressBar::new(milliseconds(duration)),
                "{bar:20} {elapsed:>4} {wide_msg}",
            ),
        };
        if hidden {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        // A template that could not be read would leave the usual one.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self {
            bar,
            rate: Rate::default(),
        }
    }

    /// Show these figures.
    pub(super) fn draw(&mut self, summary: &Summary) {
        let elapsed = Duration::from_secs_f64(summary.seconds);
        self.bar.set_position(milliseconds(elapsed));
        self.bar
            .set_message(message(summary, self.rate.now(summary)));
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn message(summary: &Summary, rate: f64) -> String {
    let mut text = format!(
        "{} requests, {rate:.0}/s, {} failed, p50 {:.1} ms, p99 {:.1} ms",
        summary.requests, summary.failed, summary.p50_ms, summary.p99_ms
    );
    let sum: u64 = summary.backends.values().sum();
    for (name, count) in &summary.backends {
        let share = 100.0 * *count as f64 / sum as f64;
        text.push_str(&format!(", {name} {share:.0} %"));
    }
    text
}

/// Requests a second lately: from one second to the next.
#[derive(Default)]
struct Rate {
    seconds: f64,
    requests: u64,
    rate: f64,
}

impl Rate {
    fn now(&mut self, summary: &Summary) -> f64 {
        let time = summary.seconds - self.seconds;
        if time >= 1.0 {
            self.rate = summary.requests.saturating_sub(self.requests) as f64 / time;
            self.seconds = summary.seconds;
            self.requests = summary.requests;
        } else if self.seconds == 0.0 {
            self.rate = summary.requests_per_second;
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use super::super::tally::Tally;

    fn at(seconds: f64, requests: u64) -> Summary {
        Summary {
            seconds,
            requests,
            ..Tally::new(1).summary("http://a")
        }
        .with_rate()
    }

    #[test]
    fn the_rate_is_the_last_seconds() {
        let mut rate = Rate::default();
        let mut now = |seconds, requests| rate.now(&at(seconds, requests)).round();
        assert!((now(0.5, 50) - 100.0).abs() < 0.1);
        assert!((now(1.0, 200) - 200.0).abs() < 0.1);
        assert!((now(1.5, 200) - 200.0).abs() < 0.1);
        assert!((now(2.0, 200) - 0.0).abs() < 0.1);
    }

    #[test]
    fn the_message_shows_how_the_servers_share() {
        let mut summary = at(1.0, 4);
        summary.backends = [("a".to_owned(), 3), ("b".to_owned(), 1)].into();
        let text = message(&summary, 4.0);
        assert!(text.starts_with("4 requests, 4/s, 0 failed"), "{text}");
        assert!(text.ends_with("a 75 %, b 25 %"), "{text}");
    }
}
