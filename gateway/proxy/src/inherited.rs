//! Sockets that listen already when a gateway starts: a service manager has made
//! them, or the gateway before this one hands them on. Each belongs to the
//! listener that it was made for, by its name or its address. A service manager's
//! stays one from gateway to gateway, so that an upgrade deals with it as a restart
//! would.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use gatewright_model::address::UNIX;
use socket2::{SockRef, Socket, Type};

/// What listens already at one address: one socket, or a group of them.
#[derive(Debug)]
pub struct Inherited {
    /// The name of the listener that it is for, or what a service manager calls it.
    pub name: String,
    /// Where it listens: as a configuration writes it, which may leave the port to
    /// the system; of a service manager's, where in fact.
    pub address: String,
    /// Whether a service manager has made it, and holds it open: its name alone says
    /// whose it is, and somebody must accept from it.
    pub is_of_manager: bool,
    /// Whether every worker accepts from each of the sockets; otherwise each worker
    /// has some of its own, and more of them may be bound at the address.
    pub is_shared: bool,
    /// Whether the gateway made the file of a Unix socket, and removes it in the end.
    pub has_file: bool,
    /// The sockets; there is one at least.
    pub sockets: Vec<OwnedFd>,
    /// The sockets for HTTP/3 beside them.
    pub datagrams: Option<InheritedDatagrams>,
}

/// What the gateway before this one receives HTTP/3 on at one address, and how it
/// is passed what comes for its connections still.
#[derive(Debug)]
pub struct InheritedDatagrams {
    /// Which one it is in a row of upgrades.
    pub generation: u8,
    /// What connections are ended by that nobody knows any more.
    pub reset_key: ResetKey,
    /// The UDP sockets.
    pub sockets: Vec<OwnedFd>,
    /// The sending ends of the Unix sockets by which it is passed more, and those
    /// before it that drain still: the generation of each, and one for each of the
    /// sockets that it had.
    pub relays: Vec<(u8, Vec<OwnedFd>)>,
}

/// Secret bytes that the tokens of stateless resets are made of (RFC 9000 §10.3.2).
#[derive(Clone, Copy)]
pub struct ResetKey(pub [u8; 32]);

impl fmt::Debug for ResetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetKey")
    }
}

impl Inherited {
    /// What a service manager has made: one socket, whose file is not ours.
    ///
    /// # Errors
    ///
    /// When it is none that accepts streams.
    pub fn of_manager(name: String, socket: OwnedFd) -> io::Result<Self> {
        let options = SockRef::from(&socket);
        let address = real_address(&options);
        if options.r#type()? != Type::STREAM || !options.is_listener()? || address.is_none() {
            let error = "it is no stream socket that listens at an address";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
        Ok(Self {
            name,
            address: address.unwrap_or_default(),
            is_of_manager: true,
            is_shared: true,
            has_file: false,
            sockets: vec![socket],
            datagrams: None,
        })
    }

    /// What a service manager knows it by, if one has made it.
    pub fn managed(&self) -> Option<Managed> {
        self.is_of_manager.then(|| Managed {
            name: self.name.clone(),
            address: self.address.clone(),
        })
    }

    /// The address where it listens in fact.
    fn real_address(&self) -> Option<String> {
        real_address(&SockRef::from(self.sockets.first()?))
    }
}

/// What a service manager knows a socket by that it has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Managed {
    /// What it calls the socket.
    pub name: String,
    /// Where that listens.
    pub address: String,
}

fn real_address(socket: &Socket) -> Option<String> {
    let address = socket.local_addr().ok()?;
    Some(match address.as_pathname() {
        Some(path) => format!("{UNIX}{}", path.display()),
        None => address.as_socket()?.to_string(),
    })
}

/// All that listens already, until its listeners have taken it.
#[derive(Debug, Default)]
pub struct Inheritance {
    left: Vec<Inherited>,
}

impl Inheritance {
    /// All of this. A service manager's sockets are for the listeners that they are
    /// named after, wherever they listen, and each must have one. What the gateway
    /// before this one has made and is not wanted any more is let go of once that
    /// has ended.
    pub fn of(sockets: Vec<Inherited>) -> Self {
        Self { left: sockets }
    }

    /// What belongs to each of these listeners, by their names and addresses.
    pub fn take(&mut self, wanted: &[(&str, &str)]) -> Vec<Option<Inherited>> {
        let mut taken: Vec<_> = wanted.iter().map(|_| None).collect();
        // The surest first, so that none takes what is another's.
        let by_both: Belongs = |one, name, address| one.name == name && one.address == address;
        let by_name: Belongs = |one, name, _| one.is_of_manager && one.name == name;
        let by_address: Belongs = |one, _, address| {
            one.address == address || one.real_address().is_some_and(|real| real == address)
        };
        for belongs in [by_both, by_name, by_address] {
            for (slot, (name, address)) in taken.iter_mut().zip(wanted) {
                if slot.is_none() {
                    let mut left = self.left.iter();
                    let found = left.position(|one| belongs(one, name, address));
                    *slot = found.map(|index| self.left.remove(index));
                }
            }
        }
        taken
    }

    /// The socket of a service manager that no listener wants, if there is one.
    pub fn unwanted(&self) -> Option<&Inherited> {
        self.left.iter().find(|one| one.is_of_manager)
    }

    /// Let go of what nobody wants any more: clients are refused there from now on.
    pub fn let_go(self) {
        for inherited in self.left {
            let path = inherited.address.strip_prefix(UNIX);
            if let Some(path) = path.filter(|_| inherited.has_file)
                && let Err(error) = std::fs::remove_file(Path::new(path))
            {
                tracing::warn!(path, %error, "the file of a socket cannot be removed");
            }
        }
    }
}

/// Whether a socket belongs to the listener of a name and an address.
type Belongs = fn(&Inherited, &str, &str) -> bool;

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn socket(name: &str, address: &str) -> Inherited {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let inherited = Inherited::of_manager(name.into(), socket.into()).unwrap();
        Inherited {
            address: address.into(),
            is_of_manager: false,
            ..inherited
        }
    }

    fn of_manager(inherited: Inherited) -> Inherited {
        Inherited {
            is_of_manager: true,
            ..inherited
        }
    }

    /// The names of what these listeners take.
    fn taken(inheritance: &mut Inheritance, wanted: &[(&str, &str)]) -> Vec<Option<String>> {
        let taken = inheritance.take(wanted).into_iter();
        taken.map(|one| one.map(|one| one.name)).collect()
    }

    fn names(names: &[Option<&str>]) -> Vec<Option<String>> {
        names.iter().map(|name| name.map(str::to_owned)).collect()
    }

    #[test]
    fn who_has_the_same_name_and_address_comes_before_who_has_the_address_alone() {
        let any = "127.0.0.1:0";
        let mut inheritance = Inheritance::of(vec![socket("a", any), socket("b", any)]);
        let found = taken(&mut inheritance, &[("new", any), ("a", any), ("c", any)]);
        assert_eq!(found, names(&[Some("b"), Some("a"), None]));
        assert!(inheritance.unwanted().is_none());
    }

    #[test]
    fn a_name_alone_is_enough_of_a_service_manager_and_of_nobody_else() {
        let elsewhere = || socket("web", "127.0.0.1:1");
        let wanted = [("web", "127.0.0.1:2")];
        let mut inheritance = Inheritance::of(vec![of_manager(elsewhere())]);
        assert_eq!(taken(&mut inheritance, &wanted), names(&[Some("web")]));
        let mut inheritance = Inheritance::of(vec![elsewhere()]);
        assert_eq!(taken(&mut inheritance, &wanted), names(&[None]));
    }

    #[test]
    fn a_port_that_the_system_chose_is_found_by_its_number() {
        let inherited = socket("web", "127.0.0.1:0");
        let address = inherited.real_address().unwrap();
        let mut inheritance = Inheritance::of(vec![inherited]);
        let found = taken(&mut inheritance, &[("other", &address)]);
        assert_eq!(found, names(&[Some("web")]));
    }

    #[test]
    fn a_socket_that_does_not_listen_is_none_of_a_service_manager() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(Inherited::of_manager("web".into(), socket.into()).is_err());
        let (end, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(Inherited::of_manager("web".into(), end.into()).is_err());
    }

    #[test]
    fn a_service_managers_socket_that_nobody_wants_is_told() {
        let mut inheritance = Inheritance::of(vec![
            socket("left", "127.0.0.1:3"),
            of_manager(socket("stray", "127.0.0.1:1")),
        ]);
        assert_eq!(
            taken(&mut inheritance, &[("web", "127.0.0.1:2")]),
            names(&[None])
        );
        assert_eq!(inheritance.unwanted().unwrap().name, "stray");
    }
}
