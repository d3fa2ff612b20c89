//! The files that a scenario names: numbers, and recordings of requests.

mod access_log;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::error::SimulationError;

/// The most requests of a recording, and numbers of a file: they are held in
/// memory.
const MOST_LINES: usize = 50_000_000;

/// A request as it was recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Recorded {
    /// When it came, in seconds.
    pub(crate) at: f64,
    /// Whose it was, if that is known.
    pub(crate) client: Option<u32>,
    /// How much work it was, in milliseconds, if that is known.
    pub(crate) work_ms: Option<f64>,
}

/// A file with a number in each line; empty lines, and what follows a `#`, say
/// nothing.
pub(crate) fn numbers(path: &Path) -> Result<Vec<f64>, SimulationError> {
    let text = fs::read_to_string(path).map_err(|error| unreadable(path, error))?;
    let mut numbers = Vec::new();
    for (index, line) in text.lines().take(MOST_LINES).enumerate() {
        let said = line.split('#').next().unwrap_or_default().trim();
        if said.is_empty() {
            continue;
        }
        let number: Option<f64> = said.parse().ok();
        let fits = number.filter(|number| *number >= 0.0 && number.is_finite());
        let number = fits.ok_or_else(|| SimulationError::Content {
            path: path.to_owned(),
            line: index as u64 + 1,
            message: format!("{said:?} is no number of 0 or more; correct it"),
        })?;
        numbers.push(number);
    }
    if numbers.is_empty() {
        return Err(SimulationError::Content {
            path: path.to_owned(),
            line: 1,
            message: "there is no number in it; write one a line".to_owned(),
        });
    }
    Ok(numbers)
}

/// A recording: an access log of the gateway's, or else a table. Requests come in
/// the order of their times.
pub(crate) fn recording(path: &Path) -> Result<Vec<Recorded>, SimulationError> {
    let mut recorded = match access_log::is_one(path)? {
        true => access_log::requests(path)?,
        false => table(path)?,
    };
    if recorded.is_empty() {
        return Err(SimulationError::Content {
            path: path.to_owned(),
            line: 1,
            message: "there is no request in it".to_owned(),
        });
    }
    recorded.sort_by(|a, b| a.at.total_cmp(&b.at));
    Ok(recorded)
}

fn unreadable(path: &Path, error: io::Error) -> SimulationError {
    SimulationError::File {
        path: path.to_owned(),
        error,
    }
}

/// CSV with a heading line, of which `time` is needed, and `client` and `work` are
/// taken where they are.
fn table(path: &Path) -> Result<Vec<Recorded>, SimulationError> {
    let wrong = |line: u64, message: String| SimulationError::Content {
        path: path.to_owned(),
        line,
        message,
    };
    let csv_error = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        wrong(line, error.to_string())
    };
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_path(path)
        .map_err(csv_error)?;
    let headings = reader.headers().map_err(csv_error)?.clone();
    let column = |name: &str| headings.iter().position(|heading| heading == name);
    let time = column("time").ok_or_else(|| {
        wrong(
            1,
            "no column is called \"time\"; name it so, or play an access log in JSON".to_owned(),
        )
    })?;
    let (client, work) = (column("client"), column("work"));
    let mut numbers = HashMap::new();
    let mut recorded = Vec::new();
    for record in reader.into_records().take(MOST_LINES) {
        let record = record.map_err(csv_error)?;
        let line = record.position().map_or(1, csv::Position::line);
        let number = |column: usize| -> Result<f64, SimulationError> {
            let said = record.get(column).unwrap_or_default();
            let number = said.parse().ok();
            let fits = number.filter(|number: &f64| *number >= 0.0 && number.is_finite());
            fits.ok_or_else(|| wrong(line, format!("{said:?} is no number of 0 or more")))
        };
        let client = client.and_then(|column| record.get(column)).map(|client| {
            let next = numbers.len() as u32;
            *numbers.entry(client.to_owned()).or_insert(next)
        });
        recorded.push(Recorded {
            at: number(time)?,
            client,
            work_ms: work.map(number).transpose()?,
        });
    }
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn written(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn a_recording_is_sorted_and_its_clients_numbered() {
        let file = written("time, client, work\n2.5, ann, 10\n1.0, bob, 20\n3, ann, 30\n");
        let recorded = recording(file.path()).unwrap();
        let clients: Vec<_> = recorded.iter().map(|one| one.client.unwrap()).collect();
        assert_eq!(clients, [1, 0, 0]);
        assert_eq!(recorded[0].work_ms, Some(20.0));
    }

    #[test]
    fn a_recording_of_times_alone_will_do() {
        let recorded = recording(written("time\n0.5\n").path()).unwrap();
        assert_eq!((recorded[0].client, recorded[0].work_ms), (None, None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = recording(written("time,work\n1,2\nx,3\n").path()).unwrap_err();
        assert!(error.to_string().contains(":3: \"x\""), "{error}");
        let error = numbers(written("1\n\n# nothing\n-4\n").path()).unwrap_err();
        assert!(error.to_string().contains(":4: \"-4\""), "{error}");
        let error = recording(written("when\n1\n").path()).unwrap_err();
        assert!(error.to_string().contains("\"time\""), "{error}");
    }
}
