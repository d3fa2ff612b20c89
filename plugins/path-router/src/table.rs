//! The routes in an order in which the first match is the right one, without
//! looking at those that cannot match.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::host::{Host, without_port};
use crate::pattern::Pattern;
use gatewright_matching::Glob;

/// A route's number in the order in which the routes rank.
pub(crate) type Number = usize;

/// All routes, by host. A host of its own is asked first, then `*.…` with the
/// longest suffix first, then the routes without a host.
#[derive(Debug, Default)]
pub(crate) struct Table {
    named: Map<Paths>,
    below: Vec<(String, Paths)>,
    any: Paths,
}

impl Table {
    /// Add a route. Routes come in the order of their rank.
    pub(crate) fn insert(&mut self, host: &Host, pattern: &Pattern, number: Number) {
        let paths = match host {
            Host::Named(name) => self.named.at(name),
            Host::Below(suffix) => below(&mut self.below, suffix),
            Host::Any => &mut self.any,
        };
        paths.insert(pattern, number);
    }

    /// What `accepted` makes of the first route for a host and a path of which it
    /// makes anything.
    pub(crate) fn find<T>(
        &self,
        authority: &str,
        path: &str,
        mut accepted: impl FnMut(Number) -> Option<T>,
    ) -> Option<T> {
        let has_hosts = !self.named.is_empty() || !self.below.is_empty();
        if has_hosts && let Some(found) = self.find_by_host(authority, path, &mut accepted) {
            return Some(found);
        }
        self.any.find(path, &mut accepted)
    }

    /// Among the routes that have a host. Apart, so that a table without them is
    /// asked quickly.
    #[inline(never)]
    fn find_by_host<T>(
        &self,
        authority: &str,
        path: &str,
        accepted: &mut impl FnMut(Number) -> Option<T>,
    ) -> Option<T> {
        let host = without_port(authority);
        let named = self.named.get(host).into_iter();
        let below = self
            .below
            .iter()
            .filter(|(suffix, _)| host.ends_with(suffix.as_str()));
        let mut tables = named.chain(below.map(|(_, paths)| paths));
        tables.find_map(|paths| paths.find(path, &mut *accepted))
    }
}

/// The paths of a suffix, in a list that stays sorted by length.
fn below<'t>(list: &'t mut Vec<(String, Paths)>, suffix: &str) -> &'t mut Paths {
    let at = match list.iter().position(|(known, _)| known == suffix) {
        Some(at) => at,
        None => {
            let at = list.partition_point(|(known, _)| known.len() >= suffix.len());
            list.insert(at, (suffix.into(), Paths::default()));
            at
        }
    };
    &mut list[at].1
}

/// The routes of one host, by path.
#[derive(Debug, Default)]
struct Paths {
    exact: Map<Vec<Number>>,
    /// Prefixes and wildcards, by the folder that they look into. Of two
    /// folders of a path the deeper has the more specific patterns.
    folders: Map<Vec<Number>>,
    /// Regular expressions, and then `/*`.
    others: Vec<Number>,
}

impl Paths {
    fn insert(&mut self, pattern: &Pattern, number: Number) {
        let numbers = match pattern {
            Pattern::Glob(Glob::Exact(text)) => self.exact.at(text),
            Pattern::Glob(Glob::Prefix(folder)) if folder.is_empty() => &mut self.others,
            Pattern::Glob(glob) => self.folders.at(glob.folder()),
            Pattern::Regex(_) => &mut self.others,
        };
        numbers.push(number);
    }

    #[inline]
    fn find<T>(&self, path: &str, mut accepted: impl FnMut(Number) -> Option<T>) -> Option<T> {
        let mut first = |numbers: &[Number]| numbers.iter().copied().find_map(&mut accepted);
        if let Some(found) = self.exact.get(path).and_then(|numbers| first(numbers)) {
            return Some(found);
        }
        if !self.folders.is_empty() {
            for folder in folders(path) {
                let numbers = self.folders.get(folder);
                if let Some(found) = numbers.and_then(|numbers| first(numbers)) {
                    return Some(found);
                }
            }
        }
        first(&self.others)
    }
}

/// A path and all folders above it, the deepest first and the empty one last.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| {
        path.rsplit_once('/').map(|(above, _)| above)
    })
}

/// Values by a text. Most texts that are asked for are as long as no known one,
/// which is seen without hashing them.
#[derive(Debug)]
struct Map<V> {
    entries: HashMap<String, V, BuildHasherDefault<Fnv>>,
    /// A bit for the length of each text, those of 63 bytes and more together.
    lengths: u64,
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            lengths: 0,
        }
    }
}

impl<V: Default> Map<V> {
    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    fn get(&self, text: &str) -> Option<&V> {
        let is_possible = self.lengths & length_bit(text) != 0;
        is_possible.then(|| self.look_up(text))?
    }

    /// Apart from what is asked first, so that this can be short.
    #[inline(never)]
    fn look_up(&self, text: &str) -> Option<&V> {
        self.entries.get(text)
    }

    /// The value of a text, which is new if the text is.
    fn at(&mut self, text: &str) -> &mut V {
        self.lengths |= length_bit(text);
        self.entries.entry(text.to_owned()).or_default()
    }
}

fn length_bit(text: &str) -> u64 {
    1 << text.len().min(63)
}

/// FNV-1a: quick on short texts. Strangers cannot add to the maps, so they
/// gain nothing by texts whose hashes are alike.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Map, folders};

    #[test]
    fn folders_go_from_the_path_up() {
        assert_eq!(folders("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", ""]);
        assert_eq!(folders("/").collect::<Vec<_>>(), ["/", ""]);
    }

    #[test]
    fn texts_of_every_length_are_found_and_others_are_not() {
        let mut map: Map<usize> = Map::default();
        for length in [0, 4, 62, 63, 64, 200] {
            *map.at(&"x".repeat(length)) = length;
        }
        for length in 0..300 {
            let found = map.get(&"x".repeat(length)).copied();
            let is_known = [0, 4, 62, 63, 64, 200].contains(&length);
            assert_eq!(found, is_known.then_some(length));
            assert_eq!(map.get(&"y".repeat(length.max(1))), None);
        }
    }
}
