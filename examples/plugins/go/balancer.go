// A balancer that stays in its zone: of the endpoints that may be used, the
// least loaded one whose label `zone` is the configured one; when there is
// none, the least loaded of all.
package main

import (
	"encoding/json"
	"math"
)

// What pick finds in load for a slot that this attempt may not use.
const unusable = math.MaxUint32

// The configuration.
var config struct {
	Zone *string `json:"zone"`
}

// By slot: whether it is in that zone.
var near []bool

// Where the next scan begins, so that equally loaded endpoints take turns.
var start int

// Take over the configuration; the error names the key.
func configure(text []byte) (key, reason string) {
	if err := json.Unmarshal(text, &config); err != nil {
		return "zone", err.Error()
	}
	if config.Zone == nil {
		return "zone", `it must be a text, such as "a"`
	}
	return "", ""
}

// Note which endpoints are near.
func update(endpoints []endpoint) {
	clear(near)
	for _, endpoint := range endpoints {
		for int(endpoint.slot) >= len(near) {
			near = append(near, false)
		}
		zone, known := label(endpoint.slot, "zone")
		near[endpoint.slot] = known && zone == *config.Zone
	}
}

// Choose among the slots of load.
func pick(load []uint32) (slot uint32, found bool) {
	least := uint64(math.MaxUint64)
	for step := range load {
		at := (start + step) % len(load)
		if load[at] == unusable {
			continue
		}
		rank := uint64(load[at])
		// Far endpoints come after all near ones.
		if at >= len(near) || !near[at] {
			rank |= 1 << 32
		}
		if rank < least {
			least, slot, found = rank, uint32(at), true
		}
	}
	if found {
		start = int(slot) + 1
	}
	return slot, found
}

func main() {}
