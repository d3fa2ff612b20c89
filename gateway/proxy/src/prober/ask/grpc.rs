//! gRPC's own health service, `grpc.health.v1.Health/Check`, as its specification
//! has it (github.com/grpc/grpc/blob/master/doc/health-checking.md).

use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use http::HeaderMap;
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};

use super::http2::{Address, converse};

const PATH: &str = "/grpc.health.v1.Health/Check";

/// The most that an answer may have: one that fits has a few bytes.
const LONGEST_ANSWER: usize = 4096;

/// Before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

#[derive(Clone, PartialEq, Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// What came of a call.
struct Answer {
    body: BytesMut,
    /// gRPC's own status, if one was told; 0 is success.
    code: Option<String>,
}

/// Ask whether a service is serving; the error says what it is instead.
pub(super) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    address: Address<'_>,
    service: &str,
) -> io::Result<()> {
    let request = address
        .request(PATH)
        .method("POST")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .map_err(io::Error::other)?;
    let message = framed(service);
    let answer = converse(stream, async |mut sender| {
        let (response, mut sending) = sender.send_request(request, false)?;
        sending.send_data(message, true)?;
        let (head, body) = response.await?.into_parts();
        read(&head.headers, body).await
    });
    judge(&answer.await?).map_err(io::Error::other)
}

fn framed(service: &str) -> Bytes {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let message = request.encode_to_vec();
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    framed.freeze()
}

async fn read(head: &HeaderMap, mut stream: RecvStream) -> Result<Answer, h2::Error> {
    let mut body = BytesMut::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        if body.len() + data.len() > LONGEST_ANSWER {
            return Err(h2::Reason::ENHANCE_YOUR_CALM.into());
        }
        body.extend_from_slice(&data);
    }
    // Where there is no message, the status stands in the head.
    let trailers = stream.trailers().await?;
    let told = trailers.as_ref().unwrap_or(head).get("grpc-status");
    let code = told.and_then(|code| code.to_str().ok());
    let code = code.map(str::to_owned);
    Ok(Answer { body, code })
}

fn judge(answer: &Answer) -> Result<(), String> {
    match answer.code.as_deref() {
        Some("0") => {}
        Some(code) => return Err(format!("{PATH} answered gRPC status {code}")),
        None => return Err(format!("{PATH} is not answered in gRPC")),
    }
    let message = answer.body.get(PREFIX..).unwrap_or_default();
    let status = HealthCheckResponse::decode(message).map(|response| response.status());
    match status {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(status) => Err(format!("{PATH} answered {status:?}")),
        Err(error) => Err(format!("{PATH} answered something else: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(code: Option<&str>, body: &[u8]) -> Result<(), String> {
        judge(&Answer {
            body: body.into(),
            code: code.map(str::to_owned),
        })
    }

    #[test]
    fn the_bytes_of_a_question_are_those_of_the_specification() {
        assert_eq!(framed(""), [0, 0, 0, 0, 0].as_slice());
        assert_eq!(framed("a.B"), b"\0\0\0\0\x05\x0a\x03a.B".as_slice());
    }

    #[test]
    fn only_serving_is_healthy() {
        assert_eq!(judged(Some("0"), &[0, 0, 0, 0, 2, 8, 1]), Ok(()));
        for (code, body) in [
            (Some("0"), &[0, 0, 0, 0, 2, 8, 2][..]),
            (Some("0"), &[0, 0, 0, 0, 0]),
            (Some("0"), &[0, 0, 0, 0, 2, 8]),
            (Some("0"), &[]),
            (Some("12"), &[]),
            (None, &[0, 0, 0, 0, 2, 8, 1]),
        ] {
            assert!(judged(code, body).is_err(), "{code:?} {body:?}");
        }
    }
}
