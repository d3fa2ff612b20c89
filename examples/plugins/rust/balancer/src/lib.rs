//! A balancer that stays in its zone: of the endpoints that may be used, the
//! least loaded one whose label `zone` is the configured one; when there is
//! none, the least loaded of all.

use gatewright_plugin_sdk::{
    ConfigError, Endpoint, ScanningBalancer, Slot, UNUSABLE, endpoints, export,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The zone to stay in.
    zone: String,
}

pub struct SameZone {
    zone: String,
    /// By slot: whether it is in that zone.
    near: Vec<bool>,
    /// Where the next scan begins, so that equally loaded endpoints take turns.
    start: usize,
}

impl ScanningBalancer for SameZone {
    type Config = Config;

    fn configure(config: Config) -> Result<Self, ConfigError> {
        Ok(Self {
            zone: config.zone,
            near: Vec::new(),
            start: 0,
        })
    }

    fn update(&mut self, endpoints: Vec<Endpoint>) {
        let slots = endpoints.iter().map(|endpoint| endpoint.slot);
        self.near = vec![false; slots.clone().max().map_or(0, |last| last as usize + 1)];
        for slot in slots {
            self.near[slot as usize] = endpoints::label(slot, "zone").as_ref() == Some(&self.zone);
        }
    }

    fn pick(&mut self, _key: u64, load: &[u32]) -> Option<Slot> {
        let start = self.start.min(load.len());
        let best = (start..load.len())
            .chain(0..start)
            .filter(|slot| load[*slot] != UNUSABLE)
            // Far endpoints come after all near ones.
            .min_by_key(|slot| (self.near.get(*slot) != Some(&true), load[*slot]))?;
        self.start = best + 1;
        Some(best as Slot)
    }
}

export!(SameZone: scanning-balancer);

#[cfg(test)]
mod tests {
    use gatewright_plugin_sdk::testing::{endpoint, host};
    use gatewright_plugin_sdk::{ScanningBalancer, UNUSABLE};

    use super::{Config, SameZone};

    /// Four endpoints, of which slots 1 and 3 are in the zone.
    fn balancer() -> SameZone {
        host(|host| {
            for (slot, zone) in ["b", "a", "b", "a"].into_iter().enumerate() {
                let label = (slot as u32, "zone".to_owned());
                host.labels.insert(label, zone.to_owned());
            }
        });
        let zone = "a".to_owned();
        let Ok(mut balancer) = SameZone::configure(Config { zone }) else {
            panic!("any text is a zone");
        };
        balancer.update((0..4).map(|slot| endpoint(slot, 1)).collect());
        balancer
    }

    #[test]
    fn the_least_loaded_of_the_zone_is_picked() {
        assert_eq!(balancer().pick(0, &[0, 5, 0, 4]), Some(3));
    }

    #[test]
    fn equally_loaded_endpoints_take_turns() {
        let mut balancer = balancer();
        let picks: Vec<_> = (0..4).map(|_| balancer.pick(0, &[0; 4])).collect();
        assert_eq!(picks, [Some(1), Some(3), Some(1), Some(3)]);
    }

    #[test]
    fn without_the_zone_the_least_loaded_of_all_is_picked() {
        let load = [7, UNUSABLE, 6, UNUSABLE];
        assert_eq!(balancer().pick(0, &load), Some(2));
        assert_eq!(balancer().pick(0, &[UNUSABLE; 4]), None);
    }
}
