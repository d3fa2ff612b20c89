//! Several gateways and a common bucket that works as the script of the exchange
//! does, in virtual time.

use proptest::prelude::*;

use super::*;

/// The common bucket, and what each gateway has said that it knows.
struct Common {
    rate: Rate,
    gateways: usize,
    bucket: Option<Bucket>,
    version: u64,
    acked: Vec<u64>,
}

struct Bucket {
    level: f64,
    at: Duration,
    born: u64,
    announced: u64,
    until: Duration,
    /// What each gateway has leased, as far as told.
    leased: Vec<f64>,
}

/// How long a bucket that nobody uses is known beyond the time when it is full.
const MARGIN: Duration = Duration::from_secs(5);

impl Common {
    fn answer(&mut self, ask: Ask, by: usize, now: Duration) -> Granted {
        let (rate, count) = (self.rate, self.gateways as f64);
        self.version += 1;
        let version = self.version;
        let living = self.bucket.take().filter(|bucket| bucket.until > now);
        let mut bucket = living.unwrap_or(Bucket {
            level: rate.burst,
            at: now,
            born: version,
            announced: version,
            until: Duration::ZERO,
            leased: vec![0.0; self.gateways],
        });
        let room = |bucket: &Bucket| rate.burst - bucket.leased.iter().sum::<f64>();
        let level = rate.after(bucket.level, now - bucket.at);
        bucket.level = level.min(room(&bucket)) - ask.debit;
        bucket.at = now;
        let reserve = match self.have_read(by) < bucket.born {
            true => (count - 1.0) * rate.share(count as u32),
            false => 0.0,
        };
        let free = bucket.level - reserve;
        let target = ask.lacked.max(2.0 * ask.used).max((free / count).ceil());
        let tokens = match ask.debit < 0.0 {
            // Whoever gives back wants none.
            true => 0.0,
            false => (target - ask.held).min(free).floor().max(0.0),
        };
        bucket.level -= tokens;
        bucket.leased[by] = ask.held + tokens;
        let room = room(&bucket);
        bucket.level = bucket.level.min(room);
        let missing = (room - bucket.level) / rate.per_second;
        let full =
            now + Duration::try_from_secs_f64(missing).unwrap_or(Duration::from_secs(86_400));
        if full + MARGIN / 2 > bucket.until {
            bucket.until = full + MARGIN;
            bucket.announced = version;
        }
        let (level, born) = (bucket.level, bucket.born);
        self.bucket = Some(bucket);
        Granted {
            tokens,
            level,
            room,
            born,
        }
    }

    /// Up to where all others have read.
    fn have_read(&self, by: usize) -> u64 {
        let others = (0..self.gateways).filter(|other| *other != by);
        let versions = others.map(|other| self.acked[other]);
        versions.min().unwrap_or(u64::MAX)
    }
}

/// A gateway: its lease, if it knows the bucket, and the end of that knowledge.
#[derive(Clone, Default)]
struct Gateway {
    lease: Option<(Lease, Duration)>,
    is_to_tell: bool,
    seen: u64,
    others_have_read: u64,
}

struct Cluster {
    common: Common,
    gateways: Vec<Gateway>,
    now: Duration,
    given: Vec<(Duration, f64)>,
}

impl Cluster {
    fn new(gateways: usize, rate: Rate) -> Self {
        Self {
            common: Common {
                rate,
                gateways,
                bucket: None,
                version: 0,
                acked: vec![0; gateways],
            },
            gateways: vec![Gateway::default(); gateways],
            now: Duration::from_secs(1000),
            given: Vec::new(),
        }
    }

    fn known(&self, by: usize) -> Gateways {
        Gateways {
            count: self.gateways.len() as u32,
            is_apart: false,
            have_read: self.gateways[by].others_have_read,
        }
    }

    fn take(&mut self, by: usize, count: f64) -> bool {
        let (rate, now, known) = (self.common.rate, self.now, self.known(by));
        let gateway = &mut self.gateways[by];
        if gateway
            .lease
            .as_ref()
            .is_some_and(|(_, until)| *until <= now)
        {
            gateway.lease = None;
        }
        let missing = Duration::try_from_secs_f64(rate.burst / rate.per_second);
        let until = now + missing.unwrap_or(Duration::from_secs(86_400)) + MARGIN;
        let (lease, _) = gateway
            .lease
            .get_or_insert_with(|| (Lease::unknown(rate, known, now), until));
        let taken = lease.take(count, rate, known, now);
        gateway.is_to_tell |= lease.is_to_be_noted(rate, now);
        if taken.wait_ms == 0 {
            self.given.push((now, count));
        }
        taken.wait_ms == 0
    }

    /// Tell what is to be told, hear the answer and what is new.
    fn exchange(&mut self, by: usize) {
        let (rate, now) = (self.common.rate, self.now);
        let gateway = &mut self.gateways[by];
        self.common.acked[by] = gateway.seen;
        if std::mem::take(&mut gateway.is_to_tell)
            && let Some((lease, until)) = &mut gateway.lease
        {
            let granted = self.common.answer(lease.ask(rate), by, now);
            lease.hear(granted, now);
            *until = self.common.bucket.as_ref().unwrap().until;
        }
        let gateway = &mut self.gateways[by];
        if let Some(bucket) = &self.common.bucket
            && bucket.announced > gateway.seen
            && bucket.until > now
        {
            let known = || (Lease::known(bucket.level, bucket.born, now), bucket.until);
            let (_, until) = gateway.lease.get_or_insert_with(known);
            *until = bucket.until.max(*until);
        }
        gateway.seen = self.common.version;
        gateway.others_have_read = self.common.have_read(by);
    }

    fn review(&mut self, by: usize) {
        if let Some((lease, _)) = &mut self.gateways[by].lease {
            self.gateways[by].is_to_tell |= lease.review();
        }
    }

    /// What was given beyond burst and gain, in whichever time it was most.
    fn excess(&self) -> f64 {
        let Rate { per_second, burst } = self.common.rate;
        let (mut given, mut least, mut most) = (0.0, f64::MAX, f64::MIN);
        for (at, count) in &self.given {
            let gained = per_second * at.as_secs_f64();
            least = (given - gained).min(least);
            given += count;
            most = (given - gained - least - burst).max(most);
        }
        most
    }
}

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    Exchange(usize),
    Review(usize),
    Wait(u64),
}

fn steps(gateways: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..gateways).prop_map(Step::Take),
        3 => (0..gateways).prop_map(Step::Exchange),
        1 => (0..gateways).prop_map(Step::Review),
        1 => (0u64..400).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..250)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// However takes and exchanges follow each other, in no time is more given than
    /// the limit and one take for each other gateway.
    #[test]
    fn no_more_is_given_than_the_limit_and_a_take_for_each_other_gateway(
        (gateways, steps) in (1usize..6).prop_flat_map(|n| (Just(n), steps(n))),
        per_second in 0u32..40,
        burst in 1u32..40,
        count in 1u32..3,
    ) {
        let rate = Rate { per_second: per_second.into(), burst: burst.into() };
        let count = f64::from(count.min(burst));
        let mut cluster = Cluster::new(gateways, rate);
        for step in steps {
            match step {
                Step::Take(by) => {
                    cluster.take(by, count);
                }
                Step::Exchange(by) => cluster.exchange(by),
                Step::Review(by) => cluster.review(by),
                Step::Wait(ms) => cluster.now += Duration::from_millis(ms),
            }
        }
        let bound = (gateways - 1) as f64 * count;
        prop_assert!(cluster.excess() <= bound + 1e-6, "{} > {bound}", cluster.excess());
    }

    /// Whoever asks for long enough is given all of it, wherever they ask.
    #[test]
    fn all_of_it_is_given_to_whoever_goes_on_asking(
        gateways in 1usize..6,
        burst in 1u32..100,
        others in prop::collection::vec(0usize..6, 0..10),
    ) {
        let mut cluster = Cluster::new(gateways, Rate { per_second: 0.0, burst: burst.into() });
        for by in others {
            cluster.take(by % gateways, 1.0);
        }
        for round in 0..400 {
            for by in 0..gateways {
                cluster.exchange(by);
                if round % 4 == 0 {
                    cluster.review(by);
                }
            }
            cluster.take(0, 1.0);
            cluster.now += Duration::from_millis(100);
        }
        let given: f64 = cluster.given.iter().map(|(_, count)| count).sum();
        prop_assert!(given >= f64::from(burst), "{given} of {burst}");
        prop_assert!(given <= f64::from(burst) + (gateways - 1) as f64, "{given} of {burst}");
    }
}

#[test]
fn one_gateway_is_given_all_of_it_once_the_others_know_of_the_bucket() {
    let mut cluster = Cluster::new(
        3,
        Rate {
            per_second: 0.0,
            burst: 30.0,
        },
    );
    let all = |cluster: &mut Cluster| (0..40).filter(|_| cluster.take(0, 1.0)).count();
    assert_eq!(all(&mut cluster), 10, "its share at once");
    cluster.exchange(0);
    assert_eq!(all(&mut cluster), 0, "the others may be spending theirs");
    for by in [1, 2, 1, 2, 0] {
        cluster.exchange(by);
    }
    let mut given = 10;
    for _ in 0..20 {
        given += all(&mut cluster);
        cluster.exchange(0);
    }
    assert_eq!(given, 30);
}

#[test]
fn a_lawful_client_is_never_refused_wherever_it_asks() {
    let mut cluster = Cluster::new(
        3,
        Rate {
            per_second: 10.0,
            burst: 1.0,
        },
    );
    for turn in 0..100 {
        assert!(cluster.take(turn % 3, 1.0), "the {turn}th take is refused");
        // In a tenth of a second each exchanges twice at least.
        for by in [0, 1, 2, 0, 1, 2, 0, 1, 2] {
            cluster.exchange(by);
        }
        cluster.now += Duration::from_millis(101);
    }
}

#[test]
fn whoever_is_apart_goes_on_by_its_share() {
    let rate = Rate {
        per_second: 30.0,
        burst: 30.0,
    };
    let apart = Gateways {
        count: 3,
        is_apart: true,
        have_read: 0,
    };
    let now = Duration::from_secs(1);
    let mut lease = Lease::unknown(rate, apart, now);
    let take = |lease: &mut Lease, now| {
        (0..50)
            .filter(|_| lease.take(1.0, rate, apart, now).wait_ms == 0)
            .count()
    };
    assert_eq!(take(&mut lease, now), 10);
    assert_eq!(lease.take(1.0, rate, apart, now).wait_ms, 100);
    assert_eq!(take(&mut lease, now + Duration::from_millis(500)), 5);
    assert_eq!(take(&mut lease, now + Duration::from_secs(60)), 10);
    // All of it is told once the others are there again.
    assert_eq!(lease.ask(rate).debit, 25.0);
}

#[test]
fn what_is_not_used_goes_back() {
    let rate = Rate {
        per_second: 0.0,
        burst: 30.0,
    };
    let two = Gateways {
        count: 2,
        is_apart: false,
        have_read: 0,
    };
    let mut lease = Lease::unknown(rate, two, Duration::ZERO);
    assert_eq!(lease.take(1.0, rate, two, Duration::ZERO).wait_ms, 0);
    assert_eq!(lease.ask(rate).debit, 15.0);
    lease.hear(
        Granted {
            tokens: 0.0,
            level: 15.0,
            room: 15.0,
            born: 1,
        },
        Duration::ZERO,
    );
    assert!(lease.review(), "half of what is hardly used");
    assert_eq!((lease.held(), lease.ask(rate).debit), (7.0, -7.0));
    lease.hear(
        Granted {
            tokens: 0.0,
            level: 22.0,
            room: 22.0,
            born: 1,
        },
        Duration::ZERO,
    );
    assert!(lease.review(), "all of what is not used");
    assert_eq!((lease.held(), lease.ask(rate).debit), (0.0, -7.0));
}

#[test]
fn a_take_of_more_than_the_burst_is_never_given() {
    let rate = Rate {
        per_second: 10.0,
        burst: 2.0,
    };
    let two = Gateways {
        count: 2,
        is_apart: false,
        have_read: 0,
    };
    let mut lease = Lease::unknown(rate, two, Duration::ZERO);
    let taken = lease.take(3.0, rate, two, Duration::ZERO);
    assert_eq!((taken.wait_ms, taken.left), (u32::MAX, 1));
}
