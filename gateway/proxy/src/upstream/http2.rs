//! HTTP/2 to servers: few connections, each with many streams.

mod body;
mod conversation;
mod session;

pub(crate) use body::StreamBody;
pub(crate) use conversation::OnStream;
pub(crate) use session::{Sent, Session, Unsent, is_refused, is_unprocessed};
