//! The worst days of servers: killed, paused and started again at random while
//! clients ask on and on. Whoever asks for something that may be asked for twice
//! gets an answer, each time; what was cut in the middle of its body by a kill
//! is counted apart, since nobody can take back what has been sent. So it is while
//! servers and plugins change, and while another process takes over.
//!
//! `CHAOS_SECONDS` is how long each lasts (5 unless set), `CHAOS_SEED` what
//! happens.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Builder, Crowd, Fates, Gateway, Guest, Pool, Shop};

/// Servers in the pool; two of them at least are left alone at any time.
const SHOPS: usize = 5;

/// From one change to the next.
const CHANGE_EVERY: Duration = Duration::from_millis(200);

/// Who decides, in turn.
const BALANCERS: [&str; 4] = ["mine", "round-robin", "power-of-two", "least-connections"];

fn seconds() -> Duration {
    let set = std::env::var("CHAOS_SECONDS").ok();
    let set = set.map(|set| set.parse().expect("a number of seconds"));
    Duration::from_secs(set.unwrap_or(5))
}

fn random() -> fastrand::Rng {
    let set = std::env::var("CHAOS_SEED").ok();
    let seed = set.map_or_else(|| fastrand::u64(..), |set| set.parse().expect("a number"));
    println!("CHAOS_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

async fn shops() -> Vec<Shop> {
    let mut shops = Vec::new();
    for _ in 0..SHOPS {
        shops.push(Shop::open(&["--delay", "1ms", "--jitter", "3ms"]).await);
    }
    shops
}

fn before(shops: &[Shop]) -> Builder {
    let addresses: Vec<_> = shops.iter().map(Shop::address).collect();
    let pool = Pool::at(&addresses)
        .health("{ interval = \"100ms\", timeout = \"300ms\", rise = 1, fall = 2 }")
        .with("retries", "{ attempts = 4, per_try_timeout = \"300ms\" }");
    Builder::new().workers(2).pool(pool)
}

/// What has been done to servers.
#[derive(Debug, Default)]
struct Deeds {
    kills: usize,
    pauses: usize,
}

/// Kill, pause and start again, until it is time: then all are well again.
async fn torment(shops: &mut [Shop], until: Instant, random: &mut fastrand::Rng) -> Deeds {
    let mut deeds = Deeds::default();
    while Instant::now() < until {
        // So many that all the others can be spared.
        let count = random.usize(1..=shops.len() - 2);
        let victims = random.choose_multiple(0..shops.len(), count);
        let killed: Vec<_> = victims.iter().map(|_| random.bool()).collect();
        for (&victim, &killed) in victims.iter().zip(&killed) {
            match killed {
                true => shops[victim].kill(),
                false => shops[victim].pause(),
            }
        }
        pass(random.u64(50..800)).await;
        for (&victim, &killed) in victims.iter().zip(&killed) {
            match killed {
                true => shops[victim].reopen().await,
                false => shops[victim].resume(),
            }
        }
        deeds.kills += killed.iter().filter(|killed| **killed).count();
        deeds.pauses += killed.iter().filter(|killed| !**killed).count();
        pass(random.u64(50..400)).await;
    }
    deeds
}

/// Time that something lasts, which is the matter here and not a wait.
async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

async fn judge(what: &str, crowd: Crowd, gateway: &Gateway, deeds: Deeds, beside: &str) {
    let Fates {
        answered,
        unsent,
        cut,
        failures,
    } = crowd.stop().await;
    let all: usize = answered.iter().sum();
    println!(
        "{what}: {all} answered, {cut} cut in the middle of a body, {unsent} turned away in an \
         orderly way and asked again, {} failed; {deeds:?}{beside}; {} retries",
        failures.len(),
        gateway.metric("gatewright_retries_total").await,
    );
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(answered.iter().all(|of_one| *of_one > 0), "{answered:?}");
    assert!(unsent * 10 < all, "{unsent} of {all}");
    // Kills alone may cut what is under way.
    assert!(cut <= deeds.kills * Crowd::AT_ONCE, "{cut}: {deeds:?}");
    gateway.settles().await;
}

#[tokio::test]
async fn nobody_goes_without_an_answer_while_servers_are_killed_paused_and_started() {
    let mut random = random();
    let mut shops = shops().await;
    let gateway = before(&shops).start().await;
    let crowd = Crowd::before(gateway.address());
    let deeds = torment(&mut shops, Instant::now() + seconds(), &mut random).await;
    judge("servers", crowd, &gateway, deeds, "").await;
}

/// Change the gateway's servers and plugins, five times a second each, until it
/// is time: how many changes were made.
async fn unrest(gateway: &Gateway, extra: &Shop, until: Instant) -> usize {
    let server = |rest: &str| format!("/api/servers/{}{rest}", extra.address());
    let added = json!({
        "host": extra.address().ip().to_string(),
        "port": extra.address().port(),
    });
    let versions = [
        gateway.upload("mine", picking("(i32.const 0)")).await,
        gateway.upload("mine", picking("(i32.const 1)")).await,
    ];
    let mut ticks = tokio::time::interval(CHANGE_EVERY);
    let mut changes = 0;
    while Instant::now() < until {
        ticks.tick().await;
        match changes % 3 {
            0 => gateway.change("POST", "/api/servers", added.clone()).await,
            1 => {
                let weight = json!({ "weight": 3 });
                gateway.change("PUT", &server("/weight"), weight).await
            }
            _ => gateway.change("DELETE", &server(""), Value::Null).await,
        };
        let binding = match BALANCERS[changes % BALANCERS.len()] {
            "mine" => {
                let version = &versions[changes / BALANCERS.len() % versions.len()];
                json!({ "plugin": "mine", "version": version })
            }
            other => json!({ "plugin": other }),
        };
        let seat = "/api/bindings/web/balancer";
        gateway.change("PUT", seat, binding).await;
        changes += 1;
    }
    changes
}

/// A balancer that has this choice.
fn picking(choice: &str) -> Vec<u8> {
    Guest::balancer(choice).build()
}

#[tokio::test]
async fn nobody_goes_without_an_answer_while_servers_and_plugins_change_too() {
    let mut random = random();
    let mut shops = shops().await;
    let extra = Shop::open(&[]).await;
    let gateway = before(&shops).start().await;
    let crowd = Crowd::before(gateway.address());
    let until = Instant::now() + seconds();
    let (deeds, changes) = tokio::join!(
        torment(&mut shops, until, &mut random),
        unrest(&gateway, &extra, until),
    );
    let beside = format!(", {changes} changes of servers and as many of plugins");
    judge("servers and changes", crowd, &gateway, deeds, &beside).await;
}

/// Have another process take over now and then, until it is time: how often.
async fn succession(gateway: &mut Gateway, until: Instant) -> usize {
    let mut upgrades = 0;
    while upgrades == 0 || Instant::now() < until {
        pass(1_000).await;
        gateway.upgrade().await;
        upgrades += 1;
    }
    upgrades
}

#[tokio::test]
async fn nobody_goes_without_an_answer_while_another_process_takes_over_too() {
    let mut random = random();
    let mut shops = shops().await;
    let mut gateway = before(&shops).start().await;
    let crowd = Crowd::before(gateway.address());
    let until = Instant::now() + seconds();
    let (deeds, upgrades) = tokio::join!(
        torment(&mut shops, until, &mut random),
        succession(&mut gateway, until),
    );
    let beside = format!(", {upgrades} upgrades");
    judge("servers and upgrades", crowd, &gateway, deeds, &beside).await;
}
