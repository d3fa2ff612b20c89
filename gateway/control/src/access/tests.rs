//! Who gets in.

use std::net::Ipv4Addr;

use super::*;
use crate::store::{Removal, Spare};

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn access(store: &Store) -> Access {
    Access::new(store, SocketAddr::new(HOME, 9000)).unwrap()
}

fn made(store: &Store, role: Role, expires_in: Option<Duration>) -> String {
    let wanted = NewToken {
        name: format!("of-{role}"),
        role,
        expires_in,
    };
    let (_, token) = create_token(store, wanted, "a test", None).unwrap();
    token
}

#[test]
fn nobody_needs_a_token_until_there_is_one() {
    let store = Store::in_memory().unwrap();
    let access = access(&store);
    assert_eq!(access.identify(None, HOME).unwrap().role, Role::Deploy);
    made(&store, Role::Deploy, None);
    access.put(store.tokens().unwrap());
    assert_eq!(access.identify(None, HOME).unwrap_err(), Denied::Missing);
    let token = made(&store, Role::Operate, None);
    access.put(store.tokens().unwrap());
    let who = access.identify(Some(&token), HOME).unwrap();
    assert_eq!((who.name.as_str(), who.role), ("of-operate", Role::Operate));
}

fn revoked(store: &Store, id: &str, spare: Spare) -> Removal {
    revoke_token(store, id, spare, "a test", None).unwrap()
}

#[test]
fn there_is_always_somebody_who_may_make_and_revoke_tokens() {
    let store = Store::in_memory().unwrap();
    let make = |name: &str, role| {
        let wanted = NewToken {
            name: name.to_owned(),
            role,
            expires_in: None,
        };
        create_token(&store, wanted, "a test", None).map(|(record, _)| record.id)
    };
    for role in [Role::Read, Role::Operate] {
        let error = make("first", role).unwrap_err();
        assert!(matches!(error, TokenError::NoDeployer), "{error}");
    }
    assert!(store.tokens().unwrap().is_empty());
    let first = make("first", Role::Deploy).unwrap();
    let reader = make("reader", Role::Read).unwrap();
    let spare = Spare::LastDeployer;
    assert_eq!(revoked(&store, &first, spare), Removal::Spared);
    let second = make("second", Role::Deploy).unwrap();
    assert_eq!(revoked(&store, &first, spare), Removal::Done);
    assert_eq!(revoked(&store, &reader, spare), Removal::Done);
    assert_eq!(revoked(&store, &second, spare), Removal::Spared);
    assert_eq!(revoked(&store, "none", spare), Removal::NotThere);
    // Whoever has the folder may.
    assert_eq!(revoked(&store, &second, Spare::None), Removal::Done);
}

#[test]
fn a_token_that_was_made_elsewhere_counts_once() {
    let store = Store::in_memory().unwrap();
    let access = access(&store);
    let token = format!("gw_{}", "0123456789abcdef".repeat(4));
    let keep = |role, token: &str| {
        let wanted = NewToken {
            name: "shared".to_owned(),
            role,
            expires_in: None,
        };
        keep_token(&store, wanted, token, "a test", None)
    };
    let long = format!("{token}0");
    for wrong in ["", "secret", &token[3..], &long, &token.to_uppercase()] {
        let error = keep(Role::Deploy, wrong).unwrap_err();
        assert!(matches!(error, KeepError::Form), "{wrong}: {error}");
    }
    let error = keep(Role::Read, &token).unwrap_err();
    let no_deployer = KeepError::Token(TokenError::NoDeployer);
    assert_eq!(error.to_string(), no_deployer.to_string());
    let kept = keep(Role::Deploy, &token).unwrap();
    assert_eq!(keep(Role::Deploy, &token).unwrap(), kept);
    let error = keep(Role::Read, &token).unwrap_err();
    assert!(matches!(error, KeepError::Known { .. }), "{error}");
    assert_eq!(store.tokens().unwrap(), [kept]);
    access.put(store.tokens().unwrap());
    assert_eq!(access.identify(Some(&token), HOME).unwrap().name, "shared");
}

#[test]
fn a_token_is_not_called_what_nobody_is() {
    let store = Store::in_memory().unwrap();
    let long = "x".repeat(65);
    for name in [
        "",
        "gateway",
        "file",
        "anonymous",
        "a b",
        "a\nb",
        "\x1b[2J",
        "\u{e9}",
        &long,
    ] {
        let wanted = NewToken {
            name: name.to_owned(),
            role: Role::Deploy,
            expires_in: None,
        };
        let error = create_token(&store, wanted, "a test", None).unwrap_err();
        assert!(matches!(error, TokenError::Name), "{name:?}: {error}");
    }
    assert!(store.tokens().unwrap().is_empty());
}

#[test]
fn wrong_expired_and_revoked_tokens_are_refused() {
    let store = Store::in_memory().unwrap();
    made(&store, Role::Deploy, None);
    let good = made(&store, Role::Read, Some(Duration::from_secs(3600)));
    let expired = made(&store, Role::Deploy, Some(Duration::ZERO));
    let access = access(&store);
    let longer = format!("{good}0");
    for wrong in ["", "gw_", &good[..good.len() - 1], &longer, &expired] {
        assert_eq!(
            access.identify(Some(wrong), HOME).unwrap_err(),
            Denied::Wrong
        );
    }
    assert!(access.identify(Some(&good), HOME).is_ok());
    for token in access.tokens() {
        for removal in [Removal::Done, Removal::NotThere] {
            assert_eq!(revoked(&store, &token.id, Spare::None), removal);
        }
    }
    access.put(store.tokens().unwrap());
    assert!(!access.has_token());
}

#[test]
fn an_expired_token_opens_nothing_and_leaves_the_door_locked() {
    let store = Store::in_memory().unwrap();
    made(&store, Role::Deploy, Some(Duration::ZERO));
    let access = access(&store);
    assert!(!access.has_token());
    assert_eq!(access.identify(None, HOME).unwrap_err(), Denied::Missing);
}

#[test]
fn who_guesses_too_often_has_to_wait_and_who_knows_does_not() {
    let store = Store::in_memory().unwrap();
    let token = made(&store, Role::Deploy, None);
    let access = access(&store);
    for _ in 0..10 {
        assert_eq!(
            access.identify(Some("gw_guess"), HOME).unwrap_err(),
            Denied::Wrong
        );
    }
    let denied = access.identify(Some("gw_guess"), HOME).unwrap_err();
    assert!(matches!(denied, Denied::TooMany(_)));
    assert!(access.identify(Some(&token), HOME).is_ok());
}

#[test]
fn tokens_are_long_differ_and_are_not_kept_themselves() {
    let store = Store::in_memory().unwrap();
    let [one, other] = [(); 2].map(|()| made(&store, Role::Deploy, None));
    assert_ne!(one, other);
    assert_eq!(one.len(), "gw_".len() + 64);
    let kept = serde_json::to_string(&store.tokens().unwrap()).unwrap();
    assert!(!kept.contains(&one["gw_".len()..]));
}

#[test]
fn where_others_can_reach_it_nobody_gets_in_without_a_token() {
    let store = Store::in_memory().unwrap();
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 9000));
    let access = Access::new(&store, everywhere).unwrap();
    assert_eq!(access.identify(None, HOME).unwrap_err(), Denied::Missing);
}
