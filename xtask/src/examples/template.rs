//! The projects that `gatewright plugin new` makes: each is made outside of the
//! repository, built by `gatewright plugin build`, and checked as a gateway
//! would.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::language::{Language, Need};
use super::toolbox::Toolbox;
use crate::cargo::{output, run};

/// Roles that there may be an example of.
const ROLES: [&str; 2] = ["balancer", "router"];

/// Make, build and check a project of each role that a language has.
///
/// # Errors
///
/// When one is not made, does not build, or would be refused.
pub(super) fn try_out(gatewright: &Path, language: &Language, toolbox: &Toolbox) -> Result<()> {
    let gatewright = gatewright.canonicalize()?;
    for role in ROLES {
        if role == "router" && language.router.is_none() {
            continue;
        }
        let place = tempfile::tempdir()?;
        let mut new = Command::new(&gatewright);
        new.args([
            "plugin",
            "new",
            "--lang",
            language.name,
            "--role",
            role,
            // The name that one tries first.
            role,
            "--json",
        ]);
        let made = output(new.current_dir(place.path()))?;
        let made: serde_json::Value = serde_json::from_str(&made)?;
        let project = place.path().join(role);
        if language.needs.contains(&Need::NodePackages) {
            let packages = toolbox.node_folder(language.name).join("node_modules");
            std::os::unix::fs::symlink(packages, project.join("node_modules"))?;
        }
        let mut build = Command::new(&gatewright);
        build
            .args(["plugin", "build"])
            .env("PATH", toolbox.path(language.name)?)
            .env("CARGO_TARGET_DIR", toolbox.build_folder());
        run(build.current_dir(&project))?;
        // The line that it says itself, which quotes as a shell does.
        let line = made["check"].as_str().unwrap_or_default();
        let line = line.trim_start_matches("gatewright ");
        let mut check = Command::new("sh");
        check.args(["-euc", &format!("\"$0\" {line} --role {role}")]);
        check.arg(&gatewright).current_dir(&project);
        let told = output(&mut check)?;
        let is_tried = told.contains(" decisions as ");
        ensure!(is_tried, "the {role} was not asked:\n{told}");
        println!("a new {role} in {} builds and is taken", language.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn every_trial_is_of_an_example() {
        let folder = workspace::root().join("examples/plugins/rust");
        for role in ROLES {
            assert!(folder.join(role).is_dir(), "{role}");
        }
    }
}
