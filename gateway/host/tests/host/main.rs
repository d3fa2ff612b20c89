//! The plugin host with real components: what is let in, what a decision costs
//! a plugin that misbehaves, what a change carries over.

mod admission;
mod changes;
mod defaults;
mod faults;
mod imports;
mod support;
