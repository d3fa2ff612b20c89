//! The functions that a main module exports, by interface: they have the shape
//! of the generated ones for components.

use std::marker::PhantomData;

use wasmtime::{AsContextMut, Instance, Store, TypedFunc, WasmParams, WasmResults};

use super::crossing::{Crossing, clean_up};
use super::lift::Lift;
use super::lower::Lower;
use super::names::{function, post_return};
use crate::contract::imports::types::{ConfigError, Endpoint, Outcome};
use crate::contract::interface;
use crate::contract::roles::{routing, screening};
use crate::guest::Guest;
use crate::view;

/// An interface of the contract and a function in it.
type Names = (&'static str, &'static str);

/// Address and length.
type List = (u32, u32);

/// Three lists.
type Head = (u32, u32, u32, u32, u32, u32);

type Configure = Asked<List, Result<(), ConfigError>>;

/// A function that is called for its effect; `R` is its core result.
struct Told<P, R = ()> {
    function: TypedFunc<P, R>,
    clean_up: Option<TypedFunc<R, ()>>,
}

/// A function that leaves its answer in memory.
struct Asked<P, A> {
    told: Told<P, u32>,
    answer: PhantomData<fn() -> A>,
}

impl<P: WasmParams, R: WasmParams + WasmResults> Told<P, R> {
    fn load(store: &mut Store<Guest>, from: &Instance, names: Names) -> wasmtime::Result<Self> {
        let (interface, name) = (interface(names.0), names.1);
        let called = from.get_typed_func(&mut *store, &function(&interface, name))?;
        let clean_up = post_return(&interface, name);
        let clean_up = match from.get_func(&mut *store, &clean_up) {
            Some(function) => Some(function.typed(&*store)?),
            None => None,
        };
        Ok(Self {
            function: called,
            clean_up,
        })
    }
}

impl<P: WasmParams> Told<P> {
    fn call(&self, store: &mut Store<Guest>, parameters: P) -> wasmtime::Result<()> {
        self.function.call(&mut *store, parameters)?;
        match &self.clean_up {
            Some(function) => clean_up(store, function, ()),
            None => Ok(()),
        }
    }
}

impl<P: WasmParams, A: Lift> Asked<P, A> {
    fn load(store: &mut Store<Guest>, from: &Instance, names: Names) -> wasmtime::Result<Self> {
        Ok(Self {
            told: Told::load(store, from, names)?,
            answer: PhantomData,
        })
    }

    fn call(&self, store: &mut Store<Guest>, parameters: P) -> wasmtime::Result<A> {
        let at = self.told.function.call(&mut *store, parameters)?;
        let answer = Crossing::begin(store.as_context_mut())?.lift(at)?;
        if let Some(function) = &self.told.clean_up {
            clean_up(store, function, at)?;
        }
        Ok(answer)
    }
}

/// The head of the exchange that is being decided about.
fn head(store: &mut Store<Guest>) -> wasmtime::Result<Head> {
    let mut crossing = Crossing::begin(store.as_context_mut())?;
    let [method, authority, path] =
        crossing.lending(|crossing, view| crossing.show_texts(view::head(view)))?;
    Ok((method.0, method.1, authority.0, authority.1, path.0, path.1))
}

fn list<T: Lower>(store: &mut Store<Guest>, list: &[T]) -> wasmtime::Result<List> {
    Crossing::begin(store.as_context_mut())?.hand_over(list)
}

/// What every role that has a pool begins with.
struct Members {
    configure: Configure,
    update: Told<List>,
    eligible: Told<List>,
}

impl Members {
    fn load(
        store: &mut Store<Guest>,
        from: &Instance,
        role: &'static str,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            configure: Configure::load(store, from, (role, "configure"))?,
            update: Told::load(store, from, (role, "update"))?,
            eligible: Told::load(store, from, (role, "eligible"))?,
        })
    }
}

/// The calls that roles have alike.
macro_rules! calls {
    (configure of $($role:ident).+) => {
        pub(crate) fn call_configure(
            &self,
            store: &mut Store<Guest>,
            config: &str,
        ) -> wasmtime::Result<Result<(), ConfigError>> {
            let config = list(store, config.as_bytes())?;
            self.$($role).+.call(store, config)
        }
    };
    (members) => {
        calls!(configure of members.configure);

        pub(crate) fn call_update(
            &self,
            store: &mut Store<Guest>,
            endpoints: &[Endpoint],
        ) -> wasmtime::Result<()> {
            let endpoints = list(store, endpoints)?;
            self.members.update.call(store, endpoints)
        }

        pub(crate) fn call_eligible(
            &self,
            store: &mut Store<Guest>,
            slots: &[u32],
        ) -> wasmtime::Result<()> {
            let slots = list(store, slots)?;
            self.members.eligible.call(store, slots)
        }
    };
}

/// A request policy's.
pub(crate) struct Screening {
    configure: Configure,
    check: Asked<Head, screening::Verdict>,
}

impl Screening {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            configure: Configure::load(store, from, ("screening", "configure"))?,
            check: Asked::load(store, from, ("screening", "check"))?,
        })
    }

    calls!(configure of configure);

    pub(crate) fn call_check(
        &self,
        store: &mut Store<Guest>,
    ) -> wasmtime::Result<screening::Verdict> {
        let head = head(store)?;
        self.check.call(store, head)
    }
}

/// The router's.
pub(crate) struct Routing {
    configure: Configure,
    route: Asked<Head, routing::Decision>,
}

impl Routing {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            configure: Configure::load(store, from, ("routing", "configure"))?,
            route: Asked::load(store, from, ("routing", "route"))?,
        })
    }

    calls!(configure of configure);

    pub(crate) fn call_route(
        &self,
        store: &mut Store<Guest>,
    ) -> wasmtime::Result<routing::Decision> {
        let head = head(store)?;
        self.route.call(store, head)
    }
}

/// An affinity's.
pub(crate) struct Sticking {
    members: Members,
    lookup: Asked<(), Option<u32>>,
    bind: Told<u32>,
}

impl Sticking {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            members: Members::load(store, from, "sticking")?,
            lookup: Asked::load(store, from, ("sticking", "lookup"))?,
            bind: Told::load(store, from, ("sticking", "bind"))?,
        })
    }

    calls!(members);

    pub(crate) fn call_lookup(&self, store: &mut Store<Guest>) -> wasmtime::Result<Option<u32>> {
        self.lookup.call(store, ())
    }

    pub(crate) fn call_bind(&self, store: &mut Store<Guest>, slot: u32) -> wasmtime::Result<()> {
        store.data_mut().cookies.bound = Some(slot);
        let told = self.bind.call(store, slot);
        store.data_mut().cookies.bound = None;
        told
    }
}

/// A balancer's.
pub(crate) struct Balancing {
    members: Members,
    pick: Asked<u64, Option<u32>>,
}

impl Balancing {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            members: Members::load(store, from, "balancing")?,
            pick: Asked::load(store, from, ("balancing", "pick"))?,
        })
    }

    calls!(members);

    pub(crate) fn call_pick(
        &self,
        store: &mut Store<Guest>,
        key: u64,
    ) -> wasmtime::Result<Option<u32>> {
        self.pick.call(store, key)
    }
}

/// A scanning balancer's.
pub(crate) struct Scanning {
    members: Members,
    pick: Asked<(u64, u32, u32), Option<u32>>,
}

impl Scanning {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            members: Members::load(store, from, "scanning")?,
            pick: Asked::load(store, from, ("scanning", "pick"))?,
        })
    }

    calls!(members);

    pub(crate) fn call_pick(
        &self,
        store: &mut Store<Guest>,
        key: u64,
        load: &[u32],
    ) -> wasmtime::Result<Option<u32>> {
        let (load, length) = Crossing::begin(store.as_context_mut())?.show_numbers(load)?;
        self.pick.call(store, (key, load, length))
    }
}

/// A response policy's.
pub(crate) struct Finishing {
    configure: Configure,
    finish: Told<u32>,
}

impl Finishing {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            configure: Configure::load(store, from, ("finishing", "configure"))?,
            finish: Told::load(store, from, ("finishing", "finish"))?,
        })
    }

    calls!(configure of configure);

    pub(crate) fn call_finish(
        &self,
        store: &mut Store<Guest>,
        status: u16,
    ) -> wasmtime::Result<()> {
        self.finish.call(store, status.into())
    }
}

/// Hearing outcomes.
pub(crate) struct Observing {
    observe: Told<List>,
}

impl Observing {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        let observe = Told::load(store, from, ("observing", "observe"))?;
        Ok(Self { observe })
    }

    pub(crate) fn call_observe(
        &self,
        store: &mut Store<Guest>,
        outcomes: &[Outcome],
    ) -> wasmtime::Result<()> {
        let outcomes = list(store, outcomes)?;
        self.observe.call(store, outcomes)
    }
}

/// Handing state over.
pub(crate) struct Handover {
    save: Asked<(), (u32, Vec<u8>)>,
    restore: Asked<(u32, u32, u32), Result<(), String>>,
}

impl Handover {
    pub(crate) fn load(store: &mut Store<Guest>, from: &Instance) -> wasmtime::Result<Self> {
        Ok(Self {
            save: Asked::load(store, from, ("handover", "save"))?,
            restore: Asked::load(store, from, ("handover", "restore"))?,
        })
    }

    pub(crate) fn call_save(&self, store: &mut Store<Guest>) -> wasmtime::Result<(u32, Vec<u8>)> {
        self.save.call(store, ())
    }

    pub(crate) fn call_restore(
        &self,
        store: &mut Store<Guest>,
        schema: u32,
        state: &[u8],
    ) -> wasmtime::Result<Result<(), String>> {
        let (state, length) = list(store, state)?;
        self.restore.call(store, (schema, state, length))
    }
}
