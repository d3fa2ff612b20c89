//! `cargo xtask tidy`: what the repository promises of itself, read off the
//! files and the tree of dependencies.

mod files;
mod walls;

use anyhow::{Result, bail};

use crate::{cargo, workspace};

/// Check everything and tell every breach, not the first alone.
///
/// # Errors
///
/// When a promise is broken.
pub(crate) fn run() -> Result<()> {
    let mut breaches = files::breaches(&workspace::root())?;
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
    println!("files and crate walls are as promised");
    Ok(())
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
    fn crates_know_only_what_lies_below_them() {
        let breaches = super::walls::breaches(&cargo::metadata().unwrap()).unwrap();
        assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    }
}
