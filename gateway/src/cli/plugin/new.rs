//! `gatewright plugin new`: a project that builds as it stands. Its text is that
//! of the examples in `examples/plugins`, which are built and tried by a test.

mod project;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::json;

use self::project::{Project, languages, roles};
use super::naming::name_from;
use crate::cli::api::ApiOptions;
use crate::ending::usage;

/// What `gatewright plugin new` is asked for.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
It makes the folder NAME with a plugin that works, what it is built with, and a
README.md of one screen. A project in Rust has the SDK inside, any other one the
contract's WIT.

Examples:
  gatewright plugin new near
  gatewright plugin new --lang python --role balancer near
  gatewright plugin new --lang c --role router by-cookie")]
pub(super) struct NewOptions {
    /// The plugin's name: lower-case letters, digits and dashes.
    name: String,
    /// The language.
    #[arg(long, default_value = "rust")]
    lang: String,
    /// What it is to decide.
    #[arg(long, default_value = "balancer")]
    role: String,
}

pub(super) fn run(api: &ApiOptions, options: &NewOptions) -> anyhow::Result<()> {
    let project = project(options).map_err(usage)?;
    let folder = PathBuf::from(&options.name);
    if folder.exists() {
        return Err(usage(anyhow!("{} is there already", options.name)));
    }
    let files = project.files()?;
    for (path, text) in &files {
        write(&folder.join(path), text)?;
    }
    let files: Vec<_> = files.into_keys().collect();
    let (name, lang, role) = (&options.name, &options.lang, &options.role);
    let flags = project.flags()?;
    let check = format!("gatewright plugin check target/{name}.wasm {flags}");
    let data = json!({ "folder": options.name, "files": files, "check": check });
    api.print(&data, |_| {
        format!(
            "made {name}: a {role} in {lang}. Its README.md says what to install; then:\n\n  \
             cd {name}\n  gatewright plugin build\n  {check}\n\n\
             --config is what the example's own code reads: another plugin has its own keys, or none.\n"
        )
    })
}

/// The project, if there is an example of it and it can have that name.
fn project(options: &NewOptions) -> anyhow::Result<Project<'_>> {
    let (name, lang, role) = (&options.name, &options.lang, &options.role);
    ensure!(
        name_from(name).as_ref() == Some(name),
        "{name:?} is no name for a plugin; write lower-case letters, digits and dashes"
    );
    let languages = languages();
    ensure!(
        languages.contains(lang.as_str()),
        "there is no template in {lang:?}; there are {}",
        Vec::from_iter(languages).join(", ")
    );
    let roles = roles(lang);
    ensure!(
        roles.contains(&role.as_str()),
        "there is no template of a {role} in {lang}; there is: {}; other roles and languages \
         are written against the contract's WIT alone",
        roles.join(", ")
    );
    let project = Project { name, lang, role };
    ensure!(
        !project.is_taken()?,
        "{name:?} is the name of a package that the plugin is built with; write another one"
    );
    Ok(project)
}

fn write(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, lang: &str, role: &str) -> String {
        let options = NewOptions {
            name: name.to_owned(),
            lang: lang.to_owned(),
            role: role.to_owned(),
        };
        project(&options).map(drop).unwrap_err().to_string()
    }

    #[test]
    fn what_there_is_no_example_of_is_refused_with_what_there_is() {
        assert!(refusal("a", "cobol", "balancer").contains("rust"));
        assert!(refusal("a", "zig", "router").contains("balancer"));
        assert!(refusal("a", "rust", "king").contains("balancer, router"));
    }

    #[test]
    fn a_package_that_it_is_built_with_keeps_its_name_to_itself() {
        for name in ["gatewright-plugin-sdk", "serde"] {
            assert!(refusal(name, "rust", "balancer").contains("built with"));
        }
    }

    #[test]
    fn a_name_is_one_that_every_toolchain_takes() {
        for name in ["", "Near", "a/b", "../a", "1a", "a b", "a_b", "a-"] {
            assert!(
                refusal(name, "rust", "balancer").contains("no name"),
                "{name}"
            );
        }
    }
}
