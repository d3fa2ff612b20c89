//! One order, from the account to the certificate.

use std::sync::Arc;
use std::time::Duration;

use gatewright_model::config::{Acme, AcmeChallenge, Ordered};
use gatewright_proxy::{ByHttp, ByTls, Challenges};
use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, ChallengeType, Identifier, NewOrder, Order,
    OrderStatus, RetryPolicy,
};

use super::account;
use super::connection::Connection;
use super::problem::{Problem, Refusal};

/// How long a whole order may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often the authority is asked how far it is, where it does not say when to
/// ask: in a quarter of a second, then ever more seldom, for two minutes.
const ASKING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// What the authority is shown as long as this is there.
#[expect(dead_code, reason = "their drop is what they are for")]
enum Open {
    ByHttp(ByHttp),
    ByTls(ByTls),
}

/// Order a certificate: it and its key, in PEM. It is done in a task of its own,
/// since the library gives up in a panic on some addresses that an authority may
/// name.
pub(super) async fn order(
    acme: &Acme,
    ordered: &Ordered,
    challenges: &Arc<Challenges>,
) -> Result<String, Problem> {
    let (acme, ordered) = (acme.clone(), ordered.clone());
    let challenges = Arc::clone(challenges);
    let ordering = tokio::spawn(async move { in_time(&acme, &ordered, &challenges).await });
    ordering.await.unwrap_or_else(|ended| {
        let reason = match ended.is_panic() {
            true => "the addresses that it names are none",
            false => "it did not come before the end",
        };
        Err(Problem::Odd(reason.to_owned()))
    })
}

async fn in_time(
    acme: &Acme,
    ordered: &Ordered,
    challenges: &Arc<Challenges>,
) -> Result<String, Problem> {
    let connection = Connection::new(acme).await?;
    let ordering = with_an_account(acme, ordered, challenges, &connection);
    let outcome = tokio::time::timeout(PATIENCE, ordering).await;
    let outcome = outcome.unwrap_or(Err(Problem::Slow));
    outcome.map_err(|problem| match problem {
        Problem::Refused { refusals, .. } => Problem::Refused {
            refusals,
            retry_after: connection.retry_after(),
        },
        problem => problem,
    })
}

async fn with_an_account(
    acme: &Acme,
    ordered: &Ordered,
    challenges: &Arc<Challenges>,
    connection: &Connection,
) -> Result<String, Problem> {
    let outcome = match account::account(acme, connection).await {
        Ok(account) => go_through(&account, acme, ordered, challenges).await,
        Err(problem) => Err(problem),
    };
    let Err(problem) = outcome else {
        return outcome;
    };
    if !account::is_forgotten(acme, &problem).await? {
        return Err(problem);
    }
    let account = account::account(acme, connection).await?;
    go_through(&account, acme, ordered, challenges).await
}

async fn go_through(
    account: &Account,
    acme: &Acme,
    ordered: &Ordered,
    challenges: &Arc<Challenges>,
) -> Result<String, Problem> {
    let names = ordered.names.iter();
    let names: Vec<_> = names
        .map(|name| Identifier::Dns(name.to_string()))
        .collect();
    let mut order = account.new_order(&NewOrder::new(&names)).await?;
    // What is open closes at the end of this, whatever it is.
    let _open = open(&mut order, acme.challenge, challenges).await?;
    match order.poll_ready(&ASKING).await {
        Ok(OrderStatus::Invalid) => return Err(refusal(&mut order, None).await),
        Err(instant_acme::Error::Api(problem)) => {
            return Err(refusal(&mut order, Some(&problem)).await);
        }
        status => status?,
    };
    let key = order.finalize().await?;
    let chain = match order.poll_certificate(&ASKING).await {
        // It is issued, or will be: another order would be one more.
        Err(instant_acme::Error::Timeout(_)) => return Err(Problem::Late),
        chain => chain?,
    };
    Ok(format!("{key}{chain}"))
}

/// Open a challenge for each name that is not proved yet, and let the authority
/// know.
async fn open(
    order: &mut Order,
    kind: AcmeChallenge,
    challenges: &Arc<Challenges>,
) -> Result<Vec<Open>, Problem> {
    let mut open = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => {}
            AuthorizationStatus::Pending => {
                open.push(open_one(authorization, kind, challenges).await?);
            }
            // It has been refused before; a new order begins anew.
            _ => return Err(Problem::Odd("a name was refused before".to_owned())),
        }
    }
    Ok(open)
}

async fn open_one(
    mut authorization: AuthorizationHandle<'_>,
    kind: AcmeChallenge,
    challenges: &Arc<Challenges>,
) -> Result<Open, Problem> {
    let name = authorization.identifier().to_string();
    let (wanted, [said, other]) = match kind {
        AcmeChallenge::Http01 => (ChallengeType::Http01, ["http-01", "tls-alpn-01"]),
        AcmeChallenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, ["tls-alpn-01", "http-01"]),
    };
    let Some(mut challenge) = authorization.challenge(wanted) else {
        let wanted = said;
        return Err(Problem::NotOffered {
            name,
            wanted,
            other,
        });
    };
    let proof = challenge.key_authorization();
    let open = match kind {
        AcmeChallenge::Http01 => Open::ByHttp(challenges.by_http(&challenge.token, proof.as_str())),
        AcmeChallenge::TlsAlpn01 => {
            let made = challenges.by_tls(&name, proof.digest().as_ref());
            Open::ByTls(made.map_err(|error| Problem::Odd(error.to_string()))?)
        }
    };
    challenge.set_ready().await?;
    Ok(open)
}

/// What the authority has against an order: what it says of each name, or else
/// of the whole.
async fn refusal(order: &mut Order, whole: Option<&instant_acme::Problem>) -> Problem {
    let mut refusals = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let name = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else {
            continue;
        };
        let problems = state.challenges.iter().filter_map(|one| one.error.as_ref());
        refusals.extend(problems.flat_map(|one| Refusal::all_of(Some(&name), one)));
    }
    match (refusals.is_empty(), whole) {
        (true, Some(problem)) => Problem::refused(problem),
        (true, None) => Problem::Odd("it refuses the order and does not say why".to_owned()),
        (false, _) => Problem::Refused {
            refusals,
            retry_after: None,
        },
    }
}
