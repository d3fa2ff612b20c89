//! The figures as one line of text a second, for where there is no screen.

use std::fmt::Write as _;

use super::figures::Figures;

/// Remembers when the last line was due, and what it was about.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The second, since the start, in which the next line is due.
    next: u64,
    about: Vec<String>,
}

impl Lines {
    /// The line for these figures, if a second has passed since the last one;
    /// what the figures are about goes before the first, and what is new of it
    /// before the later ones.
    pub(super) fn due(&mut self, figures: &Figures) -> Option<String> {
        let second = figures.totals.elapsed.as_secs();
        if second < self.next {
            return None;
        }
        self.next = second + 1;
        let about = figures.about.iter();
        let news = about.filter(|about| !self.about.contains(about));
        let lines: Vec<_> = news.cloned().chain([line(figures)]).collect();
        self.about.clone_from(&figures.about);
        Some(lines.join("\n"))
    }
}

fn line(figures: &Figures) -> String {
    let totals = &figures.totals;
    let mut text = format!(
        "{:>4} s  {} requests  {:.0}/s  {} failed  p50 {:.2} ms  p99 {:.2} ms",
        totals.elapsed.as_secs(),
        totals.requests,
        totals.rate,
        totals.failed,
        totals.p50_ms,
        totals.p99_ms
    );
    for server in &figures.servers {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "  {} {} {:.0}/s",
            server.id,
            server.health.word(),
            server.rate
        );
    }
    let faults: u64 = figures.plugins.iter().map(|plugin| plugin.faults).sum();
    if faults > 0 {
        // As above.
        let _ = write!(text, "  {faults} plugin faults");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_has_the_totals_and_how_each_server_is() {
        assert_eq!(
            line(&Figures::sample()),
            "  65 s  4321 requests  412/s  2 failed  p50 1.25 ms  p99 8.50 ms  \
             backend-3001 up 137/s  backend-3002 down 137/s  1 plugin faults"
        );
    }

    #[test]
    fn what_comes_up_is_told_once() {
        let mut lines = Lines::default();
        let mut figures = Figures::default();
        let mut due = |second, about: &[&str]| {
            figures.totals.elapsed = Duration::from_secs(second);
            figures.about = about.iter().map(|&about| about.to_owned()).collect();
            let text = lines.due(&figures).unwrap_or_default();
            let told = text.lines().map(str::to_owned);
            told.take_while(|told| !told.contains("requests"))
                .collect::<Vec<_>>()
        };
        assert_eq!(due(1, &["here", "well"]), ["here", "well"]);
        assert_eq!(due(2, &["here", "well", "refused"]), ["refused"]);
        assert!(due(3, &["here", "well", "refused"]).is_empty());
        assert!(due(4, &["here", "well"]).is_empty());
        assert_eq!(due(5, &["here", "well", "refused"]), ["refused"]);
    }

    #[test]
    fn there_is_one_line_a_second_however_often_it_is_asked_for() {
        let mut lines = Lines::default();
        let mut figures = Figures::default();
        let due = (0..40).filter(|quarter| {
            figures.totals.elapsed = Duration::from_millis(250 * quarter);
            lines.due(&figures).is_some()
        });
        assert_eq!(due.count(), 10);
    }
}
