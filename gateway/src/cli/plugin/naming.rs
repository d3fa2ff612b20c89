//! What a plugin is called where nobody says it: the same by every command.

use std::path::Path;

use gatewright_model::id::MAX_NAME;

/// The name that a text comes to: lower-case letters, digits and dashes, which
/// begin with a letter; none where there is nothing to make it of.
pub(super) fn name_from(text: &str) -> Option<String> {
    let plain = |letter: char| match letter.is_ascii_alphanumeric() {
        true => letter.to_ascii_lowercase(),
        false => '-',
    };
    let name: String = text.chars().map(plain).collect();
    let name = name.trim_matches('-');
    let is_one =
        name.starts_with(|first: char| first.is_ascii_lowercase()) && name.len() <= MAX_NAME;
    is_one.then(|| name.to_owned())
}

/// The name that a component's file gives it.
pub(in crate::cli) fn name_of(file: &Path) -> Option<String> {
    name_from(file.file_stem()?.to_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatewright_model::id::is_name;

    #[test]
    fn a_file_s_name_is_made_one_that_a_gateway_takes() {
        for (file, name) in [
            ("target/my_own.wasm", "my-own"),
            ("Near.wasm", "near"),
            ("near.v2.wasm", "near-v2"),
            ("my plugin.wasm", "my-plugin"),
            ("_near_.wasm", "near"),
        ] {
            assert_eq!(name_of(Path::new(file)).as_deref(), Some(name), "{file}");
            assert!(is_name(name), "{name}");
        }
    }

    #[test]
    fn of_some_files_no_name_can_be_made() {
        for file in ["", "2.wasm", "--.wasm", "größe/è.wasm", ".."] {
            assert_eq!(name_of(Path::new(file)), None, "{file}");
        }
        let long = format!("{}.wasm", "a".repeat(MAX_NAME + 1));
        assert_eq!(name_of(Path::new(&long)), None);
    }
}
