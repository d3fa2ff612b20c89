//! The peers' configuration files, which lie in `benches/` with holes for ports
//! and folders.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// What goes into the holes.
#[derive(Default)]
pub(super) struct Values {
    texts: BTreeMap<&'static str, String>,
    on: BTreeMap<&'static str, bool>,
}

impl Values {
    /// Fill `{{name}}` with a value.
    pub(super) fn text(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.texts.insert(name, value.to_string());
        self
    }

    /// Keep lines that begin with `{{#name}}`, or leave them out.
    pub(super) fn lines(mut self, name: &'static str, on: bool) -> Self {
        self.on.insert(name, on);
        self
    }

    /// The file with its holes filled.
    ///
    /// # Errors
    ///
    /// When it has a hole that nothing is known for.
    pub(super) fn fill(&self, template: &str) -> Result<String> {
        let mut filled = String::new();
        for line in template.lines() {
            if let Some(line) = self.kept(line) {
                let mut line = line.to_owned();
                for (name, value) in &self.texts {
                    line = line.replace(&format!("{{{{{name}}}}}"), value);
                }
                filled += &line;
                filled.push('\n');
            }
        }
        if let Some(hole) = filled.lines().find(|line| line.contains("{{")) {
            bail!("nothing is known for `{hole}`");
        }
        Ok(filled)
    }

    /// A line without its mark, if it is to be kept.
    fn kept<'a>(&self, line: &'a str) -> Option<&'a str> {
        for (name, on) in &self.on {
            if let Some(rest) = line.strip_prefix(&format!("{{{{#{name}}}}}")) {
                return on.then_some(rest);
            }
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::Values;

    #[test]
    fn holes_are_filled_and_marked_lines_kept_or_left_out() {
        let values = Values::default().text("port", &80).lines("tls", false);
        assert_eq!(
            values.fill("a {{port}}\n{{#tls}}b\nc").unwrap(),
            "a 80\nc\n"
        );
        assert_eq!(values.lines("tls", true).fill("{{#tls}}b").unwrap(), "b\n");
        assert!(Values::default().fill("{{port}}").is_err());
    }
}
