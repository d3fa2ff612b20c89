//! The file of a recording: JSON Lines, a [`Header`], then a [`Line`] for each
//! call, and an `End`. Numbers are integers of up to 64 bits.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright_model::pool::MAX_SLOTS;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::binding::Binding;
use crate::contract::imports::types;

/// The version of the format; another one is refused.
pub const FORMAT: u32 = 1;

/// What the header's line is known by.
const KIND: &str = "gatewright-recording";

/// The most workers of a recording: each is an instance of a candidate.
const MOST_WORKERS: usize = 1024;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// `gatewright-recording`.
    pub kind: String,
    /// [`FORMAT`].
    pub format: u32,
    /// The pool whose balancer it is.
    pub pool: String,
    /// The plugin.
    pub plugin: String,
    /// The version's digest.
    pub version: String,
    /// What it is configured with.
    pub config: Value,
    /// The share of decisions that was recorded, in percent.
    pub sample: u8,
    /// How many workers there are, each with an instance of its own.
    pub workers: usize,
}

/// One call of one worker's instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The worker.
    pub worker: usize,
    /// When it was over, in nanoseconds on the gateway's clock.
    pub at_ns: u64,
    /// What was called, with its arguments and its answer.
    #[serde(flatten)]
    pub call: Call,
    /// What the plugin asked the gateway meanwhile, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
}

/// What a plugin is called for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
pub enum Call {
    /// A new instance is configured, as the header says.
    Configure,
    /// It is told the pool's members.
    Update {
        /// All of them.
        endpoints: Vec<Member>,
    },
    /// It is told who may take new work.
    Eligible {
        /// Their slots.
        slots: Vec<u32>,
    },
    /// It is handed what its predecessor learned.
    Restore {
        /// The state's schema.
        schema: u32,
        /// The state.
        #[serde(serialize_with = "encoded", deserialize_with = "decoded")]
        state: Vec<u8>,
    },
    /// It hears how attempts ended.
    Observe {
        /// How.
        outcomes: Vec<Heard>,
    },
    /// It decides.
    Pick(Pick),
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// The hash of what the pool hashes by.
    pub key: u64,
    /// Which attempt of the request it is, from 1.
    pub attempt: u32,
    /// The slots that earlier attempts used.
    pub tried: Vec<u32>,
    /// Active requests by slot; 4,294,967,295 where the attempt may not go.
    pub load: Vec<u32>,
    /// Response times on the worker by slot, in microseconds; 0 for none yet.
    pub times: Vec<u32>,
    /// The slot that it answered; none for no opinion.
    pub answer: Option<u32>,
    /// Why there is no answer, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// A question to the gateway: the function, its arguments, the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked(pub String, pub Value, pub Value);

/// A member of the pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its place in the pool.
    pub slot: u32,
    /// Its stable name.
    pub id: String,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its weight.
    pub weight: u32,
    /// Its labels.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// The endpoint's slot.
    pub slot: u32,
    /// How.
    pub ending: HeardEnding,
    /// The response's status; 0 for none.
    pub status: u16,
    /// Until the response's head, in microseconds.
    pub first_byte_us: u32,
    /// Until its end, in microseconds.
    pub duration_us: u32,
}

/// The contract's `ending`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeardEnding {
    /// A whole response came.
    Completed,
    /// There was no connection.
    ConnectFailed,
    /// It broke off.
    Broken,
    /// It took too long.
    TimedOut,
    /// The client left.
    Abandoned,
}

/// Why a file is no recording that can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The first line is something else.
    #[error("it is no recording: the first line is not the header of one")]
    NotOne,
    /// It was written by another version of the gateway.
    #[error("its format is {0}, and this program reads {FORMAT}; record it again")]
    Format(u32),
    /// A line makes no sense.
    #[error(
        "line {line}: {reason}; a recording that was edited cannot be replayed: record it again"
    )]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// The last line, so that a file that was cut is known.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// How many lines of calls are before it.
    pub(super) end: usize,
}

/// What a file holds, the lines in the order of their time.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// What is recorded.
    pub header: Header,
    /// All calls.
    pub lines: Vec<Line>,
    /// Whether it ends as it was written to; else some of it is missing.
    pub is_whole: bool,
}

/// Read a file.
///
/// # Errors
///
/// When it is no recording of this format.
pub fn read(text: &str) -> Result<Recorded, RecordingError> {
    let mut rest = text.lines().enumerate();
    let first = rest.next().map(|(_, line)| line).unwrap_or_default();
    let said: Value = serde_json::from_str(first).unwrap_or_default();
    if said["kind"] != KIND {
        return Err(RecordingError::NotOne);
    }
    match said["format"].as_u64() {
        Some(format) if format == u64::from(FORMAT) => {}
        format => {
            let format = format.and_then(|format| format.try_into().ok());
            return Err(RecordingError::Format(format.unwrap_or(0)));
        }
    }
    let header: Header = serde_json::from_value(said).map_err(|_| RecordingError::NotOne)?;
    let mut rest: Vec<_> = rest.filter(|(_, line)| !line.is_empty()).collect();
    let last = rest.last().map(|(_, line)| *line).unwrap_or_default();
    let end: Option<End> = serde_json::from_str(last).ok();
    // A file that was cut often is within a line.
    if end.is_some() || serde_json::from_str::<IgnoredAny>(last).is_err() {
        rest.pop();
    }
    let is_whole = end.is_some_and(|End { end }| end == rest.len());
    let lines = rest.into_iter().map(|(number, line)| {
        let read = serde_json::from_str(line).and_then(|line| possible(line, &header));
        read.map_err(|error| RecordingError::Line {
            line: number + 1,
            reason: unplaced(&error),
        })
    });
    let mut lines: Vec<Line> = lines.collect::<Result<_, _>>()?;
    lines.sort_by_key(|line| line.at_ns);
    Ok(Recorded {
        header,
        lines,
        is_whole,
    })
}

/// What is wrong with a line, without where: there it is line 1 of 1.
fn unplaced(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).unwrap_or(&message).to_owned()
}

/// A line of a gateway that could be: what is made ready for its workers and slots
/// is bounded.
fn possible(line: Line, header: &Header) -> Result<Line, serde_json::Error> {
    let widest = match &line.call {
        Call::Update { endpoints } => endpoints.iter().map(|member| member.slot).max(),
        Call::Eligible { slots } => slots.iter().copied().max(),
        _ => None,
    };
    let wrong = match widest {
        Some(slot) if slot as usize >= MAX_SLOTS => format!("there is no slot {slot}"),
        _ if line.worker >= header.workers.min(MOST_WORKERS) => {
            format!("there is no worker {}", line.worker)
        }
        _ => return Ok(line),
    };
    Err(serde::de::Error::custom(wrong))
}

impl Header {
    pub(super) fn of(binding: &Binding, sample: u8, workers: usize) -> Self {
        let pool = binding.pool().map(ToString::to_string);
        Self {
            kind: KIND.to_owned(),
            format: FORMAT,
            pool: pool.unwrap_or_default(),
            plugin: binding.plugin().to_string(),
            version: binding.version().to_string(),
            config: serde_json::from_str(&binding.terms.config).unwrap_or_default(),
            sample,
            workers,
        }
    }
}

impl Member {
    pub(crate) fn of(endpoint: &gatewright_model::endpoint::Endpoint) -> Self {
        let labels = endpoint.labels.iter();
        Self {
            slot: endpoint.slot().0,
            id: endpoint.id.to_string(),
            host: endpoint.host.to_string(),
            port: endpoint.port,
            weight: endpoint.weight.into(),
            labels: labels
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }
}

impl From<&Member> for types::Endpoint {
    fn from(member: &Member) -> Self {
        Self {
            slot: member.slot,
            id: member.id.clone(),
            host: member.host.clone(),
            port: member.port,
            weight: member.weight,
        }
    }
}

impl From<&types::Outcome> for Heard {
    fn from(outcome: &types::Outcome) -> Self {
        Self {
            slot: outcome.slot,
            ending: match outcome.ending {
                types::Ending::Completed => HeardEnding::Completed,
                types::Ending::ConnectFailed => HeardEnding::ConnectFailed,
                types::Ending::Broken => HeardEnding::Broken,
                types::Ending::TimedOut => HeardEnding::TimedOut,
                types::Ending::Abandoned => HeardEnding::Abandoned,
            },
            status: outcome.status,
            first_byte_us: outcome.first_byte_us,
            duration_us: outcome.duration_us,
        }
    }
}

impl From<&Heard> for types::Outcome {
    fn from(heard: &Heard) -> Self {
        Self {
            slot: heard.slot,
            ending: match heard.ending {
                HeardEnding::Completed => types::Ending::Completed,
                HeardEnding::ConnectFailed => types::Ending::ConnectFailed,
                HeardEnding::Broken => types::Ending::Broken,
                HeardEnding::TimedOut => types::Ending::TimedOut,
                HeardEnding::Abandoned => types::Ending::Abandoned,
            },
            status: heard.status,
            first_byte_us: heard.first_byte_us,
            duration_us: heard.duration_us,
        }
    }
}

fn encoded<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn decoded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests;
