//! The gateway's own access log in JSON as a recording: when a request came, and
//! where the log has these fields, whose it was and how long it took.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::Value;

use super::{MOST_LINES, Recorded, unreadable};
use crate::error::SimulationError;

/// The fields of a line that are read, by their names in the log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    time: Value,
    client: Value,
    duration_ms: Value,
}

/// Whether a file begins as such a log does.
pub(super) fn is_one(path: &Path) -> Result<bool, SimulationError> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    for byte in BufReader::new(file).bytes() {
        let byte = byte.map_err(|error| unreadable(path, error))?;
        if !byte.is_ascii_whitespace() {
            return Ok(byte == b'{');
        }
    }
    Ok(false)
}

/// Its requests, in the order of its lines, which is that of their ends.
pub(super) fn requests(path: &Path) -> Result<Vec<Recorded>, SimulationError> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let lines = BufReader::new(file).split(b'\n').take(MOST_LINES);
    let mut numbers = HashMap::new();
    let mut read = Vec::new();
    for (index, line) in lines.enumerate() {
        let line = line.map_err(|error| unreadable(path, error))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |message: String| SimulationError::Content {
            path: path.to_owned(),
            line: index as u64 + 1,
            message,
        };
        let line = Line::of(&line).map_err(wrong)?;
        let since = line.since().map_err(wrong)?;
        let client = line.client().map_err(wrong)?.map(|client| {
            let next = numbers.len() as u32;
            *numbers.entry(client.to_owned()).or_insert(next)
        });
        read.push((since, client, line.work_ms().map_err(wrong)?));
    }
    // From the earliest on: seconds since 1970 leave a float few digits for less
    // than a second.
    let earliest = read.iter().map(|(since, ..)| *since).min();
    let earliest = earliest.unwrap_or_default();
    let recorded = read.into_iter().map(|(since, client, work_ms)| Recorded {
        at: (since - earliest).as_secs_f64(),
        client,
        work_ms,
    });
    Ok(recorded.collect())
}

impl Line {
    fn of(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| {
            let column = error.column();
            format!("from column {column} on it is no object of JSON; correct it or leave it out")
        })
    }

    /// When it came, since 1970.
    fn since(&self) -> Result<Duration, String> {
        if self.time.is_null() {
            return Err("time: it is not there; keep it among the log's `fields`".to_owned());
        }
        let moment = self.time.as_str().and_then(|time| {
            let moment = humantime::parse_rfc3339(time).ok()?;
            moment.duration_since(UNIX_EPOCH).ok()
        });
        moment.ok_or_else(|| {
            let said = &self.time;
            format!("time: {said} is no moment of RFC 3339 in UTC, as 2026-01-31T12:00:00.000Z is")
        })
    }

    /// Whose it was, if that is told.
    fn client(&self) -> Result<Option<&str>, String> {
        match &self.client {
            Value::Null => Ok(None),
            Value::String(client) => Ok(Some(client.as_str())),
            other => Err(format!("client: {other} is no text; write an address")),
        }
    }

    /// How long it took, if that is told.
    fn work_ms(&self) -> Result<Option<f64>, String> {
        if self.duration_ms.is_null() {
            return Ok(None);
        }
        let number = self.duration_ms.as_f64();
        let fits = number.filter(|number| *number >= 0.0);
        fits.map(Some).ok_or_else(|| {
            let said = &self.duration_ms;
            format!("duration_ms: {said} is no number of 0 or more; correct it")
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::files::tests::written;
    use crate::files::{Recorded, recording};

    #[test]
    fn requests_are_played_from_the_first_that_came() {
        // As the gateway writes it: in the order of the ends, with other fields
        // between, and with null for what is not known.
        let file = written(
            "{\"time\":\"2026-01-31T23:59:59.750Z\",\"client\":\"192.0.2.7\",\"status\":200,\"duration_ms\":12.345}\n\
             {\"time\":\"2026-02-01T00:00:00.250Z\",\"client\":\"2001:db8::1\",\"duration_ms\":0.001}\r\n\
             \n\
             {\"status\":502,\"duration_ms\":900,\"client\":\"192.0.2.7\",\"time\":\"2026-01-31T23:59:59.500Z\"}\n\
             {\"time\":\"2026-02-01T00:00:01Z\",\"client\":null}",
        );
        let expected = [
            (0.0, Some(0), Some(900.0)),
            (0.25, Some(0), Some(12.345)),
            (0.75, Some(1), Some(0.001)),
            (1.5, None, None),
        ];
        let expected = expected.map(|(at, client, work_ms)| Recorded {
            at,
            client,
            work_ms,
        });
        assert_eq!(recording(file.path()).unwrap(), expected);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_its_field() {
        let first = "{\"time\":\"2026-01-31T12:00:00.000Z\"}";
        for (line, told) in [
            ("{\"client\":\"192.0.2.7\"}", ":3: time: it is not there"),
            (
                "{\"time\":\"12:00\"}",
                ":3: time: \"12:00\" is no moment of RFC 3339",
            ),
            ("{\"time\":1769860800}", ":3: time: 1769860800 is no"),
            (
                "{\"time\":\"2026-01-31T12:00:00Z\",\"client\":7}",
                ":3: client: 7 is no text",
            ),
            (
                "{\"time\":\"2026-01-31T12:00:00Z\",\"duration_ms\":-1.5}",
                ":3: duration_ms: -1.5 is no number of 0 or more",
            ),
            (
                "{\"time\":\"2026-01-31T12:00:00Z\",\"duration_ms\":\"9\"}",
                ":3: duration_ms: \"9\" is no number",
            ),
            ("{\"time\":\"2026-", ":3: from column "),
        ] {
            let file = written(&format!("{first}\n\n{line}\n{first}\n"));
            let error = recording(file.path()).unwrap_err().to_string();
            assert!(error.contains(told), "{line}: {error}");
        }
    }
}
