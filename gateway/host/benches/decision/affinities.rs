//! Affinities: whose session it is, and what they do when a server has answered.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use gatewright_host::{Edit, Seat};
use gatewright_model::id::Slot;

use crate::exchange::{Exchange, given};
use crate::place::{LANES, SIZES, Worker, pool, request, settle};

/// The affinities, each with its settings: what names the session is a request's
/// own.
const AFFINITIES: [(&str, &str); 4] = [
    ("sticky-cookie", "plugin = \"sticky-cookie\""),
    (
        "sticky-cookie, signed",
        "plugin = \"sticky-cookie\", config = { secret = \"0123456789abcdef\" }",
    ),
    ("sticky-learn", "plugin = \"sticky-learn\""),
    ("sticky-ip", "plugin = \"sticky-ip\""),
];

const SESSION: &str = "4f1c6a0f3f0d4a3d9b3c";

fn config(settings: &str, size: u16) -> String {
    pool(size, &format!("affinity = {{ {settings} }}"))
}

fn affinity(worker: &mut Worker) -> &mut Seat {
    worker.chain.pools[0].affinity.as_mut().unwrap()
}

/// A client without a session, in both lanes.
pub(crate) fn strangers(criterion: &mut Criterion) {
    for (suffix, lanes) in LANES {
        let mut worker = Worker::on(lanes, &config(AFFINITIES[0].1, 10));
        let (affinity, mut lent) = (affinity(&mut worker), request().lent());
        criterion.bench_function(&format!("sticky-cookie, no session{suffix}"), |bencher| {
            bencher.iter(|| black_box(affinity.lookup(&mut lent)).unwrap());
        });
    }
}

/// A client whose server is known, and one to whom a server has answered.
pub(crate) fn sessions(criterion: &mut Criterion) {
    for (name, settings) in AFFINITIES {
        for size in SIZES {
            let mut worker = Worker::of(&config(settings, size));
            let affinity = affinity(&mut worker);
            let answered = Slot(u32::from(size) / 2);
            let first =
                request().answered_with("set-cookie", &format!("sessionId={SESSION}; Path=/"));
            let mut lent = first.lent();
            let mut group = criterion.benchmark_group(format!("{name}, bind"));
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    settle(&mut lent);
                    affinity.bind(answered, &mut lent).unwrap();
                });
            });
            group.finish();
            settle(&mut lent);
            affinity.bind(answered, &mut lent).unwrap();
            let edits = &lent.as_mut().unwrap().effects().edits;
            let mut lent = returning(edits).lent();
            assert_eq!(affinity.lookup(&mut lent).unwrap(), Some(answered));
            let mut group = criterion.benchmark_group(name);
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    settle(&mut lent);
                    black_box(affinity.lookup(&mut lent)).unwrap()
                });
            });
            group.finish();
        }
    }
}

/// The client's next request, with the cookie that it was given.
fn returning(edits: &[Edit]) -> Exchange {
    let cookie = given(edits);
    let cookie = cookie.unwrap_or_else(|| ("sessionId".to_owned(), SESSION.to_owned()));
    request().with_cookie(Some(&cookie))
}
