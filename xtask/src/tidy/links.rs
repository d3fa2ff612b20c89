//! Every relative link of the documentation leads somewhere: to a file, and
//! where it names a heading, to one that the file has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A page: what it links to, and what can be linked to in it.
#[derive(Debug, Default)]
struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

/// Every link of the pages that leads nowhere. Their paths are from `root`.
///
/// # Errors
///
/// When a page cannot be read.
pub(super) fn breaches(root: &Path, pages: &[PathBuf]) -> Result<Vec<String>> {
    let mut read = BTreeMap::new();
    for path in pages {
        let text = fs::read_to_string(root.join(path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        read.insert(plain(path), Page::of(&text));
    }
    let mut found = Vec::new();
    for (path, page) in &read {
        let dead = page
            .links
            .iter()
            .filter(|link| !leads(root, &read, path, link));
        found.extend(dead.map(|link| format!("{} links to {link}: nowhere", path.display())));
    }
    Ok(found)
}

fn leads(root: &Path, pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &str) -> bool {
    if link.contains("://") || link.starts_with("mailto:") {
        return true;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let to = match file {
        "" => from.to_owned(),
        file => plain(&from.parent().unwrap_or(Path::new("")).join(file)),
    };
    match pages.get(&to) {
        Some(page) => anchor.is_empty() || page.anchors.contains(anchor),
        None => root.join(&to).exists(),
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part.as_os_str().to_str() {
            Some(".") => {}
            Some("..") => {
                plain.pop();
            }
            _ => plain.push(part),
        }
    }
    plain
}

impl Page {
    fn of(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.close(heading.take()),
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                Event::Html(html) | Event::InlineHtml(html) => page.sources(&html),
                _ => {}
            }
        }
        page
    }

    /// The end of a heading: the second of one text has a number behind it.
    fn close(&mut self, heading: Option<String>) {
        let Some(heading) = heading else { return };
        let first = anchor(&heading);
        let mut unique = first.clone();
        let mut number = 0;
        while !self.anchors.insert(unique.clone()) {
            number += 1;
            unique = format!("{first}-{number}");
        }
    }

    /// What HTML shows or links to.
    fn sources(&mut self, html: &str) {
        for attribute in ["src=\"", "srcset=\"", "href=\""] {
            let values = html.split(attribute).skip(1);
            let values = values.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()));
            self.links.extend(values);
        }
    }
}

/// The anchor of a heading, as GitHub makes it.
pub(crate) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(text: &str) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        fs::create_dir(folder.path().join("docs")).unwrap();
        write("README.md", "# `types.slot` one\n\n## Twice\n\n## Twice\n");
        write("docs/page.md", text);
        let pages = ["README.md", "docs/page.md"].map(PathBuf::from);
        breaches(folder.path(), &pages).unwrap().len()
    }

    #[test]
    fn a_link_leads_to_a_file_or_a_heading() {
        let alive = "# Own\n\n[a](../README.md) [b](../README.md#typesslot-one) [c](#own) \
                     [d](../docs) [e](../README.md#twice-1) [f](https://example.com/x)";
        assert_eq!(dead(alive), 0);
    }

    #[test]
    fn a_link_to_nowhere_is_told() {
        assert_eq!(dead("[a](README.md)"), 1);
        assert_eq!(dead("[a](../README.md#twice-2)"), 1);
        assert_eq!(dead("[a](#own)\n\n<img src=\"no.png\">"), 2);
    }

    #[test]
    fn what_is_code_links_to_nothing() {
        assert_eq!(dead("`[a](nowhere)`\n\n```text\n[a](nowhere)\n```\n"), 0);
    }
}
