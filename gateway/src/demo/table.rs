//! The live table of the demo and of `gatewright status --watch`: on a terminal a screen that is drawn over and over,
//! elsewhere one plain line a second.

mod figures;
mod lines;
mod report;
mod screen;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub(crate) use figures::{Figures, Health, PluginRow, ServerRow, Totals};
pub(crate) use report::Report;

use lines::Lines;

/// Where the figures of a demo are shown.
///
/// While it has the terminal, what anything else prints spoils the picture,
/// and Ctrl-C is a key, not a signal: ask for what was [`pressed`](Self::pressed)
/// often. The terminal is given back when this is dropped, and when any thread
/// panics.
pub(crate) struct Table {
    output: Output,
}

enum Output {
    Screen(DefaultTerminal),
    Lines(Lines),
}

impl Table {
    /// Take the terminal if the standard output is one that can be drawn on.
    ///
    /// # Errors
    ///
    /// When the terminal does not do as it is told.
    pub(crate) fn new() -> io::Result<Self> {
        let output = match is_screen() {
            true => Output::Screen(ratatui::try_init().inspect_err(|_| give_back())?),
            false => Output::Lines(Lines::default()),
        };
        Ok(Self { output })
    }

    /// Show these figures. Four times a second is often enough.
    ///
    /// # Errors
    ///
    /// When nothing can be written any more.
    pub(crate) fn draw(&mut self, figures: &Figures) -> io::Result<()> {
        match &mut self.output {
            Output::Screen(terminal) => {
                terminal.draw(|frame| screen::render(frame, figures))?;
            }
            Output::Lines(lines) => {
                if let Some(line) = lines.due(figures) {
                    writeln!(io::stdout(), "{line}")?;
                }
            }
        }
        Ok(())
    }

    /// The keys that have been pressed since the last time of asking, of those
    /// that mean something. It does not wait. Without a screen there are none,
    /// and Ctrl-C arrives as the usual signal.
    ///
    /// # Errors
    ///
    /// When the terminal is gone.
    pub(crate) fn pressed(&mut self) -> io::Result<Vec<Key>> {
        let mut keys = Vec::new();
        if matches!(self.output, Output::Lines(_)) {
            return Ok(keys);
        }
        // To the end, so that they do not pile up.
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()? {
                keys.extend(meaning(key));
            }
        }
        Ok(keys)
    }
}

/// What a viewer asks for by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// q, Esc or Ctrl-C: enough.
    Quit,
    /// 1 to 9: kill or start that server, counted from 0.
    Server(usize),
    /// p: let the next policy decide.
    NextPolicy,
}

impl Drop for Table {
    fn drop(&mut self) {
        if let Output::Screen(terminal) = &mut self.output {
            // A terminal that is gone has nothing to be given back.
            let _ = terminal.show_cursor();
            give_back();
        }
    }
}

fn give_back() {
    // As above.
    let _ = ratatui::try_restore();
}

/// Whether the standard output can be drawn on.
pub(super) fn is_screen() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn meaning(key: KeyEvent) -> Option<Key> {
    if key.kind != KeyEventKind::Press {
        return None;
    }
    match key.code {
        KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('p' | 'P') => Some(Key::NextPolicy),
        KeyCode::Char(digit @ '1'..='9') => Some(Key::Server(digit as usize - '1' as usize)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_foot_of_the_screen_says() {
        let key = |code, modifiers| meaning(KeyEvent::new(code, modifiers));
        let plain = |code| key(code, KeyModifiers::NONE);
        assert_eq!(plain(KeyCode::Char('q')), Some(Key::Quit));
        assert_eq!(plain(KeyCode::Esc), Some(Key::Quit));
        let control_c = key(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(control_c, Some(Key::Quit));
        assert_eq!(plain(KeyCode::Char('p')), Some(Key::NextPolicy));
        assert_eq!(plain(KeyCode::Char('1')), Some(Key::Server(0)));
        assert_eq!(plain(KeyCode::Char('9')), Some(Key::Server(8)));
        for nothing in [KeyCode::Char('c'), KeyCode::Char('0'), KeyCode::Enter] {
            assert_eq!(plain(nothing), None);
        }
    }
}
