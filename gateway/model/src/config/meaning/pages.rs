//! Pages that stand in for the gateway's own errors.

use std::collections::BTreeMap;
use std::path::Path;

use super::report::Report;
use crate::config::key_path::KeyPath;
use crate::config::meant::{ErrorPages, Page};

/// The pages by what is written as their status: `404`, or `5xx`.
pub(super) fn pages(
    written: &BTreeMap<String, String>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> ErrorPages {
    let mut pages = ErrorPages::default();
    for (status, file) in written {
        let path = path.key(status);
        let page = page(file, &path, report);
        match (status.parse(), status.as_str()) {
            (Ok(exact @ 400..=599), _) => pages.exact.push((exact, page)),
            (_, "4xx") => pages.classes.push((4, page)),
            (_, "5xx") => pages.classes.push((5, page)),
            _ => {
                let message = format!(
                    "{status:?} is no status of an error; write one from 400 to 599, or \"4xx\" \
                     or \"5xx\""
                );
                report.fail(&path, message);
            }
        }
    }
    pages
}

fn page(file: &str, path: &KeyPath, report: &mut Report<'_>) -> Page {
    let (path, contents) = report.contents(path, file);
    Page {
        kind: kind(&path),
        path,
        contents,
    }
}

/// What a file is, by the end of its name.
fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|end| end.to_str()) {
        Some("json") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}
