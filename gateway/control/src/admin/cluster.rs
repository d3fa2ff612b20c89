//! `/api/cluster`: whether this gateway is in one, how it stands with its server,
//! and which gateways there are.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use gatewright_cluster::{Heard, Standing};
use serde::Serialize;
use utoipa::ToSchema;

use super::envelope::{Success, success};
use crate::cluster::Cluster;
use crate::control::Control;
use crate::timestamp::Timestamp;

/// The cluster as this gateway sees it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Cluster)]
pub(super) struct Answer {
    /// Whether `[cluster]` is configured; everything else is empty where it is not.
    enabled: bool,
    /// Whether the server answers.
    connected: bool,
    /// Since when it does, or does not.
    since: Option<Timestamp>,
    /// Why it does not answer.
    why: Option<String>,
    /// The server's address, without user and password.
    #[schema(example = "redis://127.0.0.1:6379/0")]
    server: Option<String>,
    /// What every key there begins with.
    prefix: Option<String>,
    /// What this gateway is called.
    name: Option<String>,
    /// How many changes there were of the state that this gateway has.
    version: Option<u64>,
    /// What is wrong while the server answers, each in a sentence with the remedy.
    problems: Vec<String>,
    /// The gateways that there are, by name, and for some minutes those that fell
    /// silent; as was heard last, while the server is away.
    gateways: Vec<Shown>,
}

/// A gateway of the cluster.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ClusterGateway)]
struct Shown {
    name: String,
    /// Whether it is the one that answers.
    own: bool,
    /// The version of its program.
    program: String,
    /// Its admin listener.
    admin: String,
    started: Timestamp,
    /// When it said last that it is there.
    last_seen: Timestamp,
    /// Whether that was more than ten seconds ago: it ended without a word, or it or the
    /// one that answers does not reach the server. What is said of it is of then.
    silent: bool,
    /// Servers that are well, of all its pools.
    healthy: u64,
    /// Servers that are not.
    unhealthy: u64,
    /// The version of the state that it has.
    version: u64,
    /// The number of its configuration in force.
    generation: u64,
}

/// Show the cluster.
#[utoipa::path(
    get, path = "/api/cluster", operation_id = "showCluster", tag = "cluster",
    responses((status = OK, description = "The cluster as this gateway sees it", body = Success<Answer>))
)]
pub(super) async fn cluster(State(control): State<Arc<Control>>) -> Json<Success<Answer>> {
    let cluster = control.keeper.cluster.as_ref();
    let answer = cluster.map(|cluster| Answer::of(cluster, &control));
    success(answer.unwrap_or_default())
}

impl Answer {
    fn of(cluster: &Cluster, control: &Control) -> Self {
        let connection = &cluster.connection;
        let (connected, since, why) = match connection.standing() {
            Standing::Connected { since } => (true, since, None),
            Standing::Away { since, why } => (false, since, Some(why.to_string())),
        };
        let own = Heard::now(cluster.member(control));
        let others = cluster.gateways().into_iter();
        let others = others.filter(|one| one.member.name != own.member.name);
        let mut gateways: Vec<_> = others.map(|one| Shown::of(one, false)).collect();
        gateways.push(Shown::of(own, true));
        gateways.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self {
            enabled: true,
            connected,
            since: Some(since.into()),
            why,
            server: Some(connection.address().to_owned()),
            prefix: Some(connection.prefix().to_owned()),
            name: Some(connection.name().to_owned()),
            version: Some(cluster.revision().map_or(0, |revision| revision.version)),
            problems: cluster.problems(),
            gateways,
        }
    }
}

impl Shown {
    fn of(heard: Heard, own: bool) -> Self {
        let silent = heard.is_silent();
        let seen = SystemTime::now().checked_sub(heard.at.elapsed());
        let member = heard.member;
        Self {
            name: member.name,
            own,
            program: member.program,
            admin: member.admin,
            started: Timestamp(member.started),
            last_seen: seen.unwrap_or(SystemTime::UNIX_EPOCH).into(),
            silent,
            healthy: member.healthy,
            unhealthy: member.unhealthy,
            version: member.version,
            generation: member.generation,
        }
    }
}
