//! `cargo xtask tidy`: what the repository promises of itself, read off the
//! files, their links and the tree of dependencies.

mod files;
mod links;
mod walls;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

pub(crate) use links::anchor;

use crate::{cargo, workspace};

/// Check everything and tell every breach, not the first alone.
///
/// # Errors
///
/// When a promise is broken.
pub(crate) fn run() -> Result<()> {
    let root = workspace::root();
    let mut breaches = files::breaches(&root)?;
    breaches.extend(links::breaches(&root, &pages(&root)?)?);
    breaches.extend(walls::breaches(&cargo::metadata()?)?);
    for breach in &breaches {
        println!("{breach}");
    }
    if !breaches.is_empty() {
        bail!(
            "{} things are not as the repository promises",
            breaches.len()
        );
    }
    println!("files, links and crate walls are as promised");
    Ok(())
}

/// Every page of the documentation.
fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    Ok(files::all(root)?.into_iter().filter(is_page).collect())
}

#[cfg(test)]
mod tests {
    use crate::{cargo, workspace};

    #[test]
    fn files_are_short_say_what_they_are_and_name_no_machine() {
        let breaches = super::files::breaches(&workspace::root()).unwrap();
        assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    }

    #[test]
    fn every_link_of_the_documentation_leads_somewhere() {
        let root = workspace::root();
        let breaches = super::links::breaches(&root, &super::pages(&root).unwrap()).unwrap();
        assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    }

    #[test]
    fn crates_know_only_what_lies_below_them() {
        let breaches = super::walls::breaches(&cargo::metadata().unwrap()).unwrap();
        assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    }
}
