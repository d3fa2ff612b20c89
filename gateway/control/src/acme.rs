//! Certificates that the gateway orders and renews itself (ACME, RFC 8555).
//!
//! One task sees to all of them, one after the other: is a certificate there,
//! when is it to be renewed, and if that is now, `order` gets a new one from the
//! authority over `connection`, by the `account` that is kept, while `Challenges`
//! of the data plane show workers what to answer the authority with. `course`
//! says when, `problem` what went wrong and what to do about it.
//!
//! What is got is kept in files of the data folder (`folder`), each with a
//! certificate and its key, beside the account: a certificate is a file like
//! those that operators bring, so it is read, checked, prepared and published
//! like them, can be looked at with any tool, and outlives a restart. The change
//! that puts one in force touches no key and reads no configuration file, so one
//! that is being edited holds no renewal up.
//!
//! Every attempt is written down before it begins, and its success too. A gateway
//! that is started again and again, or whose clock is wrong, asks the authority
//! no oftener than another.

mod account;
mod connection;
mod course;
mod folder;
mod order;
mod problem;
mod standing;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatewright_model::config::{self, Ordered, PemFile};
use gatewright_proxy::{Shown, kept_certificate};

use self::folder::Attempted;
use self::problem::Problem;
pub(crate) use self::standing::{Standing, Standings};
use crate::change::{Author, Change};
use crate::control::Control;
use crate::events::Happened;
use crate::timestamp::Timestamp;

/// The longest time without a look at the clock, which may be set meanwhile.
const LOOK_ANYWAY: Duration = Duration::from_secs(3600);

/// How long to wait when what is kept cannot be read.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How long to wait when what was got cannot be put in force.
const PUBLISH_AGAIN: Duration = Duration::from_secs(60);

/// What became of an order.
#[derive(Clone, Debug)]
pub struct CertificateNews {
    /// The names that it is for.
    pub names: Vec<Arc<str>>,
    /// What became of it.
    pub turn: CertificateTurn,
}

/// What became of an order.
#[derive(Clone, Debug)]
pub enum CertificateTurn {
    /// There is a certificate, where there was none that could be used.
    Issued {
        /// When it holds no more.
        until: Timestamp,
    },
    /// There is a new one in the place of another.
    Renewed {
        /// When it holds no more.
        until: Timestamp,
    },
    /// There is none.
    Failed {
        /// Why, and what to do about it.
        reason: String,
        /// When it is ordered again.
        again: Timestamp,
    },
}

impl fmt::Display for CertificateNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names.join(", ");
        match &self.turn {
            CertificateTurn::Issued { until } => {
                write!(f, "the certificate for {names} is issued, until {until}")
            }
            CertificateTurn::Renewed { until } => {
                write!(f, "the certificate for {names} is renewed, until {until}")
            }
            CertificateTurn::Failed { reason, again } => write!(
                f,
                "no certificate for {names}: {reason}; it is ordered again at {again}"
            ),
        }
    }
}

/// See to every certificate that is ordered, for ever.
pub(crate) async fn keep(control: Arc<Control>) {
    let mut snapshots = control.publisher.subscribe();
    loop {
        let snapshot = Arc::clone(&snapshots.borrow_and_update().snapshot);
        let mut next = SystemTime::now() + LOOK_ANYWAY;
        if let Some(acme) = &snapshot.config.acme {
            let mut seen: Vec<&Path> = Vec::new();
            for ordered in snapshot.config.ordered() {
                // Listeners that ask for the same names share one.
                if !seen.contains(&&*ordered.kept.path) {
                    seen.push(&ordered.kept.path);
                    next = next.min(see_to(&control, acme, ordered).await);
                }
                // An order takes minutes: what is asked for now counts.
                if snapshots.has_changed().unwrap_or(true) {
                    break;
                }
            }
        }
        control.standings.keep_only(&snapshot.config);
        let pause = next.duration_since(SystemTime::now()).unwrap_or_default();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = snapshots.changed() => if changed.is_err() { return },
        }
    }
}

/// See to one certificate: when to look at it again.
async fn see_to(control: &Arc<Control>, acme: &config::Acme, ordered: &Ordered) -> SystemTime {
    let path = &ordered.kept.path;
    let (kept, attempted) = match folder::look(path).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "a certificate cannot be looked at");
            return SystemTime::now() + LOOK_AGAIN;
        }
    };
    let shown = kept_certificate(&kept);
    if shown.is_some() && kept.contents != ordered.kept.contents {
        // It came, and was not put in force.
        if !publish(control, "certificate.renew", ordered).await {
            return SystemTime::now() + PUBLISH_AGAIN;
        }
    }
    let due = shown.as_ref();
    let due = due.map(|shown| course::renewal(shown, course::lot_of(&kept.contents)));
    let now = SystemTime::now();
    // After a success it holds back what comes too early alone: an operator may
    // have removed the file to have another.
    let noted = attempted.as_ref();
    let way = course::way(acme);
    let holds = |noted: &&Attempted| match noted.failures {
        0 => shown.is_some(),
        _ => noted.way == way,
    };
    let noted = noted.filter(holds);
    let noted = noted.map(|noted| course::as_noted(noted.not_before.into(), now));
    let at = due.unwrap_or(now).max(noted.unwrap_or(now));
    let is_first_look = control.standings.get(path).is_none();
    control
        .standings
        .put(path, Standing::of(at, attempted.as_ref()));
    if at > now {
        let reason = attempted.and_then(|attempted| attempted.reason);
        if let (true, Some(reason)) = (is_first_look, reason) {
            let (names, again) = (ordered.names.join(", "), Timestamp::from(at));
            tracing::warn!("{names}: {reason}; it is ordered again at {again}");
        }
        return at;
    }
    let failures = attempted.map_or(0, |attempted| attempted.failures);
    attempt(control, acme, ordered, (shown.is_some(), failures)).await
}

/// Order a certificate: when to look at it again.
async fn attempt(
    control: &Arc<Control>,
    acme: &config::Acme,
    ordered: &Ordered,
    (is_renewal, failures): (bool, u32),
) -> SystemTime {
    let path = &ordered.kept.path;
    let names = ordered.names.join(", ");
    match is_renewal {
        true => tracing::info!("the certificate for {names} is being renewed"),
        false => tracing::info!(
            "a certificate for {names} is being ordered; until it is there, handshakes for these \
             names are refused"
        ),
    }
    let challenges = control.publisher.in_force().challenges;
    let way = course::way(acme);
    let interrupted = Attempted::interrupted(failures, &way);
    let got = match folder::note(path, &interrupted).await {
        Ok(()) => order::order(acme, ordered, &challenges).await,
        Err(error) => Err(Problem::Folder(error)),
    };
    let kept = match got {
        Ok(pem) => take(ordered, pem).await,
        Err(problem) => Err(problem),
    };
    match kept {
        Ok(shown) => {
            let attempted = Attempted::succeeded(shown.lifetime(), &way);
            succeed(control, ordered, (&shown, &attempted), is_renewal).await
        }
        Err(problem) => {
            let attempted = Attempted::failed(&problem, failures + 1, &way);
            fail(control, ordered, &problem, &attempted).await
        }
    }
}

/// Keep what an order has brought, if it is what was ordered: what there is
/// already must not go for less.
async fn take(ordered: &Ordered, pem: String) -> Result<Shown, Problem> {
    let came = PemFile {
        path: ordered.kept.path.clone(),
        contents: pem.into_bytes().into(),
    };
    let odd = |what: &str| Problem::Odd(what.to_owned());
    let shown = kept_certificate(&came);
    let shown = shown.ok_or_else(|| odd("what it gave is no certificate"))?;
    let covers = |name: &Arc<str>| shown.names.iter().any(|shown| **shown == **name);
    if !ordered.names.iter().all(covers) {
        return Err(odd("its certificate is not for these names"));
    }
    folder::keep(&came).await.map_err(Problem::Folder)?;
    Ok(shown)
}

async fn succeed(
    control: &Arc<Control>,
    ordered: &Ordered,
    (shown, attempted): (&Shown, &Attempted),
    is_renewal: bool,
) -> SystemTime {
    let until = Timestamp::from(shown.not_after);
    if let Err(error) = folder::note(&ordered.kept.path, attempted).await {
        tracing::warn!(%error, "it cannot be noted when a certificate was ordered");
    }
    control.standings.count_issued();
    let (action, turn) = match is_renewal {
        true => ("certificate.renew", CertificateTurn::Renewed { until }),
        false => ("certificate.issue", CertificateTurn::Issued { until }),
    };
    let is_in_force = publish(control, action, ordered).await;
    tell(control, ordered, turn);
    let pause = if is_in_force {
        Duration::ZERO
    } else {
        PUBLISH_AGAIN
    };
    SystemTime::now() + pause
}

async fn fail(
    control: &Arc<Control>,
    ordered: &Ordered,
    problem: &Problem,
    attempted: &Attempted,
) -> SystemTime {
    let path = &ordered.kept.path;
    if let Err(error) = folder::note(path, attempted).await {
        tracing::warn!(%error, "it cannot be noted when a certificate was ordered");
    }
    control.standings.count_failed();
    let again = attempted.not_before;
    control
        .standings
        .put(path, Standing::of(again.into(), Some(attempted)));
    let reason = problem.to_string();
    tell(control, ordered, CertificateTurn::Failed { reason, again });
    again.into()
}

/// Put what is in the folder in force: whether it is.
async fn publish(control: &Arc<Control>, action: &'static str, ordered: &Ordered) -> bool {
    let target = ordered.names.join(", ");
    let change = Change {
        action,
        target,
        edits: Vec::new(),
    };
    // Why it is not, is logged there.
    let outcome = control
        .change(Author::gateway(), None, |_| Ok(change))
        .await;
    outcome.is_ok()
}

fn tell(control: &Control, ordered: &Ordered, turn: CertificateTurn) {
    let names = ordered.names.clone();
    let news = CertificateNews { names, turn };
    match news.turn {
        CertificateTurn::Failed { .. } => tracing::warn!("{news}"),
        _ => tracing::info!("{news}"),
    }
    control.events.push(Happened::Certificate(news));
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pem(name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        key.serialize_pem() + &certificate.pem()
    }

    #[tokio::test]
    async fn what_was_not_ordered_does_not_take_the_place_of_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.example-00.pem");
        let ordered = Ordered {
            names: vec!["a.example".into()],
            kept: PemFile {
                path: path.clone(),
                contents: Arc::from([]),
            },
        };
        let good = pem("a.example");
        take(&ordered, good.clone()).await.unwrap();
        for bad in [pem("b.example"), "a page of something in front".to_owned()] {
            let refused = take(&ordered, bad).await;
            assert!(matches!(refused, Err(Problem::Odd(_))), "{refused:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), good);
        }
    }
}
