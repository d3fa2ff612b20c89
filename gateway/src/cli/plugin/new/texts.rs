//! What is in this program of the repository: the examples, the contract, the
//! SDK.

use rust_embed::RustEmbed;

/// The examples, a folder for each language.
#[derive(RustEmbed)]
#[folder = "../examples/plugins"]
#[exclude = "*/target/*"]
#[exclude = "*/node_modules/*"]
#[exclude = "*__pycache__*"]
pub(super) struct Examples;

/// The contract.
#[derive(RustEmbed)]
#[folder = "../wit"]
#[exclude = "frozen/*"]
pub(super) struct Contract;

/// The SDK for Rust.
#[derive(RustEmbed)]
#[folder = "../plugin-sdk"]
#[include = "Cargo.toml"]
#[include = "README.md"]
#[include = "src/*"]
pub(super) struct Sdk;
