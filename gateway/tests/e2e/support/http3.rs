//! A client of HTTP/3, by the same libraries that the gateway is made of, and its
//! UDP socket.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use h3::client::{RequestStream, SendRequest};
use h3::error::{ConnectionError, StreamError};
use h3_quinn::{BidiStream, OpenStreams};
use http::{HeaderMap, Request, Response};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Connecting, Endpoint, TransportConfig};
use tokio::task::JoinHandle;

use super::eventually::soon;
use super::gateway::Gateway;
use super::tls::{Certified, Hello};

/// The stream of one request.
pub(crate) type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

/// A connection.
pub(crate) struct Http3 {
    pub(crate) endpoint: Endpoint,
    pub(crate) quic: quinn::Connection,
    sender: SendRequest<OpenStreams, Bytes>,
    driver: JoinHandle<ConnectionError>,
}

impl Http3 {
    /// Connect to a gateway's second listener.
    pub(crate) async fn to(gateway: &Gateway) -> Self {
        let connected = Self::showing(gateway.tls_address(), None).await;
        connected.expect("a connection")
    }

    /// Connect, with a certificate to show; an error when the gateway refuses.
    pub(crate) async fn showing(
        address: SocketAddr,
        certified: Option<&Certified>,
    ) -> Result<Self, quinn::ConnectionError> {
        Self::over(&dialling(certified, TransportConfig::default()), address).await
    }

    /// Connect, with room for so many bytes of each answer and for all of them
    /// together that are not read.
    pub(crate) async fn with_room(address: SocketAddr, of_one: u32, of_all: u32) -> Self {
        let endpoint = dialling(None, room(of_one, of_all));
        let connected = Self::over(&endpoint, address).await;
        connected.expect("a connection")
    }

    async fn over(
        endpoint: &Endpoint,
        address: SocketAddr,
    ) -> Result<Self, quinn::ConnectionError> {
        let quic = soon("a handshake", dial(endpoint, address)).await?;
        let transport = h3_quinn::Connection::new(quic.clone());
        let client = soon("HTTP/3", h3::client::new(transport)).await;
        let Ok((mut connection, sender)) = client else {
            return Err(quic.close_reason().expect("a reason"));
        };
        let driver =
            tokio::spawn(async move { std::future::poll_fn(|cx| connection.poll_close(cx)).await });
        Ok(Self {
            endpoint: endpoint.clone(),
            quic,
            sender,
            driver,
        })
    }

    /// Begin a request.
    pub(crate) async fn begin(&mut self, request: Request<()>) -> Result<Stream, StreamError> {
        soon("a stream", self.sender.send_request(request)).await
    }

    /// Send a request without a body and read its answer.
    pub(crate) async fn send(
        &mut self,
        request: Request<()>,
    ) -> Result<Response<Bytes>, StreamError> {
        let mut stream = self.begin(request).await?;
        stream.finish().await?;
        answer(&mut stream).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response<Bytes> {
        self.send(get(path)).await.expect("an answer")
    }

    /// Whether a request of these bytes is answered with 200.
    pub(crate) async fn is_served(&self, request: &[u8]) -> bool {
        let (mut sending, mut receiving) = self.quic.open_bi().await.expect("a stream");
        sending.write_all(request).await.expect("it goes");
        // The gateway may have seen enough already.
        let _ = sending.finish();
        let read = soon("an end", receiving.read_to_end(4096)).await;
        // The first field of a head is the status, by its place in QPACK's table.
        read.is_ok_and(|read| read.iter().take(6).any(|byte| *byte == 0xc0 | 25))
    }

    /// Wait for the end of the connection.
    pub(crate) async fn closed(self) -> ConnectionError {
        soon("the end", self.driver).await.expect("the driver ends")
    }

    /// From now on from another port, as behind a router that has forgotten.
    pub(crate) fn move_on(&self) {
        let socket = UdpSocket::bind(any_port()).expect("a UDP socket");
        self.endpoint.rebind(socket).expect("another socket");
    }
}

/// Who connects to gateways.
pub(crate) fn dialling(certified: Option<&Certified>, transport: TransportConfig) -> Endpoint {
    let hello = Hello {
        name: "localhost",
        offered: &["h3"],
        certified,
    };
    let crypto = QuicClientConfig::try_from(hello.config()).expect("a cipher for QUIC");
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client(any_port()).expect("a UDP socket");
    endpoint.set_default_client_config(config);
    endpoint
}

/// Begin a connection by which nothing of HTTP/3 is said.
pub(crate) fn dial(endpoint: &Endpoint, address: SocketAddr) -> Connecting {
    let connecting = endpoint.connect(address, "localhost");
    connecting.expect("an address")
}

/// Room for so many bytes of each stream, and of all together, that are not read.
pub(crate) fn room(of_one: u32, of_all: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(of_one.into())
        .receive_window(of_all.into());
    transport
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A head of these fields, as a frame with each of them spelt out (RFC 9204 §4.5.6).
pub(crate) fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = vec![0, 0];
    for (name, value) in fields {
        match name.len() {
            length @ ..7 => block.push(0x20 | length as u8),
            length => block.extend_from_slice(&[0x27, length as u8 - 7]),
        }
        block.extend_from_slice(name.as_bytes());
        block.push(value.len() as u8);
        block.extend_from_slice(value.as_bytes());
    }
    // A length of two bytes.
    let mut frame = vec![0x01, 0x40 | (block.len() >> 8) as u8, block.len() as u8];
    frame.append(&mut block);
    frame
}

/// A request for a path.
pub(crate) fn get(path: &str) -> Request<()> {
    let request = Request::get(format!("https://localhost{path}"));
    request.body(()).expect("a request")
}

/// The whole of an answer, whose trailers come as its extension.
pub(crate) async fn answer(stream: &mut Stream) -> Result<Response<Bytes>, StreamError> {
    let response = soon("a head", stream.recv_response()).await?;
    let mut body = BytesMut::new();
    while let Some(mut piece) = soon("a piece", stream.recv_data()).await? {
        body.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
    }
    let trailers = soon("the end", stream.recv_trailers()).await?;
    let mut response = response.map(|()| body.freeze());
    response
        .extensions_mut()
        .insert::<Option<HeaderMap>>(trailers);
    Ok(response)
}
