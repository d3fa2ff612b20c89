//! Plugins that misbehave on purpose: small modules by hand, made into
//! components against the contract in `wit/`.
//!
//! A version must pass a trial on made-up servers (port 80) and requests (path
//! `/`) before it is seated, so those that are to fault with clients behave
//! there.

use std::fmt::Write as _;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What every guest has: memory that is handed out from `$free` on and taken
/// back after each call, and zeros to return "fine" or "none" from.
const COMMON: &str = include_str!("guest.wat");

/// Where results are written: see `guest.wat`.
const PLUGIN: &str = "gatewright:plugin";

/// A component under construction.
pub(crate) struct Guest {
    includes: Vec<String>,
    imports: String,
    body: String,
}

impl Guest {
    /// Where its texts begin: results are below.
    pub(crate) const TEXTS: usize = 512;

    /// A balancer whose `pick` runs this code, with `$key` and the number of
    /// servers `$width` at hand, and then picks the slot on the stack.
    pub(crate) fn balancer(pick: &str) -> Self {
        let body = include_str!("balancer.wat").replace("(; pick ;)", pick);
        Self::of("balancer", body)
    }

    /// A balancer that runs this code on every pick with clients' requests,
    /// though not in its trial, and otherwise picks the first slot.
    pub(crate) fn balancer_that(misbehaves: &str) -> Self {
        Self::balancer(&format!(
            "(if (global.get $live) (then {misbehaves})) (i32.const 0)"
        ))
    }

    /// A balancer that always picks this slot; the second number only makes it
    /// another version.
    pub(crate) fn always(slot: u32, build: u32) -> Vec<u8> {
        let pick = format!("(drop (i32.const {build})) (i32.const {slot})");
        Self::balancer(&pick).build()
    }

    /// A router that runs this code for every path but `/`, and otherwise says
    /// that no route matches.
    pub(crate) fn router_that(misbehaves: &str) -> Self {
        let body = include_str!("router.wat").replace("(; route ;)", misbehaves);
        Self::of("router", body)
    }

    /// A request policy that runs this code for every path but `/`, and
    /// otherwise lets pass.
    pub(crate) fn policy_that(misbehaves: &str) -> Self {
        let body = include_str!("policy.wat").replace("(; check ;)", misbehaves);
        Self::of("request-policy", body)
    }

    /// A balancer that is small and more than any compiler has memory for:
    /// thousands of loops within each other, each of which may change 49,000
    /// variables.
    pub(crate) fn too_laborious() -> Self {
        let mut guest = Self::balancer("(i32.const 0)");
        let locals = 49_000;
        let loops = 7000;
        let body = &mut guest.body;
        *body += "(func (param i32) (local";
        *body += &" i32".repeat(locals);
        *body += ")";
        *body += &" loop".repeat(loops);
        for local in 1..=locals {
            let _ = write!(
                body,
                " local.get {local} local.get 0 i32.add local.set {local}"
            );
        }
        for outer in 0..loops {
            let _ = write!(body, " local.get {} br_if {outer}", outer + 1);
        }
        *body += &" end".repeat(loops);
        *body += ")";
        guest
    }

    /// A balancer whose `pick` answers with a number instead of an option.
    pub(crate) fn mistyped() -> Vec<u8> {
        let package = "package gatewright:plugin@0.1.0;
            interface balancing {
                configure: func(config: string);
                update: func(endpoints: list<u32>);
                eligible: func(slots: list<u32>);
                pick: func(key: u64) -> u32;
            }
            world guest { export balancing; }";
        let functions = [
            ("configure", "(param i32 i32)"),
            ("update", "(param i32 i32)"),
            ("eligible", "(param i32 i32)"),
            ("pick", "(param i64) (result i32) (i32.const 0)"),
        ];
        let functions = functions.map(|(name, body)| {
            format!("(func (export \"{PLUGIN}/balancing@0.1.0#{name}\") {body})")
        });
        encode(Resolve::default(), package, &functions.concat())
    }

    fn of(world: &str, body: String) -> Self {
        Self {
            includes: vec![format!("include {PLUGIN}/{world}@0.1.0;")],
            imports: String::new(),
            body,
        }
    }

    /// Let it import a function. Its code can call it if `signature` begins with
    /// a name, such as `$set (param i32 i32)`.
    pub(crate) fn importing(mut self, interface: &str, function: &str, signature: &str) -> Self {
        let import = format!("import {PLUGIN}/{interface}@0.1.0;");
        if !self.includes.contains(&import) {
            self.includes.push(import);
        }
        self.imports +=
            &format!("(import \"{PLUGIN}/{interface}@0.1.0\" \"{function}\" (func {signature}))");
        self
    }

    /// Texts for its code to pass on, one behind the other from [`Self::TEXTS`].
    pub(crate) fn saying(mut self, texts: &[&str]) -> Self {
        let _ = write!(
            self.imports,
            "(data (i32.const {}) \"{}\")",
            Self::TEXTS,
            texts.concat()
        );
        self
    }

    /// The component's bytes.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        resolve.push_dir(folder).expect("the contract");
        let world = format!(
            "package test:guest; world guest {{ {} }}",
            self.includes.join(" ")
        );
        encode(resolve, &world, &format!("{} {}", self.imports, self.body))
    }
}

/// A component of a module's parts, for the world `guest` of a package.
fn encode(mut resolve: Resolve, package: &str, parts: &str) -> Vec<u8> {
    // Imports and data stand before what uses them.
    let text = format!("(module {parts} {COMMON})");
    let mut module = wat::parse_str(&text).expect("a module");
    let package = resolve.push_str("guest.wit", package).expect("a package");
    let world = resolve
        .select_world(&[package], Some("guest"))
        .expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a module with its world");
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).expect("a module of the world");
    encoder.encode().expect("a component")
}

/// A component that says of itself what it is called and which release it is.
pub(crate) fn calling_itself(name: &str, release: &str, component: &[u8]) -> Vec<u8> {
    let named = [&[0, 1 + short(name), short(name)], name.as_bytes()].concat();
    let mut whole = component.to_vec();
    for (section, data) in [
        ("component-name", &*named),
        ("version", release.as_bytes()),
        ("homepage", b"https://plugins.example/"),
    ] {
        let length = 1 + section.len() + data.len();
        let length = u8::try_from(length).expect("a short section");
        whole.extend([0, length, short(section)]);
        whole.extend(section.as_bytes());
        whole.extend(data);
    }
    whole
}

/// Another build of a component: it has a section more, which means nothing.
pub(crate) fn rebuilt(component: &[u8]) -> Vec<u8> {
    let mut other = component.to_vec();
    other.extend(b"\0\x06\x05build");
    other
}

/// The length of a text of less than 128 bytes, as WebAssembly writes it.
fn short(text: &str) -> u8 {
    u8::try_from(text.len()).expect("a short text")
}

/// What a guest may do wrong.
pub(crate) mod misdeeds {
    /// Trap.
    pub(crate) const TRAP: &str = "(unreachable)";
    /// Never answer.
    pub(crate) const LOOP: &str = "(loop $for_ever (br $for_ever)) (unreachable)";
    /// Take memory until there is none, then trap, as allocators do.
    pub(crate) const EAT: &str = "(loop $more \
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
}
