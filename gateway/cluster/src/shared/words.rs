//! How what is shared is put for the script, and how its answer is read.

use std::str::FromStr;
use std::sync::Arc;

use gatewright_model::shared::{Ask, Change, Content, Deed, Granted, Leased, Met, Record};
use redis::{FromRedisValue, ParsingError, ScriptInvocation, Value};

use super::News;

/// What the script answers.
pub(super) struct Reply {
    clock_ms: u64,
    pub(super) epoch: String,
    gateways: u32,
    have_read: u64,
    is_new: bool,
    pub(super) upto: u64,
    has_more: bool,
    leased: Vec<String>,
    records: Vec<Vec<u8>>,
    unreadable: usize,
}

impl FromRedisValue for Reply {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        type Parts = (
            u64,
            String,
            u32,
            u64,
            bool,
            u64,
            bool,
            Vec<String>,
            Vec<Vec<u8>>,
            usize,
        );
        let parts: Parts = redis::from_redis_value(value)?;
        let (clock_ms, epoch, gateways, have_read, is_new, upto, has_more, ..) = parts;
        let (.., leased, records, unreadable) = parts;
        Ok(Self {
            clock_ms,
            epoch,
            gateways,
            have_read,
            is_new,
            upto,
            has_more,
            leased,
            records,
            unreadable,
        })
    }
}

/// Put changes as arguments.
pub(super) fn tell(changes: &[Change], call: &mut ScriptInvocation<'_>) {
    for Change { field, deed } in changes {
        match deed {
            Deed::Write(record) => {
                call.arg("w").arg(field).arg(record.stamp);
                call.arg(record.expires.unwrap_or(0));
                write(&record.content, call);
            }
            Deed::Add {
                stamp,
                expires,
                delta,
            } => {
                call.arg("a").arg(field).arg(*stamp);
                call.arg(expires.unwrap_or(0)).arg(*delta);
            }
            Deed::Lease(Ask {
                per_second,
                burst,
                debit,
                lacked,
                used,
                held,
            }) => {
                call.arg("l").arg(field).arg(*per_second).arg(*burst);
                call.arg(*debit).arg(*lacked).arg(*used).arg(*held);
            }
        }
    }
}

/// Put the kind and the content.
fn write(content: &Content, call: &mut ScriptInvocation<'_>) {
    match content {
        Content::Bytes(bytes) => call.arg("B").arg(bytes.as_slice()),
        Content::Number(number) => call.arg("N").arg(*number),
        Content::Removed => call.arg("X").arg(""),
        Content::Session {
            endpoint,
            idle_ms,
            created_ms,
        } => call
            .arg("S")
            .arg(format!("{idle_ms} {created_ms} {endpoint}")),
        Content::Bucket { level, at_ms, born } => {
            call.arg("L").arg(format!("{level} {at_ms} {born}"))
        }
    };
}

/// What an answer says, to who may have more to tell or not. What cannot be read is left
/// out, and counted: another version of the gateway may have written it.
pub(super) fn news(reply: &Reply, is_behind: bool) -> News {
    let leased = reply.leased.chunks_exact(2);
    let mut unreadable = reply.unreadable;
    let mut records = Vec::with_capacity(reply.records.len() / 2);
    // What has gone since it changed is empty.
    let there = reply.records.chunks_exact(2);
    for pair in there.filter(|pair| !pair[1].is_empty()) {
        match (std::str::from_utf8(&pair[0]), record(&pair[1])) {
            (Ok(field), Some(record)) => records.push((field.to_owned(), record)),
            _ => unreadable += 1,
        }
    }
    News {
        met: Met {
            clock_ms: reply.clock_ms,
            gateways: reply.gateways,
            have_read: reply.have_read,
        },
        is_new: reply.is_new,
        has_more: reply.has_more,
        is_behind,
        leased: leased
            .filter_map(|pair| Some((pair[0].clone(), granted(&pair[1])?)))
            .collect(),
        records,
        unreadable,
    }
}

fn granted(text: &str) -> Option<Leased> {
    let mut words = text.split(' ');
    Some(Leased {
        granted: Granted {
            tokens: next(&mut words)?,
            level: next(&mut words)?,
            room: next(&mut words)?,
            born: next(&mut words)?,
        },
        expires: next(&mut words)?,
    })
}

fn next<'a, T: FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Option<T> {
    words.next()?.parse().ok()
}

fn record(bytes: &[u8]) -> Option<Record> {
    let mut parts = bytes.splitn(4, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(parts.next()?).ok();
    let (stamp, expires, kind) = (text()?.parse().ok()?, text()?.parse().ok()?, text()?);
    let content = content(kind, parts.next()?)?;
    Some(Record {
        stamp,
        expires: (expires > 0).then_some(expires),
        content,
    })
}

fn content(kind: &str, bytes: &[u8]) -> Option<Content> {
    let text = || std::str::from_utf8(bytes).ok();
    Some(match kind {
        "B" => Content::Bytes(Arc::new(bytes.to_vec())),
        "N" => Content::Number(text()?.parse().ok()?),
        "X" => Content::Removed,
        "S" => {
            let mut words = text()?.splitn(3, ' ');
            Content::Session {
                idle_ms: next(&mut words)?,
                created_ms: next(&mut words)?,
                endpoint: next(&mut words)?,
            }
        }
        "L" => {
            let mut words = text()?.split(' ');
            Content::Bucket {
                level: next(&mut words)?,
                at_ms: next(&mut words)?,
                born: next(&mut words)?,
            }
        }
        _ => return None,
    })
}
