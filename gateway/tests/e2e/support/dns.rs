//! A name server: one that answers for the zone `internal.`, over UDP and TCP,
//! and one that answers with rubbish.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::proto::rr::rdata::{SOA, SRV};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinHandle;

/// The zone.
const ZONE: &str = "internal.";

/// How long answers of the zone hold, in seconds.
const TTL: u32 = 1;

/// Room for the answers of one connection.
const ANSWERS: usize = 16;

/// A running name server. It stops when it is dropped.
pub(crate) struct NameServer {
    address: SocketAddr,
    zone: Arc<InMemoryZoneHandler>,
    server: Server<Catalog>,
}

impl NameServer {
    /// One on a free port, whose zone has nothing yet.
    pub(crate) async fn start() -> Self {
        loop {
            let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
            let udp = UdpSocket::bind(any_port).await.expect("a free port");
            let address = udp.local_addr().expect("it is bound");
            // Another may have the same port for TCP.
            if let Ok(tcp) = TcpListener::bind(address).await {
                return Self::on(udp, tcp, Self::empty());
            }
        }
    }

    fn empty() -> Arc<InMemoryZoneHandler> {
        let mut zone = InMemoryZoneHandler::empty(name(ZONE), ZoneType::Primary, AxfrPolicy::Deny);
        let soa = SOA::new(
            name("ns.internal."),
            name("ops.internal."),
            1,
            60,
            60,
            60,
            TTL,
        );
        let soa = Record::from_rdata(name(ZONE), TTL, RData::SOA(soa));
        assert!(zone.upsert_mut(soa, 1));
        Arc::new(zone)
    }

    fn on(udp: UdpSocket, tcp: TcpListener, zone: Arc<InMemoryZoneHandler>) -> Self {
        let address = udp.local_addr().expect("it is bound");
        let mut catalog = Catalog::new();
        catalog.upsert(name(ZONE).into(), vec![Arc::clone(&zone) as _]);
        let mut server = Server::new(catalog);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(10), ANSWERS);
        Self {
            address,
            zone,
            server,
        }
    }

    /// Where it is asked.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Have a host at exactly these addresses.
    pub(crate) async fn host(&self, host: &str, addresses: &[IpAddr]) {
        let data = addresses.iter().map(|address| RData::from(*address));
        self.put(host, &[RecordType::A, RecordType::AAAA], data)
            .await;
    }

    /// Have a service with exactly these targets: priority, weight, port, host.
    pub(crate) async fn service(&self, service: &str, targets: &[(u16, u16, u16, &str)]) {
        let data = targets.iter().map(|(priority, weight, port, host)| {
            RData::SRV(SRV::new(*priority, *weight, *port, name(host)))
        });
        self.put(service, &[RecordType::SRV], data).await;
    }

    async fn put(&self, owner: &str, kinds: &[RecordType], data: impl Iterator<Item = RData>) {
        let owner = name(owner);
        {
            let mut records = self.zone.records_mut().await;
            records.retain(|key, _| {
                Name::from(key.name.clone()) != owner || !kinds.contains(&key.record_type)
            });
        }
        for data in data {
            let record = Record::from_rdata(owner.clone(), TTL, data);
            self.zone.upsert(record, 1).await;
        }
    }

    /// End it, and have somebody answer with rubbish where it was.
    pub(crate) async fn talk_rubbish(self) -> Rubbish {
        let (address, zone) = self.stop().await;
        let udp = UdpSocket::bind(address).await.expect("the port of before");
        let talking = tokio::spawn(async move {
            let mut asked = [0; 512];
            while let Ok((length, from)) = udp.recv_from(&mut asked).await {
                // The question's own number, and nonsense behind it.
                let length = length.min(2);
                let answer = [&asked[..length], &[0xff; 40]].concat();
                let _ = udp.send_to(&answer, from).await;
            }
        });
        Rubbish {
            address,
            zone,
            talking,
        }
    }

    /// End it; what it had can be served again.
    pub(crate) async fn stop(mut self) -> Stopped {
        self.server.shutdown_gracefully().await.expect("it ends");
        (self.address, self.zone)
    }

    /// One where another was before, with what that had.
    pub(crate) async fn again((address, zone): Stopped) -> Self {
        let udp = UdpSocket::bind(address).await.expect("the port of before");
        let tcp = TcpListener::bind(address)
            .await
            .expect("the port of before");
        Self::on(udp, tcp, zone)
    }
}

/// What is left of a name server.
pub(crate) type Stopped = (SocketAddr, Arc<InMemoryZoneHandler>);

/// Somebody who answers with rubbish.
pub(crate) struct Rubbish {
    address: SocketAddr,
    zone: Arc<InMemoryZoneHandler>,
    talking: JoinHandle<()>,
}

impl Rubbish {
    /// End it.
    pub(crate) async fn stop(self) -> Stopped {
        self.talking.abort();
        let _ = self.talking.await;
        (self.address, self.zone)
    }
}

fn name(text: &str) -> Name {
    let mut name: Name = text.parse().expect("a name");
    name.set_fqdn(true);
    name
}
