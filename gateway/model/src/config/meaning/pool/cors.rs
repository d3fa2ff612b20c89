//! Which web pages may use a pool from browsers.

use super::super::origin::origin;
use super::super::report::Report;
use crate::config::defaults;
use crate::config::key_path::KeyPath;
use crate::config::meant::{Cors, Origins};
use crate::config::written;
use crate::token::is_token;

/// The rules for pages.
pub(super) fn cors(written: &written::Cors, path: &KeyPath, report: &mut Report<'_>) -> Cors {
    let origins = origins(&written.origins, &path.key("origins"), report);
    if written.credentials && origins == Origins::Any {
        let message = "browsers refuse credentials where anybody may come; name the origins";
        report.fail(&path.key("credentials"), message);
    }
    let mut list = |key: &str, names: &[String]| {
        for (index, name) in names.iter().enumerate() {
            if !is_token(name) {
                let message = format!("{name:?} is no name; write one name to a text");
                report.fail(&path.key(key).index(index), message);
            }
        }
        names.join(", ")
    };
    Cors {
        methods: list("methods", &written.methods),
        headers: list("headers", &written.headers),
        expose: list("expose", &written.expose),
        origins,
        credentials: written.credentials,
        max_age: report
            .within(
                &path.key("max_age"),
                written.max_age,
                &defaults::CORS_MAX_AGE,
            )
            .0,
    }
}

fn origins(written: &[String], path: &KeyPath, report: &mut Report<'_>) -> Origins {
    if written.is_empty() {
        let message = "nobody may; write origins such as \"https://app.example\", or \"*\"";
        report.fail(path, message);
    }
    if written.iter().any(|text| text == "*") {
        if written.len() > 1 {
            report.fail(path, "\"*\" stands for all; write it alone, or without it");
        }
        return Origins::Any;
    }
    let origins = written.iter().enumerate();
    let origins =
        origins.filter_map(|(index, text)| report.value(&path.index(index), origin(text)));
    Origins::These(origins.collect())
}
