//! `cargo xtask`: what cargo alone does not do, one file a task.

mod bench;
mod bindings;
mod cargo;
mod comparison;
mod contract;
mod dashboard;
mod deployment;
mod examples;
mod follow;
mod fuzz;
mod packages;
mod plugins;
mod process;
mod python;
mod schemathesis;
mod steps;
mod test;
mod tidy;
mod tools;
mod verify;
mod workspace;

use clap::{Parser, Subcommand};

/// The command line.
#[derive(Parser)]
#[command(name = "cargo xtask", about, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// Every task there is.
#[derive(Subcommand)]
enum Task {
    /// Generate the SDK's bindings from wit/
    Bindings(bindings::Arguments),
    /// Generate the contract's reference from wit/
    Contract(contract::Arguments),
    /// Build the default plugins' components into plugins/dist/
    Plugins(plugins::Arguments),
    /// Run everything that must hold before a change lands
    Test(test::Arguments),
    /// Run the tests, long fuzzing, the benchmarks and the licence check
    Verify(verify::Arguments),
    /// Check the files and the walls between the crates
    Tidy,
    /// Simulate the balancers that are shipped for docs/comparison.md
    Comparison(comparison::Arguments),
    /// Build the example plugins in every language and try them in a gateway
    Examples(examples::Arguments),
    /// Fuzz every target for some seconds
    Fuzz(fuzz::Arguments),
    /// Ask a running gateway's admin API all that its OpenAPI document knows
    Api,
    /// Check the examples for operators by the programs that they are written for
    Deployment,
    /// Build the static program and the Debian package, and look whether they are whole
    Packages,
    /// Test the dashboard in a real browser
    Dashboard,
    /// Make the pictures of the dashboard in docs/images/
    Screenshots,
    /// Measure: against nginx and HAProxy, decisions, a swap under load
    Bench(bench::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Bindings(arguments) => bindings::run(&arguments),
        Task::Contract(arguments) => contract::run(&arguments),
        Task::Plugins(arguments) => plugins::run(&arguments),
        Task::Test(arguments) => test::run_all(&arguments),
        Task::Verify(arguments) => verify::run_all(&arguments),
        Task::Tidy => tidy::run(),
        Task::Comparison(arguments) => comparison::run(&arguments),
        Task::Examples(arguments) => examples::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run_all(&arguments),
        Task::Api => schemathesis::check_api(),
        Task::Deployment => deployment::check(),
        Task::Packages => packages::check(),
        Task::Dashboard => dashboard::check(),
        Task::Screenshots => dashboard::screenshots(),
        Task::Bench(arguments) => bench::run(&arguments),
    }
}
