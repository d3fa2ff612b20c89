//! The guard of one exchange, from the request's head to the response's end: it
//! counts, and it has those told who are told of the request.

use std::rc::Rc;
use std::time::Instant;

use gatewright_host::Trace;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version};

use crate::access_log;
use crate::account::{Account, Ended};
use crate::connection::Client;
use crate::current::Current;
use crate::facts::{Facts, Held};
use crate::request_body::RequestBody;
use crate::respond::Denial;
use crate::spans;
use crate::streams::Gave;
use crate::trace_context::Context;
use crate::upload::Upload;
use crate::upstream::CutShort;

/// The guard of one exchange.
pub(crate) struct Serving {
    client: Rc<Client>,
    started: Instant,
    responded: bool,
    /// What is noted of the request, until its facts are there.
    account: Option<Box<Account>>,
    /// The facts of the request; none any more where nobody is told of it and
    /// the response's head has been made.
    held: Option<Held>,
    /// Whether the whole response has gone.
    is_whole: bool,
    /// Whether its body is written by the connection's own task, as over HTTP/1.1.
    is_paced: bool,
}

impl Serving {
    /// Begin one whose request has a body, or has none.
    pub(crate) fn begin(client: &Rc<Client>, version: Version, has_body: bool) -> Self {
        client.begins(version, has_body);
        let counters = client.worker.counters();
        counters.requests.add(1);
        counters.in_flight.add(1);
        Self {
            client: Rc::clone(client),
            started: Instant::now(),
            responded: false,
            account: None,
            held: None,
            is_whole: false,
            is_paced: version <= Version::HTTP_11,
        }
    }

    /// Take in a request, with its body if it has one, and open an account of it if
    /// somebody is told of it. The facts are held until the end; what is given back is
    /// what servers get of the body. Refused is what nobody is to decide on.
    pub(crate) fn take_in(
        &mut self,
        current: &Current,
        parts: Parts,
        body: Option<Upload>,
    ) -> Result<RequestBody, Denial> {
        let has_body = body.is_some();
        let worker = &self.client.worker;
        let tracing = current.snapshot.config.tracing.as_deref();
        let context = tracing
            .map(|tracing| Context::of(&parts.headers, tracing, &mut worker.random.borrow_mut()));
        self.account = Account::open(&self.client, current, &parts, (has_body, context));
        if worker.is_overloaded() {
            worker.counters().shed.add(1);
            return Err(Denial::Shed);
        }
        let facts = Facts::read(&self.client, parts, has_body, self.started)?;
        let held = self.held.insert(Held::new(facts));
        if let Some(context) = context {
            context.mark(&mut held.headers);
            if context.is_sampled {
                held.effects.trace = Some(Box::<Trace>::default());
            }
        }
        held.noted.put(self.account.take());
        let limits = &current.snapshot.config.limits;
        Ok(match body {
            Some(body) => RequestBody::new(body, held, limits),
            None => RequestBody::none(),
        })
    }

    /// The facts of the request that was `taken` in, and its body, unless that came to a
    /// refusal.
    pub(crate) fn held(
        &mut self,
        taken: Result<RequestBody, Denial>,
    ) -> Result<(&mut Held, RequestBody), Denial> {
        let body = taken?;
        let held = self.held.as_mut().ok_or(Denial::Ending)?;
        Ok((held, body))
    }

    /// The response's body was asked for more.
    pub(crate) fn gave(&self, what: Gave) {
        self.client.gave(what);
    }

    /// Whether the response's body is to wait until what it gave is written.
    pub(crate) fn holds(&self) -> bool {
        self.is_paced && self.client.pace.holds()
    }

    /// So many bytes of the response's body go to the client.
    pub(crate) fn sent(&self, bytes: usize) {
        if self.is_paced {
            self.client.pace.gave(bytes);
        }
        if let Some(account) = self.account() {
            account.sent.set(account.sent.get() + bytes as u64);
        }
    }

    /// The response's body broke off.
    pub(crate) fn broke(&self, why: &CutShort) {
        if let Some(account) = self.account() {
            account.broke.set(Some(match why {
                CutShort::Stalled => Ended::Timeout,
                _ => Ended::UpstreamBroke,
            }));
        }
    }

    /// The whole response has gone.
    pub(crate) fn is_over(&mut self) {
        self.is_whole = true;
    }

    /// The response's head was ready `at` that time.
    pub(crate) fn responded(&mut self, status: StatusCode, at: Instant) {
        self.responded = true;
        let counters = self.client.worker.counters();
        counters.responded(status.as_u16());
        let micros = (at - self.started).as_micros();
        counters
            .latency
            .record(u32::try_from(micros).unwrap_or(u32::MAX));
        match self.account() {
            Some(account) => account.answered.set(Some((status, at))),
            None => self.let_go(),
        }
    }

    /// The response's head is as the client gets it.
    pub(crate) fn head(&self, headers: &HeaderMap) {
        if let Some(account) = self.account() {
            let current = self.client.worker.current();
            account.head(headers, &current.logged_headers);
        }
    }

    fn account(&self) -> Option<&Account> {
        let of_facts = self.held.as_ref().and_then(|held| held.noted.get());
        of_facts.or(self.account.as_deref())
    }

    /// Let go of the facts: their place is of use to another request, and the map of
    /// their headers to a response.
    fn let_go(&mut self) {
        if let Some(held) = self.held.take() {
            let worker = &self.client.worker;
            worker.landing.keep(held.vacate(&worker.places));
        }
    }

    /// Have those told who are told of the request.
    fn tell(&mut self) {
        let of_facts = self.held.as_mut().and_then(|held| held.noted.take());
        let Some(account) = of_facts.or(self.account.take()) else {
            return;
        };
        let has_gone = self.is_whole || account.asked.method == Method::HEAD && self.responded;
        let ended = account.broke.get().unwrap_or(match has_gone {
            true => Ended::Complete,
            false => Ended::ClientGone,
        });
        let facts = self.held.as_deref();
        access_log::tell(&self.client, &account, facts, (self.started, ended));
        if let Some(recorded) = spans::record(&self.client, &account, facts, (self.started, ended))
        {
            self.client.worker.telemetry.export(recorded);
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let counters = self.client.worker.counters();
        counters.in_flight.sub(1);
        if !self.responded {
            counters.abandoned.add(1);
        }
        self.tell();
        self.let_go();
        self.client.rested();
    }
}
