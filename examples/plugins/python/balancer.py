"""A balancer that stays in its zone: of the endpoints that may be used, the
least loaded one whose label `zone` is the configured one; when there is none,
the least loaded of all."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.endpoints import label
from wit_world.imports.types import ConfigError

# What `pick` finds in `load` for a slot that this attempt may not use.
UNUSABLE = 0xFFFF_FFFF

# What is remembered between calls. It lies here and not in `self`, for
# componentize-py makes an object of the class for each of its functions.
zone = ""
# The slots in that zone.
near = frozenset()
# Where the next scan begins, so that equally loaded endpoints take turns.
start = 0


class Scanning(exports.Scanning):
    def configure(self, config):
        global zone
        zone = json.loads(config).get("zone")
        if not isinstance(zone, str):
            raise Err(ConfigError("zone", 'it must be a text, such as "a"'))

    def update(self, endpoints):
        global near
        slots = (endpoint.slot for endpoint in endpoints)
        near = frozenset(slot for slot in slots if label(slot, "zone") == zone)

    def eligible(self, slots):
        """`load` says the same, and is newer."""

    def pick(self, key, load):
        global start
        best = None
        least = None
        for step in range(len(load)):
            slot = (start + step) % len(load)
            if load[slot] == UNUSABLE:
                continue
            # Far endpoints come after all near ones.
            rank = (slot not in near, load[slot])
            if least is None or rank < least:
                best, least = slot, rank
        if best is not None:
            start = best + 1
        return best
