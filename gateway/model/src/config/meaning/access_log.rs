//! `[access_log]`: where lines go, and what they are made of.

use std::sync::Arc;

use super::report::Report;
use crate::config::defaults::telemetry::SAMPLE;
use crate::config::error::did_you_mean;
use crate::config::key_path::KeyPath;
use crate::config::meant::{AccessLog, Field, Layout, LogTarget, Piece};
use crate::config::written;
use crate::token::is_token;

/// What web servers have always written (Apache's "combined").
const COMBINED: &str = "{client} - - [{common_time}] \"{method} {path} {protocol}\" {status} \
                        {bytes_sent} \"{header:referer}\" \"{header:user-agent}\"";

/// What only those get who name it: it may hold secrets, or says what another
/// field says.
const UNASKED: [Field; 2] = [Field::CommonTime, Field::Query];

/// A line for each request, where that is written.
pub(super) fn access_log(
    written: Option<&written::AccessLog>,
    report: &mut Report<'_>,
) -> Option<AccessLog> {
    let keys = written?;
    let path = KeyPath::default().key("access_log");
    if keys.fields.is_some() && keys.format != "json" {
        let message = "only lines in JSON have them; write format = \"json\", or name the fields \
                       in the template";
        report.fail(&path.key("fields"), message);
    }
    let layout = match keys.format.as_str() {
        "json" => Some(Layout::Json(fields(
            keys.fields.as_deref(),
            &path.key("fields"),
            report,
        ))),
        "combined" => template(COMBINED).ok(),
        text => report.value(&path.key("format"), template(text)),
    };
    Some(AccessLog {
        target: target(&keys.file, &path.key("file"), report),
        // What is wrong has been noted.
        layout: layout.unwrap_or(Layout::Text(Vec::new())),
        sample: report.within(&path.key("sample"), keys.sample, &SAMPLE),
        always_errors: keys.always_errors,
    })
}

fn target(text: &str, path: &KeyPath, report: &mut Report<'_>) -> LogTarget {
    match text {
        "stdout" => return LogTarget::Stdout,
        "stderr" => return LogTarget::Stderr,
        _ => {}
    }
    let file = report.resolve(path, text);
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        let message = format!("the folder {folder} is not there; make it, or correct the path");
        report.fail(path, message);
    }
    if file.is_dir() {
        let message = format!("{} is a folder; write a file in it", file.display());
        report.fail(path, message);
    }
    LogTarget::File(Arc::from(file))
}

/// The fields that are written, or all that may be told unasked.
fn fields(written: Option<&[String]>, path: &KeyPath, report: &mut Report<'_>) -> Vec<Field> {
    let Some(written) = written else {
        let all = Field::NAMES.iter().filter_map(|name| Field::named(name));
        return all.filter(|field| !UNASKED.contains(field)).collect();
    };
    if written.is_empty() {
        report.fail(path, "a line needs a field; write some, or leave it out");
    }
    let mut fields = Vec::with_capacity(written.len());
    for (index, name) in written.iter().enumerate() {
        let path = path.index(index);
        let Some(field) = report.value(&path, field(name)) else {
            continue;
        };
        if fields.contains(&field) {
            report.fail(&path, format!("{name:?} is there already; write it once"));
        }
        fields.push(field);
    }
    fields
}

fn field(name: &str) -> Result<Field, String> {
    let header = |name: &str| match is_token(name) {
        true => Ok(Arc::from(name.to_ascii_lowercase())),
        false => Err(format!("{name:?} is no name of a header; write one")),
    };
    match name.split_once(':') {
        Some(("header", name)) => Ok(Field::Header(header(name)?)),
        Some(("response_header", name)) => Ok(Field::ResponseHeader(header(name)?)),
        _ => Field::named(name).ok_or_else(|| {
            let headers = ["header:NAME", "response_header:NAME"];
            let known = Field::NAMES.iter().copied().chain(headers);
            format!("no field is named {name:?}; {}", did_you_mean(name, known))
        }),
    }
}

/// A text with fields in braces; braces of its own are doubled.
fn template(text: &str) -> Result<Layout, String> {
    if text.chars().any(char::is_control) {
        return Err("a line is one line; write no control characters".to_owned());
    }
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let behind = &rest[at + 1..];
        if let Some(behind) = behind.strip_prefix(brace) {
            literal.push_str(brace);
            rest = behind;
            continue;
        }
        let Some((name, behind)) = behind.split_once('}').filter(|_| brace == "{") else {
            return Err(format!(
                "a brace at {:?} has no partner; write {{field}}, or {{{{ and }}}} for braces",
                &rest[at..]
            ));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Literal(Arc::from(std::mem::take(&mut literal))));
        }
        pieces.push(Piece::Field(field(name)?));
        rest = behind;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(Arc::from(literal)));
    }
    let has_field = pieces.iter().any(|piece| matches!(piece, Piece::Field(_)));
    if !has_field {
        return Err(format!(
            "{text:?} is neither \"json\" nor \"combined\", and has no field; write one such as \
             {{path}}"
        ));
    }
    Ok(Layout::Text(pieces))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str) -> Vec<Piece> {
        match template(text) {
            Ok(Layout::Text(pieces)) => pieces,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_template_is_texts_and_fields_in_their_order() {
        let literal = |text: &str| Piece::Literal(Arc::from(text));
        assert_eq!(
            pieces("{client} {{{status}}} {header:User-Agent}!"),
            [
                Piece::Field(Field::Client),
                literal(" {"),
                Piece::Field(Field::Status),
                literal("} "),
                Piece::Field(Field::Header(Arc::from("user-agent"))),
                literal("!"),
            ]
        );
        assert!(template(COMBINED).is_ok());
    }

    #[test]
    fn what_is_no_template_is_told_with_its_remedy() {
        for (text, told) in [
            ("{clint}", "did you mean \"client\"?"),
            ("plain", "has no field"),
            ("{client", "has no partner"),
            ("client} {status}", "has no partner"),
            ("{client}\n{status}", "one line"),
            ("{header:a b}", "no name of a header"),
            ("{header:}", "no name of a header"),
        ] {
            let error = template(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn every_field_is_found_by_its_name() {
        for name in Field::NAMES {
            let found = Field::named(name).unwrap();
            assert_eq!(found.name(), *name);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_template_panic(text in "[a-z{}:é ]{0,24}") {
            let _ = template(&text);
        }

        #[test]
        fn what_is_doubled_stands_for_itself(text in "[a-z{} ]{0,16}") {
            let doubled = text.replace('{', "{{").replace('}', "}}");
            let pieces = pieces(&format!("{{path}}{doubled}"));
            let literal = match pieces.get(1) {
                Some(Piece::Literal(literal)) => &**literal,
                _ => "",
            };
            prop_assert_eq!(literal, text);
        }
    }
}
