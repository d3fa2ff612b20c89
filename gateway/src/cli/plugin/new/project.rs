//! A project: an example under another name, with what it needs of the
//! repository beside it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use rust_embed::RustEmbed;

use super::texts::{Contract, Examples, Sdk};

/// The roles that there are examples of in some language.
const ROLES: [&str; 2] = ["balancer", "router"];

/// What an example of a role is tried with, and what it does.
const TRIALS: [(&str, &str, &str); 2] = [
    (
        "balancer",
        "Of the endpoints that may be used, it picks the least loaded one whose label `zone` is \
         the configured one; when there is none, the least loaded of all.",
        r#"--config '{"zone":"a"}'"#,
    ),
    (
        "router",
        "Requests with a cookie go to a pool of their own, all others to another.",
        r#"--config '{"cookie":"beta","with":"next","without":"web"}' --pools web,next"#,
    ),
];

/// What an example says of where it lies, and what a project says.
const PLACES: [(&str, &str); 3] = [
    ("../../../../plugin-sdk", "sdk"),
    ("../../../wit", "wit"),
    (
        "python3 -m venv ../../../target/python && . ../../../target/python/bin/activate",
        "python3 -m venv .venv && . .venv/bin/activate",
    ),
];

/// What is not to be kept with a project's sources.
const IGNORED: &str = "target/\nnode_modules/\n.venv/\n__pycache__/\n";

/// The languages of the examples.
pub(super) fn languages() -> BTreeSet<String> {
    let files = Examples::iter();
    let folders = files.filter_map(|path| Some(path.split_once('/')?.0.to_owned()));
    folders.collect()
}

/// The roles that there are examples of in a language.
pub(super) fn roles(lang: &str) -> Vec<&'static str> {
    let is_there = |role: &&str| Examples::iter().any(|path| is_of(&path, lang, role));
    ROLES.into_iter().filter(is_there).collect()
}

/// Whether a file of an example is of one role alone: it or its folder is named
/// after it.
fn is_of(path: &str, lang: &str, role: &str) -> bool {
    let Some((folder, path)) = path.split_once('/') else {
        return false;
    };
    let first = path.split(['/', '.']).next();
    folder == lang && first == Some(role)
}

/// What is to be made.
pub(super) struct Project<'a> {
    pub(super) name: &'a str,
    pub(super) lang: &'a str,
    pub(super) role: &'a str,
}

/// Files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

impl Project<'_> {
    /// Every file of it.
    ///
    /// # Errors
    ///
    /// When a text of this program is not there, which is a defect.
    pub(super) fn files(&self) -> anyhow::Result<Files> {
        let mut files = match self.lang {
            "rust" => self.crate_files()?,
            _ => self.example_files()?,
        };
        files.insert("README.md".to_owned(), self.readme()?.into());
        files.insert(".gitignore".to_owned(), IGNORED.into());
        Ok(files)
    }

    /// Whether a package that it is built with has its name.
    ///
    /// # Errors
    ///
    /// As [`Self::files`].
    pub(super) fn is_taken(&self) -> anyhow::Result<bool> {
        if self.lang != "rust" {
            return Ok(false);
        }
        let lock = text::<Examples>("rust/Cargo.lock")?;
        let mut packages = lock.split("[[package]]\n").skip(1);
        let own = format!("name = \"{}\"\n", self.name);
        Ok(packages.any(|package| package.starts_with(&own) && !is_example(package)))
    }

    /// The example without what is of the other role, and the contract.
    fn example_files(&self) -> anyhow::Result<Files> {
        let mut files = Files::new();
        let folder = format!("{}/", self.lang);
        for path in Examples::iter() {
            let Some(name) = path.strip_prefix(&folder) else {
                continue;
            };
            let mut others = ROLES.into_iter().filter(|role| *role != self.role);
            if name != "README.md" && !others.any(|role| is_of(&path, self.lang, role)) {
                let text = text::<Examples>(&path)?;
                files.insert(name.to_owned(), self.renamed(name, text).into());
            }
        }
        for path in Contract::iter() {
            files.insert(format!("wit/{path}"), text::<Contract>(&path)?.into());
        }
        Ok(files)
    }

    /// One file's text as the project has it.
    fn renamed(&self, name: &str, mut text: String) -> String {
        for (here, there) in PLACES {
            text = text.replace(here, there);
        }
        if !matches!(name, "Makefile" | "package.json" | "package-lock.json") {
            return text;
        }
        for other in ROLES.into_iter().filter(|role| *role != self.role) {
            text = without(other, &text);
        }
        let (name, role) = (self.name, self.role);
        text.replace(&format!("gatewright-plugin-{}", self.lang), name)
            .replace(
                &format!("target/{role}.wasm"),
                &format!("target/{name}.wasm"),
            )
            .replace(
                &format!("target/{role}.core.wasm"),
                &format!("target/{name}.core.wasm"),
            )
    }

    /// One of the examples' two crates as a package of its own, and the SDK.
    fn crate_files(&self) -> anyhow::Result<Files> {
        let example = |path: &str| text::<Examples>(&format!("rust/{path}"));
        let manifest = example(&format!("{}/Cargo.toml", self.role))?;
        let package = manifest_name(&manifest)?.to_owned();
        let workspace = example("Cargo.toml")?;
        let profile = workspace
            .find("[profile.release]")
            .unwrap_or(workspace.len());
        // The library's name goes before the package has its own: both may be
        // the role's.
        let manifest = self
            .renamed("Cargo.toml", manifest)
            .replace(&format!("name = \"{}\"\n", self.role), "")
            .replace(&format!("\"{package}\""), &format!("\"{}\"", self.name));
        let manifest = format!("{manifest}\n{}\n[workspace]\n", &workspace[profile..]);
        let lock = self.lock(&example("Cargo.lock")?, &package);
        let mut files = Files::from([
            ("Cargo.toml".to_owned(), manifest.into()),
            ("Cargo.lock".to_owned(), lock.into()),
            (
                "src/lib.rs".to_owned(),
                example(&format!("{}/src/lib.rs", self.role))?.into(),
            ),
            (
                ".cargo/config.toml".to_owned(),
                example(".cargo/config.toml")?.into(),
            ),
        ]);
        for path in Sdk::iter() {
            let mut text = text::<Sdk>(&path)?;
            if path == "Cargo.toml" {
                text = standing_alone(&text);
            }
            files.insert(format!("sdk/{path}"), text.into());
        }
        Ok(files)
    }

    /// The examples' lock file without the other crate.
    fn lock(&self, lock: &str, package: &str) -> String {
        let mut entries = lock.split("[[package]]\n");
        let mut text = entries.next().unwrap_or_default().to_owned();
        for entry in entries {
            let is_own = entry.starts_with(&format!("name = \"{package}\"\n"));
            if is_own || !is_example(entry) {
                text += "[[package]]\n";
                text += &entry.replace(&format!("\"{package}\""), &format!("\"{}\"", self.name));
            }
        }
        text
    }

    fn trial(&self) -> anyhow::Result<&'static (&'static str, &'static str, &'static str)> {
        let trial = TRIALS.iter().find(|(of, ..)| *of == self.role);
        trial.context("every role of an example has a trial")
    }

    /// The flags that it is tried with.
    ///
    /// # Errors
    ///
    /// When nobody has said them, which is a defect.
    pub(super) fn flags(&self) -> anyhow::Result<&'static str> {
        Ok(self.trial()?.2)
    }

    /// One screen: what to install, and the commands.
    fn readme(&self) -> anyhow::Result<String> {
        let example = text::<Examples>(&format!("{}/README.md", self.lang))?;
        let install = block(&example, "Install:").context("an example says what to install")?;
        let install = self.renamed("README.md", install.to_owned());
        let (name, lang, role) = (self.name, self.lang, self.role);
        let (does, flags) = (self.trial()?.1, self.flags()?);
        let seat = match role {
            "router" => "-/router",
            _ => "web/balancer",
        };
        let config = flags.split(" --pools").next().unwrap_or_default();
        Ok(format!(
            "# {name}\n\nA Gatewright {role} in {lang}. {does}\n\nInstall, once:\n\n\
             ```sh\n{install}```\n\nBuild, and see what a gateway would say of it:\n\n\
             ```sh\ngatewright plugin build\n\
             gatewright plugin check target/{name}.wasm {flags}\n\
             gatewright plugin run target/{name}.wasm {flags}\n\
             gatewright plugin bench target/{name}.wasm {flags}\n```\n\n\
             `--config` is what the code here reads; leave it out once yours reads none.\n\n\
             Have it decide in a running gateway, and every new build of it too:\n\n\
             ```sh\ngatewright plugin push target/{name}.wasm --activate {seat} --watch \\\n    \
             {config}\n```\n"
        ))
    }
}

/// A text of this program.
fn text<T: RustEmbed>(path: &str) -> anyhow::Result<String> {
    let file = T::get(path).with_context(|| format!("{path} is not in this program"))?;
    Ok(String::from_utf8(file.data.into_owned())?)
}

/// A package's name in its manifest.
fn manifest_name(manifest: &str) -> anyhow::Result<&str> {
    let (_, rest) = manifest
        .split_once("name = \"")
        .context("a manifest has a name")?;
    Ok(rest.split('"').next().unwrap_or_default())
}

/// Whether a lock file's entry is an example's: of this repository, and not
/// the SDK.
fn is_example(entry: &str) -> bool {
    let is_local = !entry.contains("\nsource = ");
    is_local && !entry.starts_with("name = \"gatewright-plugin-sdk\"\n")
}

/// A text without what concerns another role: first out of lists, then the
/// lines that are left.
fn without(role: &str, text: &str) -> String {
    let mut text = text.to_owned();
    for item in [format!("target/{role}.wasm"), format!("npm run {role}")] {
        for between in [" and ", " && ", " "] {
            text = text.replace(&format!("{between}{item}"), "");
            text = text.replace(&format!("{item}{between}"), "");
        }
    }
    let kept = text.lines().filter(|line| !line.contains(role));
    kept.flat_map(|line| [line, "\n"]).collect()
}

/// The SDK's manifest as one outside of its workspace: what it inherits there is
/// written out.
fn standing_alone(manifest: &str) -> String {
    manifest
        .replace(
            "rust-version.workspace = true",
            concat!("rust-version = \"", env!("CARGO_PKG_RUST_VERSION"), "\""),
        )
        .replace(
            "version.workspace = true",
            concat!("version = \"", env!("CARGO_PKG_VERSION"), "\""),
        )
        .replace("edition.workspace = true", "edition = \"2024\"")
        .replace(
            "license.workspace = true",
            concat!("license = \"", env!("CARGO_PKG_LICENSE"), "\""),
        )
        .replace("authors.workspace = true\n", "")
        .replace("publish.workspace = true", "publish = false")
        // Its generated code expects this lint.
        .replace(
            "[lints]\nworkspace = true",
            "[lints.rust]\nunreachable_pub = \"warn\"",
        )
}

/// The content of the first block of code behind a line.
fn block<'a>(text: &'a str, line: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(line)?;
    let (_, rest) = rest.split_once("```sh\n")?;
    Some(rest.split_once("```")?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(lang: &str, role: &str) -> BTreeMap<String, String> {
        files_of(&Project {
            name: "near",
            lang,
            role,
        })
    }

    fn files_of(project: &Project<'_>) -> BTreeMap<String, String> {
        let files = project.files().unwrap().into_iter();
        let files = files.map(|(path, text)| (path, String::from_utf8(text).unwrap()));
        files.collect()
    }

    #[test]
    fn every_language_has_a_balancer_and_three_have_a_router() {
        let languages = languages();
        assert_eq!(languages.len(), 10, "{languages:?}");
        assert!(
            languages
                .iter()
                .all(|lang| roles(lang).contains(&"balancer"))
        );
        let routers = languages.iter().filter(|lang| roles(lang).len() == 2);
        assert_eq!(routers.collect::<Vec<_>>(), ["c", "javascript", "rust"]);
    }

    #[test]
    fn no_project_knows_where_the_repository_is() {
        for lang in languages() {
            for role in roles(&lang) {
                for (path, text) in files(&lang, role) {
                    let is_own = !path.starts_with("sdk/") && !path.starts_with("wit/");
                    let told = [".workspace = true", "../../"].map(|part| text.contains(part));
                    assert_eq!(told, [false; 2], "{lang} {role}: {path}\n{text}");
                    assert!(!is_own || !text.contains("xtask"), "{lang}: {path}");
                }
            }
        }
    }

    #[test]
    fn a_project_has_nothing_of_the_other_role() {
        for lang in ["c", "javascript", "rust"] {
            for (role, other) in [("balancer", "router"), ("router", "balancer")] {
                for (path, text) in files(lang, role) {
                    if path.starts_with("sdk/") || path.starts_with("wit/") {
                        continue;
                    }
                    assert!(!path.contains(other), "{lang}: {path}");
                    let is_build = matches!(&*path, "Makefile" | "package.json" | "Cargo.toml");
                    assert!(!is_build || !text.contains(other), "{path}:\n{text}");
                }
            }
        }
    }

    #[test]
    fn a_build_makes_a_component_of_the_project_s_name() {
        for lang in languages().into_iter().filter(|lang| lang != "rust") {
            for role in roles(&lang) {
                let files = files(&lang, role);
                let build = files.get("Makefile").or(files.get("package.json")).unwrap();
                assert!(build.contains("target/near.wasm"), "{lang}:\n{build}");
                assert!(!build.contains(&format!("target/{role}.wasm")), "{build}");
            }
        }
    }

    #[test]
    fn a_package_may_have_the_name_of_a_role() {
        for role in ["balancer", "router"] {
            for name in ["balancer", "router", "zone-balancer"] {
                let lang = "rust";
                let project = Project { name, lang, role };
                assert!(!project.is_taken().unwrap(), "{name}");
                let manifest = &files_of(&project)["Cargo.toml"];
                let package = format!("[package]\nname = \"{name}\"\n");
                assert!(manifest.starts_with(&package), "{manifest}");
                assert_eq!(manifest.matches("\nname = ").count(), 1, "{manifest}");
            }
        }
    }

    #[test]
    fn what_a_package_manager_reads_stays_whole() {
        for role in ["balancer", "router"] {
            for file in ["package.json", "package-lock.json"] {
                let files = files("javascript", role);
                let read: serde_json::Value = serde_json::from_str(&files[file]).unwrap();
                assert_eq!(read["name"], "near", "{file}");
            }
        }
        let lock = &files("rust", "router")["Cargo.lock"];
        assert!(
            lock.contains("name = \"near\"") && !lock.contains("zone-balancer"),
            "{lock}"
        );
    }
}
