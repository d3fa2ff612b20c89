//! What was promised stands: each text of the contract under `wit/frozen/` against
//! `wit/` as it is now, and a plugin that was written against that text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gatewright_host::{Lanes, Lent};
use sha2::{Digest as _, Sha256};
use wit_component::WitPrinter;
use wit_parser::{Resolve, WorldItem};

use crate::everything::{CALLS, GRANTS, called, everything_of};
use crate::support::{MINE, Request, Rig, config, wit};

/// The texts that were frozen, each in a folder that is called after its version.
fn frozen() -> Vec<PathBuf> {
    let folders = fs::read_dir(wit().join("frozen")).unwrap();
    let folders: Vec<_> = folders.map(|entry| entry.unwrap().path()).collect();
    assert!(!folders.is_empty());
    folders
}

/// What was frozen, by version: the SHA-256 of its text without documentation. It
/// never changes.
const PROMISED: [(&str, &str); 1] = [(
    "0.1.0",
    "3b9db2d73c2291e18e9913e391492f858f054ae53aeed6522ffe9738347c3168",
)];

/// The contract's items by the block that they are in, without documentation:
/// `interface NAME` or `world NAME`, and in it each function, type, import or
/// export.
type Items = BTreeMap<String, BTreeSet<String>>;

fn items(folder: &Path) -> Items {
    in_blocks(&text(folder))
}

/// The contract without documentation.
fn text(folder: &Path) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder).unwrap();
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    printer.print(&resolve, package, &[]).unwrap();
    printer.output.to_string()
}

/// The printed contract in items: a line, or the lines of a record or variant.
fn in_blocks(text: &str) -> Items {
    let mut items = Items::new();
    let (mut block, mut item) = (String::new(), String::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_suffix(" {") {
            Some(name) if !line.starts_with(' ') => {
                block = name.into();
                items.insert(block.clone(), BTreeSet::new());
            }
            _ if block.is_empty() || line == "}" => {}
            _ => {
                item += line.trim();
                // Deeper lines belong to the item that the last `}` ends.
                let is_whole = item.ends_with(';') || line == "  }";
                if is_whole && (line.ends_with(';') || line == "  }") {
                    let whole = std::mem::take(&mut item);
                    items.entry(block.clone()).or_default().insert(whole);
                }
            }
        }
    }
    items
}

/// The interfaces that plugins export: to these nothing may be added, for the
/// plugins that there are lack it.
fn exported(folder: &Path) -> BTreeSet<String> {
    let mut resolve = Resolve::default();
    resolve.push_dir(folder).unwrap();
    let exports = resolve
        .worlds
        .iter()
        .flat_map(|(_, world)| world.exports.values());
    let names = exports.filter_map(|item| match item {
        WorldItem::Interface { id, .. } => resolve.interfaces[*id].name.as_deref(),
        _ => None,
    });
    names.map(|name| format!("interface {name}")).collect()
}

/// What of a frozen contract does not stand in another.
fn broken(frozen: &Items, exported: &BTreeSet<String>, now: &Items) -> Vec<String> {
    let mut broken = Vec::new();
    for (block, items) in frozen {
        let Some(present) = now.get(block) else {
            broken.push(format!("{block} is gone"));
            continue;
        };
        let gone = items.difference(present);
        broken.extend(gone.map(|item| format!("{block}: `{item}` is gone or has changed")));
        // `everything` names what the host has, which may become more.
        let is_closed = exported.contains(block) || block.starts_with("world ");
        if is_closed && block != "world everything" {
            let new = present.difference(items);
            broken.extend(new.map(|item| format!("{block}: `{item}` cannot be added")));
        }
    }
    broken
}

#[test]
fn what_was_frozen_stands() {
    let now = items(&wit());
    for folder in frozen() {
        let broken = broken(&items(&folder), &exported(&folder), &now);
        assert!(broken.is_empty(), "{}: {broken:#?}", folder.display());
    }
}

#[test]
fn what_is_frozen_is_what_was_promised() {
    let folders = frozen();
    let found = folders.iter().map(|folder| {
        let version = folder.file_name().unwrap().to_string_lossy();
        let digest = Sha256::digest(text(folder));
        (version.into_owned(), format!("{digest:x}"))
    });
    let promised = PROMISED.map(|(version, digest)| (version.to_owned(), digest.to_owned()));
    assert_eq!(found.collect::<BTreeSet<_>>(), promised.into());
}

#[test]
fn every_function_that_plugins_may_call_is_called_by_the_plugin_that_stands_for_all() {
    let mut resolve = Resolve::default();
    resolve.push_dir(wit()).unwrap();
    let (_, all) = resolve
        .worlds
        .iter()
        .find(|(_, world)| world.name == "everything")
        .unwrap();
    let imported = all.imports.values().filter_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(&resolve.interfaces[*id]),
        _ => None,
    });
    let functions = imported.flat_map(|interface| {
        let name = interface.name.clone().unwrap();
        interface
            .functions
            .keys()
            .map(move |function| (name.clone(), function.clone()))
    });
    assert_eq!(functions.collect::<BTreeSet<_>>(), called());
}

#[test]
fn a_change_of_what_was_frozen_is_noticed() {
    const TEXT: &str = "package a:b;\n\ninterface asked {\n  record r {\n    a: u32,\n  }\n\n  \
                        f: func() -> u32;\n}\ninterface answered {\n  g: func();\n}\n\
                        world w {\n  import asked;\n  export answered;\n}\n";
    let exported = BTreeSet::from(["interface answered".to_owned()]);
    let check = |from: &str, to: &str| {
        let now = TEXT.replace(from, to);
        assert_ne!(now, TEXT, "{from}");
        broken(&in_blocks(TEXT), &exported, &in_blocks(&now)).len()
    };
    for (from, to) in [
        ("    a: u32,", "    a: u32,\n    b: u32,"),
        ("f: func() -> u32", "f: func() -> u64"),
        ("interface asked {", "interface renamed {"),
        ("  g: func();", "  g: func();\n  h: func();"),
        ("  export answered;", "  export answered;\n  import more;"),
    ] {
        assert_ne!(check(from, to), 0, "{to}");
    }
    assert_eq!(
        check("  f: func() -> u32;", "  f: func() -> u32;\n  h: func();"),
        0
    );
    assert_eq!(
        check("world w {", "interface more {\n  i: func();\n}\nworld w {"),
        0
    );
}

#[test]
fn a_plugin_that_was_written_against_a_frozen_text_is_asked_as_ever() {
    for folder in frozen() {
        let component = everything_of(&folder);
        for lanes in [Lanes::Both, Lanes::ComponentOnly] {
            let mut rig = Rig::on(lanes);
            rig.place("mine", &component);
            let granted = format!("mine.wasm\"\ngrants = {GRANTS}");
            let config = config(MINE, 3).replace("mine.wasm\"", &granted);
            let policy = "[[policy]]\nplugin = \"mine\"\ndeadline = \"300ms\"\n";
            rig.take(&format!("{config}{policy}")).unwrap();
            for call in 0..CALLS {
                let mut lent: Lent = Some(Box::new(Request {
                    path: char::from(call).to_string(),
                    ..Request::default()
                }));
                let chain = &mut rig.chains[0];
                chain.policies[0].seat.check(&mut lent).unwrap();
                chain.pools[0].balancer.pick(7, &mut lent).unwrap();
            }
        }
    }
}
