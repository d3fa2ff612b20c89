//! `cargo xtask contract`: the reference of the contract, generated from `wit/`
//! and committed, so that it can be read where the guides are.

mod item;
mod page;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_bindgen_core::wit_parser::Resolve;

use crate::workspace;

/// The generated page.
const FILE: &str = "docs/contract/reference.md";

/// What `cargo xtask contract` takes.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail when the committed reference is not what wit/ gives
    #[arg(long)]
    check: bool,
}

/// Generate the reference, or check it.
///
/// # Errors
///
/// When an item of `wit/` has no documentation, or the committed page is not
/// what would be generated.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace::root();
    if arguments.check {
        return check(&root);
    }
    let path = root.join(FILE);
    fs::write(&path, generate(&root)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {FILE}");
    Ok(())
}

/// Fail when the committed page differs from what would be generated.
fn check(root: &Path) -> Result<()> {
    let committed = fs::read_to_string(root.join(FILE)).unwrap_or_default();
    if committed.replace("\r\n", "\n") != generate(root)? {
        bail!("{FILE} is not what wit/ gives: run `cargo xtask contract`");
    }
    Ok(())
}

fn generate(root: &Path) -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join("wit"))?;
    page::of(&resolve, package)
}

#[cfg(test)]
mod tests {
    use super::{check, generate};
    use crate::workspace;

    #[test]
    fn the_committed_reference_is_what_the_contract_gives() {
        check(&workspace::root()).unwrap();
    }

    #[test]
    fn an_item_without_documentation_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let wit = "package gatewright:plugin@0.1.0;\n\
                   /// Words.\ninterface types { /// A place.\n type slot = u32; }\n\
                   /// Everyone's.\nworld base { import types; }\n\
                   /// All.\nworld everything { import types; }\n";
        std::fs::create_dir(folder.path().join("wit")).unwrap();
        let write = |wit: &str| std::fs::write(folder.path().join("wit/all.wit"), wit).unwrap();
        write(wit);
        let page = generate(folder.path()).unwrap();
        assert!(page.contains("A place."), "{page}");
        write(&wit.replace("/// A place.\n", ""));
        let error = generate(folder.path()).unwrap_err().to_string();
        assert!(error.contains("types.slot"), "{error}");
    }
}
