//! The requests that are under way, in places that are used again.

use std::sync::Arc;

use gatewright_model::circuit::Permit;
use gatewright_model::endpoint::Endpoint;
use gatewright_model::id::Slot;

use crate::agenda::Attempt;
use crate::asked::Tried;
use crate::gateway::Seat;
use crate::workload::Incoming;

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) incoming: Incoming,
    pub(crate) key: u64,
    pub(crate) pool: usize,
    pub(crate) tried: Tried,
    /// Whom the plugin has named for the next attempt.
    pub(crate) second_choice: Option<Slot>,
    /// The most attempts, by the plugin's advice.
    pub(crate) most_attempts: u32,
    /// When all attempts together have taken too long.
    pub(crate) due_ns: u64,
    pub(crate) is_measured: bool,
    /// The attempt that is waited for; 0 while there is none.
    pub(crate) serial: u32,
    pub(crate) trip: Option<Trip>,
}

/// An attempt that is waited for.
#[derive(Debug)]
pub(crate) struct Trip {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) server: u32,
    pub(crate) permit: Option<Permit>,
    pub(crate) sent_ns: u64,
    /// Whether the server has it.
    pub(crate) is_there: bool,
    /// The way back.
    pub(crate) way_ns: u64,
}

impl Request {
    /// Where it is decided about.
    pub(crate) fn seat(&self) -> Seat {
        Seat {
            worker: self.incoming.worker as usize,
            pool: self.pool,
        }
    }
}

/// All requests that are under way.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    places: Vec<Option<Request>>,
    free: Vec<u32>,
    serial: u32,
}

impl Requests {
    /// A request begins.
    pub(crate) fn enter(&mut self, request: Request) -> u32 {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(request);
            return place;
        }
        self.places.push(Some(request));
        self.places.len() as u32 - 1
    }

    /// A request is over.
    pub(crate) fn leave(&mut self, place: u32) -> Option<Request> {
        let request = self.places.get_mut(place as usize)?.take();
        if request.is_some() {
            self.free.push(place);
        }
        request
    }

    /// Whether none is under way.
    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    /// A number for the next attempt: never 0.
    pub(crate) fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1).max(1);
        self.serial
    }

    /// A request in its place.
    pub(crate) fn at(&mut self, place: u32) -> Option<&mut Request> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    /// The request of an attempt that is still waited for.
    pub(crate) fn waiting_for(&mut self, attempt: Attempt) -> Option<&mut Request> {
        let request = self.at(attempt.request)?;
        (request.serial == attempt.serial).then_some(request)
    }

    /// Whether an attempt is still waited for.
    pub(crate) fn waits_for(&self, attempt: Attempt) -> bool {
        let place = self.places.get(attempt.request as usize);
        let request = place.and_then(Option::as_ref);
        request.is_some_and(|request| request.serial == attempt.serial)
    }

    /// The attempts that some servers have.
    pub(crate) fn at_servers(&self, are_meant: impl Fn(u32) -> bool) -> Vec<Attempt> {
        let all = self.places.iter().enumerate();
        let there = all.filter_map(|(place, request)| {
            let request = request.as_ref()?;
            let trip = request.trip.as_ref()?;
            (trip.is_there && are_meant(trip.server)).then_some(Attempt {
                request: place as u32,
                serial: request.serial,
            })
        });
        there.collect()
    }
}
