//! `/api/metrics/history`: what was measured in the last quarter of an hour, as
//! charts take it, in columns.

use std::num::NonZeroU16;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::admin::asked::{Asked, must_be_there};
use crate::admin::envelope::{Failure, Success, success};
use crate::admin::metrics::{milliseconds, rounded};
use crate::change::Refusal;
use crate::control::Control;
use crate::series::{Past, Point, Span, Wanted};

/// How far back, and whose history.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::admin) struct Query {
    /// How many minutes back; 1 unless given.
    #[serde(default)]
    #[param(inline, required = false)]
    minutes: Minutes,
    /// A pool, with its servers.
    #[param(value_type = String, required = false)]
    pool: Option<String>,
    /// A server, `host:port`, in the pool that is named or else in all.
    #[param(value_type = String, required = false)]
    server: Option<String>,
    /// So many servers at most, those with the most requests first.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 65535)]
    top: Option<NonZeroU16>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
enum Minutes {
    #[default]
    #[serde(rename = "1")]
    One,
    #[serde(rename = "5")]
    Five,
    #[serde(rename = "15")]
    Fifteen,
}

impl From<Minutes> for Span {
    fn from(minutes: Minutes) -> Self {
        match minutes {
            Minutes::One => Self::Minute,
            Minutes::Five => Self::FiveMinutes,
            Minutes::Fifteen => Self::QuarterHour,
        }
    }
}

/// What was measured, in 60 points at most, oldest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct History {
    minutes: u32,
    /// How long a point is.
    period_seconds: u32,
    /// When each point ended, in seconds since 1970.
    time: Vec<f64>,
    /// All traffic as clients saw it; none where a pool or a server is named.
    total: Option<Columns>,
    pools: Vec<OfPool>,
    /// None where neither a pool nor a server is named.
    servers: Vec<OfServer>,
}

/// A column for each figure, as long as `time`; null where nothing is known.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = HistoryColumns)]
struct Columns {
    requests_per_second: Vec<Option<f64>>,
    /// Of all traffic, responses with a status of 500 or above; elsewhere,
    /// attempts that got such a response, or none.
    errors_per_second: Vec<Option<f64>>,
    /// The median of the response times in milliseconds, as those after it;
    /// null where nothing was answered.
    p50: Vec<Option<f64>>,
    p90: Vec<Option<f64>>,
    p99: Vec<Option<f64>>,
    /// Requests in flight when the point ended.
    active: Vec<Option<f64>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PoolHistory)]
struct OfPool {
    pool: String,
    #[serde(flatten)]
    columns: Columns,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServerHistory)]
struct OfServer {
    server_id: String,
    pool: String,
    #[serde(flatten)]
    columns: Columns,
}

/// Show the last quarter of an hour, or less of it.
///
/// A point for each second of the last minute, for each five seconds of the
/// last five minutes, or for each fifteen of the last fifteen. All traffic and
/// every pool, or one pool with its servers, or one server. The newest point
/// of a minute is what the stream has told last.
#[utoipa::path(
    get, path = "/api/metrics/history", operation_id = "showHistory", tag = "figures",
    params(Query),
    responses(
        (status = OK, description = "What was measured", body = Success<History>),
        (status = NOT_FOUND, description = "There is no such pool or server", body = Failure),
        Asked<Query>,
    )
)]
pub(in crate::admin) async fn history(
    State(control): State<Arc<Control>>,
    Asked(query): Asked<Query>,
) -> Result<Response, Refusal> {
    // One that is new has a history, if an empty one.
    let snapshot = control.publisher.snapshot();
    must_be_there(&snapshot, query.pool.as_deref(), query.server.as_deref())?;
    let span = Span::from(query.minutes);
    let past = control.series.past(&Wanted {
        span,
        pool: query.pool,
        server: query.server,
        top: query.top.map(|top| top.get().into()),
    });
    Ok(success(History::of(span, past)).into_response())
}

impl History {
    fn of(span: Span, past: Past) -> Self {
        let length = past.times.len();
        let columns = |points: Vec<Point>| Columns::of(&points, length);
        let pools = past.pools.into_iter().map(|(pool, points)| OfPool {
            pool: pool.to_string(),
            columns: columns(points),
        });
        let servers = past.servers.into_iter();
        let servers = servers.map(|((pool, id), points)| OfServer {
            server_id: id.to_string(),
            pool: pool.to_string(),
            columns: columns(points),
        });
        Self {
            minutes: span.minutes(),
            period_seconds: span.seconds(),
            time: past.times.iter().map(|at| at.0 as f64 / 1000.0).collect(),
            total: past.total.map(columns),
            pools: pools.collect(),
            servers: servers.collect(),
        }
    }
}

impl Columns {
    /// The newest point is the last of a column.
    fn of(points: &[Point], length: usize) -> Self {
        let unknown = length.saturating_sub(points.len());
        let column = |figure: &dyn Fn(&Point) -> Option<f64>| {
            let known = points.iter().map(figure);
            std::iter::repeat_n(None, unknown).chain(known).collect()
        };
        let number = |value: f32| Some(rounded(value.into()));
        let quantile = |which: usize| {
            column(&|point| {
                point
                    .quantiles()
                    .get(which)
                    .copied()
                    .flatten()
                    .map(milliseconds)
            })
        };
        Self {
            requests_per_second: column(&|point| number(point.requests_per_second)),
            errors_per_second: column(&|point| number(point.errors_per_second)),
            p50: quantile(0),
            p90: quantile(1),
            p99: quantile(2),
            active: column(&|point| number(point.active)),
        }
    }
}
