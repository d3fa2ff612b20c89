//! Activating versions, trying them beside the one that decides, and going
//! back.

mod judged;

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use gatewright_model::config::{Binding, Config};
use gatewright_model::id::{Digest, PluginName};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use self::judged::Judged;
use super::Described;
use crate::access::Who;
use crate::admin::asked::NamedWithin;
use crate::admin::body::Body;
use crate::admin::envelope::Success;
use crate::admin::fields::period;
use crate::admin::plugins::own_version;
use crate::admin::precondition::{Expected, Outcome, outcome};
use crate::catalog::Catalog;
use crate::change::{Change, Changed, Edit, Refusal};
use crate::control::Control;
use crate::seats::SeatName;

/// What goes on in a seat when another plugin comes to sit there.
const SEAT_S_OWN: [&str; 6] = [
    "deadline",
    "cpu_share",
    "cpu_alarm",
    "name",
    "role",
    "on_fault",
];

/// What is to be bound. What is left out stays, while the plugin does.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = WantedBinding)]
pub(super) struct Wanted {
    plugin: Option<String>,
    /// When a policy is asked.
    #[schema(value_type = Option<PolicyRole>)]
    role: Option<PolicyRole>,
    /// What becomes of a request when a policy faults.
    #[schema(value_type = Option<OnFault>)]
    on_fault: Option<OnFault>,
    /// Null for the one that the plugin has.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>, required = false)]
    version: Option<Option<String>>,
    #[schema(value_type = Option<Object>)]
    config: Option<Map<String, Value>>,
    /// In seconds.
    deadline: Option<f64>,
    /// The most of a worker's time, in percent: beyond it the fallback decides.
    /// Null for no limit. Policies have none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<u8>, required = false)]
    cpu_share: Option<Option<u8>>,
    /// The share of a worker's time, in percent, beyond which it is reported as
    /// heavy; 100 for never.
    cpu_alarm: Option<u8>,
    /// Null for none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<WantedCanary>, required = false)]
    canary: Option<Option<WantedCanary>>,
    /// Null for none.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<WantedShadow>, required = false)]
    shadow: Option<Option<WantedShadow>>,
}

/// When a policy is asked: before the request is routed, which is so unless it
/// is said otherwise, or on the response's head.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum PolicyRole {
    RequestPolicy,
    ResponsePolicy,
}

/// What becomes of a request when a policy faults: it is answered with 503,
/// which is so unless it is said otherwise, or goes on.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum OnFault {
    Deny,
    Allow,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedCanary {
    version: String,
    percent: u8,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedShadow {
    version: String,
    sample: Option<u8>,
}

/// A null that somebody wrote is no field that was left out.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Wanted {
    /// The binding that is to be, as a file would say it.
    /// `own` says which version a plugin has.
    fn over(
        &self,
        seat: &SeatName,
        config: &Config,
        (catalog, own): (&Catalog, impl Fn(&PluginName) -> Option<Digest>),
    ) -> Result<Value, Refusal> {
        let (plugin, mut binding) = self.base(seat.written(config))?;
        self.say_of_policy(seat, &mut binding)?;
        for (key, value) in self.said(&plugin, catalog)? {
            match value {
                Value::Null => _ = binding.remove(key),
                value => _ = binding.insert(key.to_owned(), value),
            }
        }
        self.leave_no_twin(&mut binding, own(&plugin));
        Ok(binding.into())
    }

    /// The plugin, and what of the binding before goes on with it.
    fn base(&self, before: Option<Value>) -> Result<(PluginName, Map<String, Value>), Refusal> {
        let mut binding = match before {
            Some(Value::Object(before)) => before,
            _ => Map::new(),
        };
        let known = binding.get("plugin").and_then(Value::as_str);
        let plugin = self.plugin.as_deref().or(known).map(PluginName::from);
        let plugin = plugin
            .ok_or_else(|| Refusal::field("plugin", "nothing is bound there yet; name a plugin"))?;
        if known != Some(plugin.as_str()) {
            binding.retain(|key, _| SEAT_S_OWN.contains(&key.as_str()));
        }
        binding.insert("plugin".to_owned(), json!(plugin.as_str()));
        Ok((plugin, binding))
    }

    /// What only policies have.
    fn say_of_policy(
        &self,
        seat: &SeatName,
        binding: &mut Map<String, Value>,
    ) -> Result<(), Refusal> {
        let SeatName::Policy(name) = seat else {
            let role = self.role.map(|_| "role");
            let said = role.or(self.on_fault.map(|_| "onFault"));
            let refused = |field| Err(Refusal::field(field, "only a policy has it"));
            return said.map_or(Ok(()), refused);
        };
        binding.insert("name".to_owned(), json!(name));
        if let Some(role) = self.role {
            binding.insert("role".to_owned(), json!(role));
        }
        if let Some(on_fault) = self.on_fault {
            binding.insert("on_fault".to_owned(), json!(on_fault));
        }
        Ok(())
    }

    /// The keys that the request says something of; null removes one.
    fn said(
        &self,
        plugin: &PluginName,
        catalog: &Catalog,
    ) -> Result<Vec<(&'static str, Value)>, Refusal> {
        let resolve = |field: &str, text: &str| {
            let resolved = catalog.resolve(plugin, text);
            let version = resolved.map_err(|wrong| Refusal::field(field, wrong))?;
            Ok::<_, Refusal>(json!(version))
        };
        let mut said = Vec::new();
        if let Some(version) = &self.version {
            let version = version.as_deref();
            let version = version.map(|text| resolve("version", text)).transpose()?;
            said.push(("version", json!(version)));
        }
        if let Some(config) = &self.config {
            said.push(("config", json!(config)));
        }
        if let Some(deadline) = self.deadline {
            said.push(("deadline", period("deadline", deadline)?));
        }
        if let Some(share) = self.cpu_share {
            said.push(("cpu_share", json!(share)));
        }
        if let Some(alarm) = self.cpu_alarm {
            said.push(("cpu_alarm", json!(alarm)));
        }
        match &self.canary {
            Some(Some(WantedCanary { version, percent })) => {
                let version = resolve("canary.version", version)?;
                said.push(("canary", json!({ "version": version, "percent": percent })));
            }
            Some(None) => said.push(("canary", Value::Null)),
            None => {}
        }
        match &self.shadow {
            Some(Some(WantedShadow { version, sample })) => {
                let mut shadow = json!({ "version": resolve("shadow.version", version)? });
                if let Some(sample) = sample {
                    shadow["sample"] = json!(sample);
                }
                said.push(("shadow", shadow));
            }
            Some(None) => said.push(("shadow", Value::Null)),
            None => {}
        }
        Ok(said)
    }

    /// What comes to decide for all is tried beside nobody any more.
    fn leave_no_twin(&self, binding: &mut Map<String, Value>, own: Option<Digest>) {
        let decides = match &self.version {
            Some(Some(_)) => binding.get("version").cloned(),
            // The one that the plugin has.
            Some(None) => own.map(|own| json!(own)),
            None => return,
        };
        for (part, is_said) in [
            ("canary", self.canary.is_some()),
            ("shadow", self.shadow.is_some()),
        ] {
            let beside = binding.get(part).and_then(|one| one.get("version"));
            if !is_said && beside.is_some() && beside == decides.as_ref() {
                binding.remove(part);
            }
        }
    }

    /// The word for the change in the audit log.
    fn action(&self, before: Option<&Binding>) -> &'static str {
        let known = before.map(|binding| binding.plugin.as_str());
        let same_plugin = self.plugin.is_none() || self.plugin.as_deref() == known;
        let decides = self.version.is_some()
            || self.config.is_some()
            || self.deadline.is_some()
            || self.cpu_share.is_some()
            || self.cpu_alarm.is_some()
            || self.role.is_some()
            || self.on_fault.is_some();
        match (same_plugin && !decides, &self.canary, &self.shadow) {
            (true, Some(_), _) => "binding.canary",
            (true, None, Some(_)) => "binding.shadow",
            _ => "binding.activate",
        }
    }
}

/// Activate a version, or set what stands beside it.
///
/// What is left out stays while the plugin does; another plugin begins with an
/// empty configuration. `null` removes, and a version of `null` is the one that
/// the plugin has.
#[utoipa::path(
    put, path = "/api/bindings/{pool}/{role}", operation_id = "changeBinding", tag = "bindings",
    params(
        ("pool" = String, Path, description = "The pool; `-` for the router and policies", example = "web"),
        ("role" = String, Path, description = "`balancer`, `affinity`, `router` or `policy.NAME`", example = "balancer"),
        Expected,
    ),
    request_body = Wanted,
    responses(
        (status = OK, description = "It is so", body = Success<Outcome<Bound>>, headers(("ETag"))),
        NamedWithin, Body<Wanted>, Refusal, Expected,
    )
)]
pub(super) async fn put(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    NamedWithin(pool, role): NamedWithin,
    expected: Expected,
    Body(wanted): Body<Wanted>,
) -> Result<Response, Refusal> {
    let seat = SeatName::of_path(&pool, &role)?;
    let judged = Judged::first(&control, &seat, &wanted).await;
    let judged = judged.map_err(|refusal| blame(refusal, &seat))?;
    let warnings = judged.warning.clone().into_iter().collect();
    let (asked, place) = (Arc::clone(&control), seat.clone());
    let make = move |config: &Config| {
        let before = place.found(config)?;
        let key = place.key();
        let own = |plugin: &PluginName| own(&asked, config, plugin);
        let binding = wanted.over(&place, config, (&asked.catalog, own))?;
        judged.holds(&asked, config, (&place, &wanted), &binding)?;
        Ok(Change {
            action: wanted.action(before),
            target: target(&key.to_string(), &binding),
            edits: vec![Edit::Set(key, binding)],
        })
    };
    let changed = control.change(who, expected.0, make).await;
    let changed = changed.map_err(|refusal| blame(refusal, &seat))?;
    let described = Described::of(&control, &control.publisher.snapshot(), &seat);
    let bound = Bound {
        described,
        warnings,
    };
    Ok(outcome(&control, changed, StatusCode::OK, bound))
}

/// What is bound in a seat after a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangedBinding)]
struct Bound {
    #[serde(flatten)]
    described: Described,
    /// Why what decides now is no good, where `certify_balancers` only warns.
    warnings: Vec<String>,
}

/// The version that a plugin has.
fn own(control: &Control, config: &Config, plugin: &PluginName) -> Option<Digest> {
    let in_file = || control.catalog.newest_of_file(plugin);
    own_version(control, config, plugin).or_else(in_file)
}

/// What is wrong with the seat as a whole is wrong with the plugin that is to
/// sit there.
fn blame(refusal: Refusal, seat: &SeatName) -> Refusal {
    match refusal {
        Refusal::Wrong(errors) if errors.iter().any(|one| one.key == seat.key().to_string()) => {
            let told: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
            Refusal::field("plugin", told.join("\n"))
        }
        refusal => refusal,
    }
}

/// A binding in a few words, without its configuration.
fn target(key: &str, binding: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("its own").to_owned();
    let mut words = format!(
        "{key}: {} {}",
        text(&binding["plugin"]),
        text(&binding["version"])
    );
    for (part, share) in [("canary", "percent"), ("shadow", "sample")] {
        let beside = &binding[part];
        if !beside.is_null() {
            words += &format!(", {part} {} {}", text(&beside["version"]), beside[share]);
        }
    }
    words
}

/// Bind nothing there any more.
///
/// Every pool must have a balancer, and the gateway a router; a policy or an
/// affinity may go. A rollback brings it back.
#[utoipa::path(
    delete, path = "/api/bindings/{pool}/{role}", operation_id = "removeBinding", tag = "bindings",
    params(
        ("pool" = String, Path, description = "The pool; `-` for policies", example = "web"),
        ("role" = String, Path, description = "`affinity` or `policy.NAME`", example = "affinity"),
        Expected,
    ),
    responses(
        (status = OK, description = "It is so", body = Success<Outcome<Described>>, headers(("ETag"))),
        NamedWithin, Refusal, Expected,
    )
)]
pub(super) async fn remove(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    NamedWithin(pool, role): NamedWithin,
    expected: Expected,
) -> Result<Response, Refusal> {
    let seat = SeatName::of_path(&pool, &role)?;
    if matches!(seat, SeatName::Router | SeatName::Balancer(_)) {
        let message = format!("{seat} cannot be empty; bind another plugin there");
        return Err(Refusal::Conflict(message));
    }
    let place = seat.clone();
    let make = move |config: &Config| {
        place
            .found(config)?
            .ok_or_else(|| Refusal::NotFound(format!("nothing is bound at {place}")))?;
        Ok(Change {
            action: "binding.remove",
            target: place.key().to_string(),
            edits: vec![Edit::Remove(place.key())],
        })
    };
    let changed = control.change(who, expected.0, make).await?;
    Ok(answer(&control, changed, &seat))
}

/// Go back to what was bound before.
///
/// One step. What stands beside the version that decides ends with it.
#[utoipa::path(
    post, path = "/api/bindings/{pool}/{role}/rollback", operation_id = "rollBackBinding",
    tag = "bindings",
    params(
        ("pool" = String, Path, description = "The pool; `-` for the router and policies", example = "web"),
        ("role" = String, Path, description = "`balancer`, `affinity`, `router` or `policy.NAME`", example = "balancer"),
        Expected,
    ),
    responses(
        (status = OK, description = "It is so", body = Success<Outcome<Described>>, headers(("ETag"))),
        NamedWithin, Refusal, Expected,
    )
)]
pub(super) async fn back(
    State(control): State<Arc<Control>>,
    Extension(who): Extension<Who>,
    NamedWithin(pool, role): NamedWithin,
    expected: Expected,
) -> Result<Response, Refusal> {
    let seat = SeatName::of_path(&pool, &role)?;
    let (asked, place) = (Arc::clone(&control), seat.clone());
    let make = move |config: &Config| {
        place.found(config)?;
        asked.rollback(config, &place, place.key().to_string())
    };
    let changed = control.change_recorded(who, expected.0, make).await?;
    Ok(answer(&control, changed, &seat))
}

fn answer(control: &Control, changed: Changed, seat: &SeatName) -> Response {
    let described = Described::of(control, &control.publisher.snapshot(), seat);
    outcome(control, changed, StatusCode::OK, described)
}
