//! From files to one document: reading, replacing, including.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document;
use super::dotenv::Lookup;
use super::error::{ConfigError, Place};
use super::key_path::KeyPath;
use super::substitute::{PutIn, Substitution};
use super::tree::{Node, Value};

/// The most that one file may hold, in bytes: a thousand servers written out
/// take a tenth of it. It keeps a mistaken path from filling the memory.
const MAX_FILE: u64 = 4 << 20;

/// The most files that one configuration may be spread over.
const MAX_FILES: usize = 1000;

/// The key of a pool that names a file with servers of it.
const SERVERS_FILE: &str = "servers_file";

/// A configuration in the course of being read.
pub(super) struct Reading<'a> {
    variables: Lookup<'a>,
    /// Every file that was read.
    pub(super) files: Vec<PathBuf>,
    /// Everything that was wrong.
    pub(super) errors: Vec<ConfigError>,
    /// What no error may tell.
    pub(super) put_in: Vec<PutIn>,
    seen: HashSet<PathBuf>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(variables: Lookup<'a>) -> Self {
        Self {
            variables,
            files: Vec::new(),
            errors: Vec::new(),
            put_in: Vec::new(),
            seen: HashSet::new(),
        }
    }

    /// Reads a file and what it includes; none when that is not to be had.
    pub(super) fn file(&mut self, path: &Path) -> Option<Node> {
        let file: Arc<Path> = Arc::from(path);
        match read_limited(path) {
            Ok(text) => {
                self.files.push(path.to_owned());
                // What cannot be resolved was not read either.
                self.seen.insert(path.canonicalize().unwrap_or_default());
                self.text(&text, &file)
            }
            Err(message) => {
                let place = Place { file, line: None };
                self.fail(Some(place), &KeyPath::default(), message);
                None
            }
        }
    }

    /// Reads a document that `file` holds, and what it includes.
    pub(super) fn text(&mut self, text: &str, file: &Arc<Path>) -> Option<Node> {
        let mut root = match document::read(text, file) {
            Ok(root) => root,
            Err(error) => {
                self.errors.push(error);
                return None;
            }
        };
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut substitution = Substitution {
            variables: self.variables,
            folder,
            files: Vec::new(),
            errors: Vec::new(),
            put_in: Vec::new(),
        };
        substitution.apply(&mut root, &KeyPath::default());
        self.files.append(&mut substitution.files);
        self.errors.append(&mut substitution.errors);
        self.put_in.append(&mut substitution.put_in);
        for included in self.included(&root, folder) {
            if let Some(mut included) = self.file(&included) {
                // Its own files are merged into it already.
                if let Value::Table(table) = &mut included.value {
                    table.remove("include");
                }
                root.merge(included, &KeyPath::default(), &mut self.errors);
            }
        }
        self.server_files(&mut root, folder);
        Some(root)
    }

    /// Adds the servers that pools have in files of their own.
    fn server_files(&mut self, root: &mut Node, folder: &Path) {
        let pools = KeyPath::default().key("pools");
        for (name, pool) in root.table_at("pools") {
            let key = pools.key(name).key(SERVERS_FILE);
            let Value::Table(pool) = &mut pool.value else {
                continue;
            };
            let Some(named) = pool.get(SERVERS_FILE) else {
                continue;
            };
            let (Value::Text(file), place) = (&named.value, named.place.clone()) else {
                // Anything but a text is refused with its type further on.
                continue;
            };
            let list = self.server_list(&folder.join(file), &place, &key);
            let none = Node {
                place,
                value: Value::Array(Vec::new()),
            };
            let servers = pool.entry("servers".to_owned()).or_insert(none);
            if let Value::Array(servers) = &mut servers.value {
                servers.extend(list);
            }
        }
    }

    /// The servers that a file lists: as `backends`, or as `servers`.
    fn server_list(&mut self, file: &Path, place: &Place, key: &KeyPath) -> Vec<Node> {
        let text = match read_named(file) {
            Ok(text) => text,
            Err(message) => {
                self.fail(Some(place.clone()), key, message);
                return Vec::new();
            }
        };
        self.files.push(file.to_owned());
        match document::servers(&text, &Arc::from(file)) {
            Ok(servers) => servers,
            Err(error) => {
                self.errors.push(error);
                Vec::new()
            }
        }
    }

    /// The files that a document's `include` names, in the order of their names
    /// for each pattern.
    fn included(&mut self, root: &Node, folder: &Path) -> Vec<PathBuf> {
        let key = KeyPath::default().key("include");
        let Value::Table(table) = &root.value else {
            return Vec::new();
        };
        let Some(Value::Array(patterns)) = table.get("include").map(|node| &node.value) else {
            // Anything but an array is refused with its type further on.
            return Vec::new();
        };
        let mut files = Vec::new();
        for (index, node) in patterns.iter().enumerate() {
            let Value::Text(pattern) = &node.value else {
                continue;
            };
            match matching(folder, pattern) {
                Ok(found) => files.extend(found),
                Err(message) => self.fail(Some(node.place.clone()), &key.index(index), message),
            }
        }
        let place = table.get("include").map(|node| node.place.clone());
        files.retain(|file| self.is_new(file, place.as_ref(), &key));
        files
    }

    /// Whether a file was not read before: reading it twice would say everything
    /// twice, and a file that includes itself would never end.
    fn is_new(&mut self, file: &Path, place: Option<&Place>, key: &KeyPath) -> bool {
        let is_new = self
            .seen
            .insert(file.canonicalize().unwrap_or_else(|_| file.into()));
        if !is_new {
            let message = format!("{} is included twice; include it once", file.display());
            self.fail(place.cloned(), key, message);
        } else if self.seen.len() > MAX_FILES {
            let message = format!("more than {MAX_FILES} files are included; join some");
            self.fail(place.cloned(), key, message);
            return false;
        }
        is_new
    }

    fn fail(&mut self, place: Option<Place>, key: &KeyPath, message: String) {
        let message = match &place {
            Some(place) => PutIn::keep_back(&self.put_in, place, message),
            None => message,
        };
        self.errors.push(ConfigError {
            place,
            key: key.to_string(),
            message,
        });
    }
}

/// The files that a pattern names. A pattern without a wildcard must name one.
fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    if !pattern.contains(['*', '?', '[']) {
        let path = folder.join(pattern);
        return match path.is_file() {
            true => Ok(vec![path]),
            false => Err(format!("{} is not there; correct the path", path.display())),
        };
    }
    let folder = glob::Pattern::escape(&folder.to_string_lossy());
    let whole = Path::new(&folder).join(pattern);
    let paths = glob::glob(&whole.to_string_lossy()).map_err(|error| {
        format!(
            "{pattern:?} is no pattern: {}; write one such as \"conf.d/*.toml\"",
            error.msg
        )
    })?;
    let path = |path: glob::GlobResult| path.map_err(|error| error.to_string());
    paths.map(path).collect()
}

/// [`read_limited`] for a file that another one names, which is where it stands
/// what is wrong.
pub(super) fn read_named(path: &Path) -> Result<String, String> {
    read_limited(path).map_err(|message| format!("{} {message}", path.display()))
}

/// The text of a file of reasonable size; what is wrong with it otherwise.
pub(super) fn read_limited(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| {
        format!("cannot be read: {error}; correct the path or its permissions")
    };
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(cannot)?.take(MAX_FILE + 1);
    file.read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err("is larger than 4 MiB; split it".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is no UTF-8 text; save it as UTF-8".to_owned())
}
