//! What files look like from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gatewright_model::config::{Config, LogTarget, may_be_read};
use gatewright_model::signature::signature_file;

/// What a configuration's files look like, with what might join them; a file
/// that is not there looks like nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight(BTreeMap<PathBuf, Option<Look>>);

/// What a file looks like. It changes with every way of changing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    inode: u64,
    length: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Of content, name or rights, in seconds and nanoseconds.
    changed: (i64, i64),
}

impl Sight {
    /// What they look like now.
    pub(crate) fn of(config: &Config) -> Self {
        let files = files(config).into_iter();
        let look = |file: PathBuf| {
            let look = Look::at(&file);
            (file, look)
        };
        Self(files.map(look).collect())
    }

    /// Go over to the files of a configuration that was read since. What was
    /// seen before stays as seen; what was first read with it is looked at now.
    pub(super) fn follow(&mut self, config: &Config) {
        let named = named(config);
        let folders: BTreeSet<_> = self.0.keys().map(|file| folder(file).to_owned()).collect();
        let mut now = Self::of(config).0;
        // A file that joined a known folder since then has not been read: it is
        // left out, and so makes a difference.
        now.retain(|file, _| {
            self.0.contains_key(file) || named.contains(file) || !folders.contains(folder(file))
        });
        for (file, look) in &mut now {
            if let Some(seen) = self.0.get(file) {
                *look = *seen;
            }
        }
        self.0 = now;
    }
}

impl Look {
    fn at(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        Some(Self {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// The files that a configuration was read from, its certificates', and its
/// plugins' with their signatures, where those count.
pub(super) fn named(config: &Config) -> BTreeSet<PathBuf> {
    let components = config.plugins.values();
    let components = components.filter_map(|plugin| plugin.file.as_ref());
    let are_signed = !config.admin.plugin_keys.is_empty();
    let named = components.flat_map(|file| {
        let signature = are_signed.then(|| signature_file(file));
        [Some(file.clone()), signature].into_iter().flatten()
    });
    let certificates = config.pem_files().map(|file| file.path.clone());
    let pages = config.error_pages.iter().map(|page| page.path.clone());
    let files = config.files.iter().cloned().chain(pages);
    named.chain(certificates).chain(files).collect()
}

/// The folder that a file is in.
pub(super) fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The named files, and those beside the configuration's that may be read with
/// it: what an `include` takes in, and `.env`. The access log is none of them,
/// though it may be called `access.json`: it changes all the time.
fn files(config: &Config) -> BTreeSet<PathBuf> {
    let log = config.access_log.as_ref().map(|log| &log.target);
    let is_log = |path: &Path| matches!(log, Some(LogTarget::File(log)) if plain(log) == path);
    let folders: BTreeSet<_> = config.files.iter().map(|file| folder(file)).collect();
    let entries = folders
        .into_iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let paths = entries.flatten().flatten().map(|entry| entry.path());
    let might_join = paths.filter(|path| may_be_read(path) && !is_log(plain(path)));
    let might_join = might_join.map(|path| plain(&path).to_owned());
    might_join.chain(named(config)).collect()
}

/// A path by its one name: the same file must not be known by two.
fn plain(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::config::{Environment, load};

    const CONFIG: &str = "include = [\"parts/*.toml\"]\n[pools.web]\nservers = [\"127.0.0.1:1\"]\n";

    fn folder() -> (tempfile::TempDir, Config) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("parts")).unwrap();
        fs::write(folder.path().join("parts/a.toml"), "").unwrap();
        fs::write(folder.path().join("main.toml"), CONFIG).unwrap();
        let config = load(&folder.path().join("main.toml"), &Environment::empty()).unwrap();
        (folder, config)
    }

    #[test]
    fn what_nobody_touched_looks_the_same() {
        let (_folder, config) = folder();
        assert_eq!(Sight::of(&config), Sight::of(&config));
    }

    #[test]
    fn a_file_of_the_same_length_looks_different() {
        let (folder, config) = folder();
        let before = Sight::of(&config);
        let other = folder.path().join("other");
        fs::write(&other, CONFIG).unwrap();
        fs::rename(other, folder.path().join("main.toml")).unwrap();
        assert_ne!(Sight::of(&config), before);
    }

    #[test]
    fn an_access_log_looks_the_same_whatever_is_written_to_it() {
        let (folder, _) = folder();
        let log = "[access_log]\nfile = \"access.json\"\n";
        let main = folder.path().join("main.toml");
        fs::write(&main, format!("{CONFIG}{log}")).unwrap();
        let config = load(&main, &Environment::empty()).unwrap();
        let before = Sight::of(&config);
        for lines in ["{}\n", "{}\n{}\n"] {
            fs::write(folder.path().join("access.json"), lines).unwrap();
            assert_eq!(Sight::of(&config), before);
        }
        fs::write(folder.path().join("other.json"), "{}").unwrap();
        assert_ne!(Sight::of(&config), before);
    }

    #[test]
    fn a_removed_file_looks_different() {
        let (folder, config) = folder();
        let before = Sight::of(&config);
        fs::remove_file(folder.path().join("parts/a.toml")).unwrap();
        assert_ne!(Sight::of(&config), before);
    }

    #[test]
    fn a_new_file_that_may_be_included_makes_a_difference_until_it_was_read() {
        let (folder, before) = folder();
        let mut seen = Sight::of(&before);
        fs::write(folder.path().join("parts/b.toml"), "").unwrap();
        seen.follow(&before);
        assert_ne!(Sight::of(&before), seen);
        let after = load(&folder.path().join("main.toml"), &Environment::empty()).unwrap();
        seen.follow(&after);
        assert_eq!(Sight::of(&after), seen);
    }
}
