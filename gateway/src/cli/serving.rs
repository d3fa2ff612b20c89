//! Running a gateway until the system says otherwise.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use gatewright_control::{
    Gateway, Keep, Options, Overview, PluginFigures, Source, StartError, Upgraded,
};
use gatewright_host::{Compiler, HostError};
use gatewright_model::config::Environment;
use gatewright_proxy::Inheritance;

use crate::ending::usage;
use crate::handover::Predecessor;
use crate::program::Program;
use crate::signals::{Request, Signals};
use crate::{certifier, descriptors, handover, logging, program, runtime, service_manager};

/// Run a gateway, with its log on the error output, until SIGTERM or SIGINT, or
/// until another process has taken over; SIGHUP makes it read its configuration
/// again, SIGUSR1 open its
/// logs anew, SIGUSR2 start the program anew in its place.
pub(super) fn serve(source: Source, environment: Environment, keep: Keep) -> anyhow::Result<()> {
    logging::to_stderr("info")?;
    let program = Program::of_this_process().context("cannot find this program's own file")?;
    let (inheritance, predecessor) = handover::inherit()?;
    runtime::block_on(async {
        // Before the start, so that what comes early is not the end at once.
        let mut signals = Signals::listen().context("cannot listen to signals")?;
        let started = tokio::select! {
            started = start(source, environment, keep, inheritance) => started,
            () = signals.stop() => return Ok(()),
        };
        let gateway = match (started, predecessor) {
            (Ok(gateway), predecessor) => begin(gateway, predecessor).await,
            (Err(error), Some(predecessor)) => {
                predecessor.failed(&error);
                return Err(error);
            }
            (Err(error), None) => return Err(error),
        };
        let alive = tokio::spawn(service_manager::keep_alive(gateway.pulse()));
        match run(&gateway, &program, &mut signals).await {
            End::Stopped => stop(gateway, &mut signals).await,
            End::HandedOver(upgraded) => {
                // What is left here is the service no more.
                alive.abort();
                end(gateway, &upgraded, &mut signals).await;
                Ok(())
            }
        }
    })
}

/// Tell everybody that the gateway serves.
async fn begin(mut gateway: Gateway, predecessor: Option<Predecessor>) -> Gateway {
    announce(&gateway);
    descriptors::judge(&gateway.config());
    match predecessor {
        None => service_manager::ready(),
        Some(predecessor) => {
            // It drains as soon as it hears of the rest.
            gateway.take_over().await;
            predecessor.ready();
            gateway.own().await;
        }
    }
    gateway
}

/// Why a gateway runs no longer.
enum End {
    /// It was asked to stop.
    Stopped,
    /// Another process serves.
    HandedOver(Upgraded),
}

/// Do what the system and the API ask for.
async fn run(gateway: &Gateway, program: &Program, signals: &mut Signals) -> End {
    let mut upgrades = gateway.upgrades();
    loop {
        let asked = tokio::select! {
            Some(asked) = upgrades.recv() => Some(asked),
            request = signals.next() => match request {
                Request::Stop => return End::Stopped,
                Request::Upgrade => None,
                Request::Reopen => {
                    gateway.reopen_logs();
                    continue;
                }
                Request::Reload => {
                    service_manager::reloading();
                    tokio::select! {
                        // What comes of it is logged where it happens.
                        _ = gateway.reload() => service_manager::ready(),
                        () = signals.stop() => return End::Stopped,
                    }
                    continue;
                }
            },
        };
        tracing::info!(program = %program.file().display(), "a new process is to take over");
        // A reload that is asked for meanwhile is done afterwards.
        let outcome = tokio::select! {
            outcome = handover::hand_over(gateway, program) => outcome,
            () = signals.stop() => return End::Stopped,
        };
        if let Err(reason) = &outcome {
            tracing::error!("no new process has taken over, and this one goes on: {reason}");
        }
        if let Ok(upgraded) = &outcome {
            service_manager::succeeded_by(upgraded.process);
            // Whoever is told of it speaks to the new one next.
            gateway.leave();
        }
        if let Some(asked) = asked {
            asked.answer(outcome.clone());
        }
        if let Ok(upgraded) = outcome {
            return End::HandedOver(upgraded);
        }
    }
}

/// Start a gateway that has all the descriptors it may have, compiles plugins in
/// children of this program and watches its files.
///
/// # Errors
///
/// Why it does not start, marked as the user's where it is.
pub(crate) async fn start(
    source: Source,
    environment: Environment,
    keep: Keep,
    inheritance: Inheritance,
) -> anyhow::Result<Gateway> {
    descriptors::raise_limit();
    let options = Options {
        environment,
        compiler: Compiler::Child {
            program: program::compiler(),
        },
        keep,
        watch: true,
        inheritance,
        judge: Some(Arc::new(certifier::judge)),
    };
    let gateway = Gateway::start(source, options).await;
    gateway.map_err(wrong_or_failed)
}

/// What is written wrongly is the user's to mend, the data folder included.
fn wrong_or_failed(error: StartError) -> anyhow::Error {
    match error {
        StartError::Config(_)
        | StartError::Store(_)
        | StartError::Unwanted { .. }
        | StartError::Host(HostError::Cache { .. }) => usage(error),
        error => error.into(),
    }
}

async fn stop(gateway: Gateway, signals: &mut Signals) -> anyhow::Result<()> {
    service_manager::stopping();
    tracing::info!("stopping: what is under way may finish; a second signal ends it at once");
    tokio::select! {
        () = gateway.stop() => {
            tracing::info!("stopped");
            Ok(())
        }
        () = signals.stop() => bail!("ended at once, as a second signal asked for"),
    }
}

/// Finish what is under way when another process serves.
async fn end(gateway: Gateway, upgraded: &Upgraded, signals: &mut Signals) {
    let Upgraded { process, version } = upgraded;
    tracing::info!(
        process,
        version,
        "handed over: what is under way may finish"
    );
    tokio::select! {
        () = gateway.end_after_handover() => tracing::info!("nothing is left to finish"),
        () = signals.stop() => tracing::info!("ended at once, as a signal asked for"),
    }
}

/// Say where it listens and who decides.
fn announce(gateway: &Gateway) {
    for address in gateway.listeners() {
        tracing::info!(%address, "listening");
    }
    tracing::info!(address = %gateway.admin(), "admin listening");
    let Overview {
        plugins, totals, ..
    } = gateway.overview();
    for PluginFigures {
        name,
        role,
        pool,
        policy,
        version,
        ..
    } in plugins
    {
        let pool = pool.map(tracing::field::display);
        let policy = policy.map(tracing::field::display);
        tracing::info!(%role, pool, policy, plugin = %name, version = version.short(), "decides");
    }
    tracing::info!(workers = totals.workers, "ready");
}
