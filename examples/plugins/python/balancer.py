"""A balancer that stays in its zone: of the endpoints that may be used, the
least loaded one whose label `zone` is the configured one; when there is none,
the least loaded of all."""

import functools
import json
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import log
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


def told(decide):
    """A function that tells the plugin's log what it raises."""

    @functools.wraps(decide)
    def telling(*given):
        try:
            return decide(*given)
        except Exception as error:
            calls = traceback.walk_tb(error.__traceback__)
            places = [f"{frame.f_code.co_name}:{line}" for frame, line in calls]
            log.write(log.Level.ERROR, f"{error!r} in {' > '.join(places)}")
            raise

    return telling


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

    @told
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
