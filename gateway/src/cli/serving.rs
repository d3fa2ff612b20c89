//! Running a gateway until the system says otherwise.

use std::env;

use anyhow::{Context as _, bail};
use gatewright_control::{Gateway, Keep, Options, Overview, PluginFigures, Source, StartError};
use gatewright_host::{Compiler, HostError};
use gatewright_model::config::Environment;

use crate::ending::usage;
use crate::signals::{Request, Signals};
use crate::{descriptors, logging, runtime};

/// Run a gateway, with its log on the error output, until SIGTERM or SIGINT;
/// SIGHUP makes it read its configuration again.
pub(super) fn serve(source: Source, environment: Environment, keep: Keep) -> anyhow::Result<()> {
    logging::to_stderr("info")?;
    runtime::block_on(async {
        // Before the start, so that what comes early is not the end at once.
        let mut signals = Signals::listen().context("cannot listen to signals")?;
        let gateway = tokio::select! {
            started = start(source, environment, keep) => started?,
            () = signals.stop() => return Ok(()),
        };
        announce(&gateway);
        while signals.next().await == Request::Reload {
            // What comes of it is logged where it happens.
            let _ = gateway.reload().await;
        }
        stop(gateway, &mut signals).await
    })
}

/// Start a gateway that has all the descriptors it may have, compiles plugins in children of this program and
/// watches its files.
///
/// # Errors
///
/// Why it does not start, marked as the user's where it is.
pub(crate) async fn start(
    source: Source,
    environment: Environment,
    keep: Keep,
) -> anyhow::Result<Gateway> {
    descriptors::raise_limit();
    let program = env::current_exe().context("cannot find this program's own file")?;
    let options = Options {
        environment,
        compiler: Compiler::Child { program },
        keep,
        watch: true,
    };
    let gateway = Gateway::start(source, options).await;
    let gateway = gateway.map_err(wrong_or_failed)?;
    descriptors::judge(&gateway.config());
    Ok(gateway)
}

/// What is written wrongly is the user's to mend, the data folder included.
fn wrong_or_failed(error: StartError) -> anyhow::Error {
    match error {
        StartError::Config(_)
        | StartError::Store(_)
        | StartError::Host(HostError::Cache { .. }) => usage(error),
        error => error.into(),
    }
}

async fn stop(gateway: Gateway, signals: &mut Signals) -> anyhow::Result<()> {
    tracing::info!("stopping: what is under way may finish; a second signal ends it at once");
    tokio::select! {
        () = gateway.stop() => {
            tracing::info!("stopped");
            Ok(())
        }
        () = signals.stop() => bail!("ended at once, as a second signal asked for"),
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
        version,
        ..
    } in plugins
    {
        let pool = pool.map(tracing::field::display);
        tracing::info!(%role, pool, plugin = %name, version = version.short(), "decides");
    }
    tracing::info!(workers = totals.workers, "ready");
}
