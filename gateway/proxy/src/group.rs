//! The sockets of one listener: bound afresh, or taken over from whoever has
//! listened there before, and dealt out to the workers.
//!
//! On TCP each worker has a socket of its own, and the kernel spreads connections
//! over them (SO_REUSEPORT). A Unix socket there is only one of to a path, and
//! what a service manager hands over is one socket too: each worker has a
//! duplicate of its descriptor, and whoever is first gets the connection.
//!
//! A group keeps every socket itself and gives workers duplicates. So all of them
//! can be handed to another process at any time, with the connections that wait
//! in their queues, whatever the workers do meanwhile.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use gatewright_model::address::Address;
use gatewright_model::config::Listener;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::http3::DatagramGroup;
use crate::inherited::{Inherited, InheritedDatagrams, Managed};
use crate::socket_file::SocketFile;

/// Connections that the kernel holds for a worker that is busy.
const BACKLOG: i32 = 1024;

/// What the kernel may hold for a client that has not been sent yet. Without a
/// limit it takes megabytes and then says nothing until a third of them has
/// gone: a client that reads slowly but steadily would seem to stand still. On
/// fast networks this much is always there to be sent next.
const MOST_UNSENT: u32 = 128 * 1024;

/// How many ports the system is asked for, at most, where it chooses one that is
/// to be free for UDP too.
const CHOICES: u32 = 16;

/// What connections are accepted from.
pub(crate) enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listening {
    /// The address with the port that the system chose; none of a Unix socket.
    fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(socket) => socket.try_clone().map(Self::Tcp),
            Self::Unix(socket) => socket.try_clone().map(Self::Unix),
        }
    }

    fn descriptor(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(socket) => socket.as_fd().try_clone_to_owned(),
            Self::Unix(socket) => socket.as_fd().try_clone_to_owned(),
        }
    }

    fn listen(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => SockRef::from(socket).listen(BACKLOG),
            Self::Unix(socket) => SockRef::from(socket).listen(BACKLOG),
        }
    }

    /// A socket that listens already.
    fn adopt(descriptor: OwnedFd) -> io::Result<Self> {
        let socket = SockRef::from(&descriptor);
        socket.set_nonblocking(true)?;
        if socket.domain()? == Domain::UNIX {
            return Ok(Self::Unix(descriptor.into()));
        }
        pass_options_on(&socket)?;
        Ok(Self::Tcp(descriptor.into()))
    }
}

/// What one worker accepts from.
pub(crate) struct Share {
    pub(crate) socket: Listening,
    /// This side's end of every connection, where it is known beforehand.
    pub(crate) end: Option<SocketAddr>,
}

/// What is listened on for one listener.
pub(crate) struct Group {
    sockets: Vec<Listening>,
    /// How many of them listen already; those after them do from [`Self::listen`] on.
    listening: usize,
    /// Whether every worker accepts from each of them.
    is_shared: bool,
    /// What a service manager knows them by, if one has made them.
    managed: Option<Managed>,
    /// The sockets for HTTP/3 beside them.
    pub(crate) datagrams: Option<DatagramGroup>,
    /// The file of a Unix socket that is this gateway's to remove.
    pub(crate) file: Option<SocketFile>,
}

impl Group {
    /// Bind a listener for so many workers.
    pub(crate) fn bind(listener: &Listener, workers: usize) -> io::Result<Self> {
        match &listener.listen {
            Address::Ip(address) => {
                let mut tries = 1..CHOICES;
                loop {
                    match Self::bind_ports(listener, *address, workers) {
                        // The system chose a port that is taken for UDP.
                        Err(error)
                            if error.kind() == io::ErrorKind::AddrInUse
                                && address.port() == 0
                                && tries.next().is_some() => {}
                        bound => return bound,
                    }
                }
            }
            Address::Unix(path) => {
                let (socket, file) = SocketFile::listen(path, listener.socket_mode, BACKLOG)?;
                Ok(Self {
                    sockets: vec![Listening::Unix(socket)],
                    listening: 1,
                    is_shared: true,
                    managed: None,
                    datagrams: None,
                    file: Some(file),
                })
            }
        }
    }

    fn bind_ports(listener: &Listener, address: SocketAddr, workers: usize) -> io::Result<Self> {
        let sockets = bind_group(address, workers)?.into_iter();
        let sockets: Vec<_> = sockets.map(Listening::Tcp).collect();
        let mut bound = Self {
            listening: sockets.len(),
            sockets,
            is_shared: false,
            managed: None,
            datagrams: None,
            file: None,
        };
        bound.datagrams = bound.datagrams_of(listener, None, workers)?;
        Ok(bound)
    }

    /// The sockets for HTTP/3 beside those for TCP, where it is spoken.
    fn datagrams_of(
        &self,
        listener: &Listener,
        inherited: Option<InheritedDatagrams>,
        workers: usize,
    ) -> io::Result<Option<DatagramGroup>> {
        let address = self.local_addr().filter(|_| listener.http3.is_some());
        let open = |address| match inherited {
            Some(inherited) => DatagramGroup::adopt(inherited, workers),
            None => DatagramGroup::bind(address, workers),
        };
        address.map(open).transpose()
    }

    /// Take over what listens already for a listener of so many workers. Where each
    /// worker has a socket of its own and there are too few, more are bound, which
    /// get no connection yet: it may not come to serving them. Where there are too
    /// many, some workers get several.
    pub(crate) fn adopt(
        listener: &Listener,
        inherited: Inherited,
        workers: usize,
    ) -> io::Result<Self> {
        let file = match &listener.listen {
            Address::Unix(path) if inherited.has_file => {
                Some(SocketFile::adopt(path, listener.socket_mode))
            }
            _ => None,
        };
        let managed = inherited.managed();
        let sockets = inherited.sockets.into_iter().map(Listening::adopt);
        let mut sockets: Vec<_> = sockets.collect::<Result<_, _>>()?;
        let listening = sockets.len();
        if let Some(address) = sockets.first().and_then(Listening::local_addr)
            && !inherited.is_shared
        {
            for _ in listening..workers {
                sockets.push(Listening::Tcp(bind_one(address, true)?.into()));
            }
        }
        let mut adopted = Self {
            sockets,
            listening,
            is_shared: inherited.is_shared,
            managed,
            datagrams: None,
            file,
        };
        adopted.datagrams = adopted.datagrams_of(listener, inherited.datagrams, workers)?;
        Ok(adopted)
    }

    /// Take connections on every socket from now on.
    pub(crate) fn listen(&mut self) -> io::Result<()> {
        for socket in self.sockets.iter().skip(self.listening) {
            socket.listen()?;
        }
        self.listening = self.sockets.len();
        Ok(())
    }

    /// The address with the port that the system chose; none of a Unix socket.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.sockets.first().and_then(Listening::local_addr)
    }

    /// Duplicates of what one of so many workers accepts from.
    pub(crate) fn share_of(&self, worker: usize, workers: usize) -> io::Result<Vec<Share>> {
        let sockets = self.sockets.iter().enumerate();
        let mine = sockets.filter(|(index, _)| self.is_shared || index % workers == worker);
        let end = self.known_end();
        mine.map(|(_, socket)| {
            let socket = socket.try_clone()?;
            Ok(Share { socket, end })
        })
        .collect()
    }

    /// This side's end of every connection: the address that the sockets are bound to,
    /// where that is no wildcard. One that a service manager has made may be given
    /// connections to other addresses, as a transparent proxy's is.
    fn known_end(&self) -> Option<SocketAddr> {
        let is_wildcard = |address: &SocketAddr| address.ip().to_canonical().is_unspecified();
        let address = self.local_addr().filter(|_| self.managed.is_none());
        address.filter(|address| !is_wildcard(address))
    }

    /// Duplicates of all of it, for the gateway after this one.
    pub(crate) fn lend(&self, listener: &Listener) -> io::Result<Inherited> {
        let sockets = self.sockets.iter().map(Listening::descriptor);
        let own = || Managed {
            name: listener.name.to_string(),
            address: listener.listen.to_string(),
        };
        let Managed { name, address } = self.managed.clone().unwrap_or_else(own);
        Ok(Inherited {
            name,
            address,
            is_of_manager: self.managed.is_some(),
            is_shared: self.is_shared,
            has_file: self.file.is_some(),
            sockets: sockets.collect::<Result<_, _>>()?,
            datagrams: self
                .datagrams
                .as_ref()
                .map(DatagramGroup::lend)
                .transpose()?,
        })
    }
}

/// One socket for each worker, all on the same address: the kernel spreads
/// connections over them.
fn bind_group(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // Alone first: within a group a second gateway of the same user could
        // join unnoticed and take a share of the connections.
        drop(bind_one(address, false)?);
    }
    let first = listen_on(address)?;
    let address = first.local_addr()?;
    let others = (1..workers).map(|_| listen_on(address));
    std::iter::once(Ok(first)).chain(others).collect()
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bind_one(address, true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // The unspecified IPv6 address serves IPv4 clients too.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    pass_options_on(&socket)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Accepted sockets inherit these, which saves system calls for each.
fn pass_options_on(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(MOST_UNSENT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gatewright_model::config::{Environment, parse};

    use super::*;

    #[test]
    fn a_group_shares_one_port_and_nobody_else_may_join() {
        let group = bind_group(SocketAddr::from(([127, 0, 0, 1], 0)), 3).unwrap();
        let address = group[0].local_addr().unwrap();
        assert!(group.iter().all(|one| one.local_addr().unwrap() == address));
        let second = bind_group(address, 3).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
    }

    fn listener() -> Listener {
        let text = "[[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\n\
                    [pools.web]\nservers = [\"127.0.0.1:1\"]";
        let config = parse(text, std::path::Path::new(""), &Environment::empty()).unwrap();
        let listener = &config.listeners[0];
        assert_eq!(listener.name, Arc::from("web"));
        listener.clone()
    }

    /// How many sockets each of so many workers has.
    fn shares(group: &Group, workers: usize) -> Vec<usize> {
        let share = |worker| group.share_of(worker, workers).unwrap().len();
        (0..workers).map(share).collect()
    }

    #[test]
    fn whatever_number_of_workers_comes_next_no_socket_is_without_one() {
        let listener = listener();
        for (before, after, dealt) in [
            (2, 2, vec![1, 1]),
            (1, 3, vec![1, 1, 1]),
            (5, 2, vec![3, 2]),
            (3, 1, vec![3]),
        ] {
            let group = Group::bind(&listener, before).unwrap();
            assert_eq!(shares(&group, before), vec![1; before]);
            let lent = group.lend(&listener).unwrap();
            let address = group.local_addr();
            let next = Group::adopt(&listener, lent, after).unwrap();
            assert_eq!(next.local_addr(), address);
            assert_eq!(shares(&next, after), dealt);
        }
    }

    #[test]
    fn a_socket_that_was_bound_in_addition_gets_no_connection_before_all_can_be_served() {
        let listener = listener();
        let group = Group::bind(&listener, 1).unwrap();
        let lent = group.lend(&listener).unwrap();
        let mut next = Group::adopt(&listener, lent, 3).unwrap();
        let listens = |group: &Group| -> Vec<bool> {
            let descriptors = group.sockets.iter().map(|one| one.descriptor().unwrap());
            descriptors
                .map(|one| SockRef::from(&one).is_listener().unwrap())
                .collect()
        };
        assert_eq!(listens(&next), [true, false, false]);
        next.listen().unwrap();
        assert_eq!(listens(&next), [true; 3]);
    }

    #[test]
    fn one_socket_of_a_service_manager_is_every_workers() {
        let listener = listener();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let inherited = Inherited::of_manager("outside".into(), socket.into()).unwrap();
        let managed = inherited.managed();
        let group = Group::adopt(&listener, inherited, 3).unwrap();
        assert_eq!(shares(&group, 3), [1, 1, 1]);
        let lent = group.lend(&listener).unwrap();
        assert_eq!(
            lent.managed(),
            managed,
            "it is one for the next gateway too"
        );
        let again = Group::adopt(&listener, lent, 2).unwrap();
        assert_eq!(shares(&again, 2), [1, 1]);
        assert_eq!((group.known_end(), again.known_end()), (None, None));
    }

    #[test]
    fn the_end_of_a_connection_is_known_where_it_can_be_only_one() {
        for (listen, is_known) in [("127.0.0.1:0", true), ("0.0.0.0:0", false)] {
            let address = listen.parse().unwrap();
            let group = Group::bind_ports(&listener(), address, 2).unwrap();
            let address = group.local_addr();
            assert!(address.is_some());
            assert_eq!(group.known_end(), address.filter(|_| is_known), "{listen}");
        }
    }
}
