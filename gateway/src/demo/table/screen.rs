//! The figures as a screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use super::figures::{Figures, Health, PluginRow, ServerRow, Totals};

const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);
const FAINT: Style = Style::new().fg(Color::DarkGray);
const GOOD: Style = Style::new().fg(Color::Green);
const CARE: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red);

/// A column of a table of rows `R`.
struct Column<R> {
    title: &'static str,
    /// In cells of the screen; 0 takes what the others leave.
    width: u16,
    /// The screen's width from which on it is shown.
    from: u16,
    align: fn(Line<'static>) -> Line<'static>,
    cell: fn(&R) -> Span<'static>,
}

const fn text<R>(title: &'static str, width: u16, cell: fn(&R) -> Span<'static>) -> Column<R> {
    Column {
        title,
        width,
        from: 0,
        align: Line::left_aligned,
        cell,
    }
}

const fn number<R>(title: &'static str, width: u16, cell: fn(&R) -> Span<'static>) -> Column<R> {
    Column {
        title,
        width,
        from: 0,
        align: Line::right_aligned,
        cell,
    }
}

const SERVERS: [Column<ServerRow>; 8] = [
    text("server", 0, |server| server.id.clone().into()),
    text("health", 8, |server| health(server.health)),
    number("active", 6, |server| plain(server.active)),
    number("requests", 9, |server| plain(server.requests)),
    number("per s", 8, |server| format!("{:.0}", server.rate).into()),
    number("failed", 7, |server| alarming(server.failed)),
    number("p50 ms", 8, |server| format!("{:.2}", server.p50_ms).into()),
    number("p99 ms", 8, |server| format!("{:.2}", server.p99_ms).into()),
];

const PLUGINS: [Column<PluginRow>; 9] = [
    text("plugin", 0, |plugin| plugin.name.clone().into()),
    text("role", 8, |plugin| plugin.role.clone().into()),
    text("pool", 6, |plugin| {
        plugin.pool.clone().unwrap_or_default().into()
    }),
    text("version", 8, |plugin| plugin.version.clone().into()),
    number("decisions", 10, |plugin| plain(plugin.decisions)),
    Column {
        // The one that can be missed where there is no room for all.
        from: 96,
        ..number("per s", 8, |plugin| format!("{:.0}", plugin.rate).into())
    },
    number("ns", 6, |plugin| {
        format!("{:.0}", plugin.ns_per_decision).into()
    }),
    number("faults", 6, |plugin| alarming(plugin.faults)),
    text("state", 11, |plugin| state(&plugin.state)),
];

/// Draw the figures.
pub(super) fn render(frame: &mut Frame<'_>, figures: &Figures) {
    let height = |rows: usize| Constraint::Length(u16::try_from(rows).unwrap_or(u16::MAX));
    let [head, about, servers, plugins, notes, foot] = Layout::vertical([
        Constraint::Length(1),
        height(figures.about.len() + 1),
        // Each table has a head and an empty line after it.
        height(figures.servers.len() + 2),
        height(figures.plugins.len() + 2),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(heading(&figures.totals), head);
    frame.render_widget(paragraph(&figures.about), about);
    table(frame, servers, &SERVERS, &figures.servers);
    table(frame, plugins, &PLUGINS, &figures.plugins);
    let first = figures
        .notes
        .len()
        .saturating_sub(usize::from(notes.height));
    frame.render_widget(paragraph(&figures.notes[first..]), notes);
    frame.render_widget(Line::styled(figures.keys, FAINT), foot);
}

fn heading(totals: &Totals) -> Line<'static> {
    let seconds = totals.elapsed.as_secs();
    let counts = format!(
        "  {}:{:02}  {} requests  {:.0}/s  ",
        seconds / 60,
        seconds % 60,
        totals.requests,
        totals.rate
    );
    let times = format!("  p50 {:.2} ms  p99 {:.2} ms", totals.p50_ms, totals.p99_ms);
    let failed = format!("{} failed", totals.failed);
    let judged = if totals.failed == 0 { GOOD } else { BAD };
    Line::from(vec![
        Span::styled("Gatewright", TITLE),
        counts.into(),
        Span::styled(failed, judged),
        times.into(),
    ])
}

fn paragraph(lines: &[String]) -> Paragraph<'_> {
    Paragraph::new(
        lines
            .iter()
            .map(|line| Line::from(line.as_str()))
            .collect::<Vec<_>>(),
    )
}

fn table<R>(frame: &mut Frame<'_>, area: Rect, columns: &[Column<R>], rows: &[R]) {
    let shown = || columns.iter().filter(|column| column.from <= area.width);
    let head = shown().map(|column| Cell::from((column.align)(column.title.into())));
    let rows = rows.iter().map(|row| {
        let cells = shown().map(|column| Cell::from((column.align)((column.cell)(row).into())));
        Row::new(cells.collect::<Vec<_>>())
    });
    let widths = shown().map(|column| match column.width {
        0 => Constraint::Fill(1),
        width => Constraint::Length(width),
    });
    let table = Table::new(rows.collect::<Vec<_>>(), widths.collect::<Vec<_>>())
        .header(Row::new(head.collect::<Vec<_>>()).style(TITLE));
    frame.render_widget(table, area);
}

fn plain(count: u64) -> Span<'static> {
    count.to_string().into()
}

/// A count that should be zero.
fn alarming(count: u64) -> Span<'static> {
    let style = if count == 0 { Style::new() } else { BAD };
    Span::styled(count.to_string(), style)
}

fn health(health: Health) -> Span<'static> {
    let style = match health {
        Health::Unknown => FAINT,
        Health::Up => GOOD,
        Health::Draining => CARE,
        Health::Broken | Health::Down => BAD,
    };
    Span::styled(health.word(), style)
}

fn state(word: &str) -> Span<'static> {
    let style = if word == "active" { GOOD } else { CARE };
    Span::styled(word.to_owned(), style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn drawn(figures: &Figures, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("it cannot fail");
        terminal
            .draw(|frame| render(frame, figures))
            .expect("it cannot fail");
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(move |x| buffer[(x, y)].symbol()).collect();
        let rows = (0..height).map(|y| -> String { row(y) });
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn everything_fits_on_eighty_columns() {
        let expected = [
            "Gatewright  1:05  4321 requests  412/s  2 failed  p50 1.25 ms  p99 8.50 ms",
            "https://localhost:8443",
            "",
            "server              health   active  requests    per s  failed   p50 ms   p99 ms",
            "backend-3001        up            3      4300      137       0     1.25     8.50",
            "backend-3002        down          3        21      137       0     1.25     8.50",
            "",
            "plugin             role     pool   version   decisions     ns faults state",
            "path-router        router          1f0c9a2b       4321    432      0 active",
            "least-connections  balancer web    1f0c9a2b       4321    432      1 active",
            "",
            "backend-3002 is down",
            "q: end",
        ];
        assert_eq!(drawn(&Figures::sample(), 80, 13), expected);
    }

    #[test]
    fn with_more_room_the_plugins_rates_are_shown() {
        let rows = drawn(&Figures::sample(), 100, 13);
        assert_eq!(rows[7].matches("per s").count(), 1, "{rows:?}");
    }

    #[test]
    fn of_the_notes_the_newest_are_shown() {
        let mut figures = Figures::sample();
        figures.notes = (0..50).map(|number| format!("note {number}")).collect();
        let rows = drawn(&figures, 80, 15);
        assert_eq!(rows[11..14], ["note 47", "note 48", "note 49"]);
    }

    #[test]
    fn a_screen_that_is_too_small_is_no_reason_to_fail() {
        for (width, height) in [(1, 1), (10, 3), (40, 5)] {
            assert_eq!(
                drawn(&Figures::sample(), width, height).len(),
                usize::from(height)
            );
        }
    }
}
