//! A balancer that is to decide for all is judged before the change begins, and
//! what was judged is what comes to decide: others may change something meanwhile.

use std::sync::Arc;

use gatewright_model::config::{Certify, Config, USUAL_MEMORY};
use gatewright_model::id::PluginName;
use serde_json::Value;

use super::{Wanted, own};
use crate::certify::Contender;
use crate::change::{Edit, Refusal};
use crate::control::Control;
use crate::seats::SeatName;

/// What was judged for a change.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    contender: Option<Contender>,
    /// What speaks against it, where it may decide all the same.
    pub(super) warning: Option<String>,
}

impl Judged {
    /// Have a balancer judged that is to decide for all, where the operator wants
    /// that.
    ///
    /// # Errors
    ///
    /// When it has to pass and does not, or cannot be bound anyway.
    pub(super) async fn first(
        control: &Arc<Control>,
        seat: &SeatName,
        wanted: &Wanted,
    ) -> Result<Self, Refusal> {
        let config = Arc::clone(&control.publisher.snapshot().config);
        let certify = control.certifies(&config);
        if certify == Certify::Off || !promotes(seat, wanted) {
            return Ok(Self {
                contender: None,
                warning: None,
            });
        }
        seat.found(&config)?;
        let own = |plugin: &PluginName| own(control, &config, plugin);
        let binding = wanted.over(seat, &config, (&control.catalog, own))?;
        let contender = contender(control, &config, &binding);
        let warning = match &contender {
            Some(contender) => {
                let change = Edit::Set(seat.key(), binding);
                control.certify(certify, contender, change).await?
            }
            None => None,
        };
        Ok(Self { contender, warning })
    }

    /// Refuse a binding that would have something else decide than what was judged,
    /// by the configuration that it comes to.
    ///
    /// # Errors
    ///
    /// When it would.
    pub(super) fn holds(
        &self,
        control: &Control,
        config: &Config,
        (seat, wanted): (&SeatName, &Wanted),
        binding: &Value,
    ) -> Result<(), Refusal> {
        if control.certifies(config) == Certify::Off || !promotes(seat, wanted) {
            return Ok(());
        }
        match contender(control, config, binding) == self.contender {
            true => Ok(()),
            false => Err(Refusal::Conflict(format!(
                "what is to decide at {seat} has changed while it was judged; ask again"
            ))),
        }
    }
}

/// Whether a change may have another balancer decide for all, or otherwise.
fn promotes(seat: &SeatName, wanted: &Wanted) -> bool {
    let decides = wanted.plugin.is_some() || wanted.version.is_some() || wanted.config.is_some();
    decides && matches!(seat, SeatName::Balancer(_))
}

/// What would decide by a binding. What there is no version of is refused by the
/// change itself.
fn contender(control: &Control, config: &Config, binding: &Value) -> Option<Contender> {
    let plugin = PluginName::from(binding["plugin"].as_str().unwrap_or_default());
    let named = binding["version"].as_str();
    let named = named.and_then(|text| text.parse().ok());
    let version = named.or_else(|| own(control, config, &plugin))?;
    let source = config.plugins.get(&plugin);
    let memory = source.map_or(USUAL_MEMORY.0, |source| source.memory);
    Some(Contender {
        plugin,
        version,
        config: binding["config"].as_object().cloned().unwrap_or_default(),
        memory,
    })
}
