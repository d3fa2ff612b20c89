//! A table in plain text: columns as wide as they have to be.

use std::fmt;

use gatewright_host::plainly;
use serde_json::Value;

/// A heading and a line for each row.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

/// A column: its heading and the field that it shows.
pub(super) type Column = (&'static str, &'static str);

impl Table {
    /// The fields of objects, an object a line; of one object, one line.
    pub(super) fn of(data: &Value, columns: &[Column]) -> Self {
        let heading = columns.iter().map(|(heading, _)| (*heading).to_owned());
        let mut rows = vec![heading.collect()];
        let objects = data
            .as_array()
            .map_or(std::slice::from_ref(data), |all| all);
        for object in objects {
            let cells = columns.iter().map(|(_, field)| cell(&object[*field]));
            rows.push(cells.collect());
        }
        Self { rows }
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => plainly(text).into_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) if number.is_f64() => {
            format!("{:.1}", number.as_f64().unwrap_or_default())
        }
        Value::Array(array) => array.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += &format!("{cell:width$}  ");
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cell_is_on_its_line_whatever_it_says() {
        let data = json!({ "id": "a\n\u{1b}[2Jb" });
        let table = Table::of(&data, &[("REQUEST", "id")]);
        assert_eq!(table.to_string(), "REQUEST\na\\n\\u{1b}[2Jb\n");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let data = json!([{ "id": "10.0.0.1:80", "up": true }, { "id": "b:1", "ms": 1.25 }]);
        let table = Table::of(&data, &[("SERVER", "id"), ("UP", "up"), ("MS", "ms")]);
        let expected = "SERVER       UP   MS\n10.0.0.1:80  yes  -\nb:1          -    1.2\n";
        assert_eq!(table.to_string(), expected);
    }
}
