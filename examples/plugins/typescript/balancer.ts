// A balancer that stays in its zone: of the endpoints that may be used, the
// least loaded one whose label `zone` is the configured one; when there is none,
// the least loaded of all.

import { label } from "gatewright:plugin/endpoints@0.1.0";
import { write } from "gatewright:plugin/log@0.1.0";
import type { Scanning } from "./contract.js";

/** What `pick` finds in `load` for a slot that this attempt may not use. */
const UNUSABLE = 0xffffffff;

/** The zone to stay in. */
let zone = "";
/** The slots in that zone. */
let near = new Set<number>();
/** Where the next scan begins, so that equally loaded endpoints take turns. */
let start = 0;

/** A function that tells the plugin's log what it throws. */
function told<Given extends unknown[], Answer>(decide: (...given: Given) => Answer) {
    return (...given: Given): Answer => {
        try {
            return decide(...given);
        } catch (error) {
            write("error", error instanceof Error ? `${error}\n${error.stack}` : String(error));
            throw error;
        }
    };
}

export const scanning: Scanning = {
    configure(config) {
        const read: { zone?: unknown } = JSON.parse(config);
        if (typeof read.zone !== "string") {
            // What is thrown is the error of the contract's `result`.
            throw { key: "zone", reason: "it must be a text, such as \"a\"" };
        }
        zone = read.zone;
    },

    update(endpoints) {
        const slots = endpoints.map((endpoint) => endpoint.slot);
        near = new Set(slots.filter((slot) => label(slot, "zone") === zone));
    },

    eligible() {
        // `load` says the same, and is newer.
    },

    pick: told((_key: bigint, load: ArrayLike<number>) => {
        let best: { slot: number; isNear: boolean; load: number } | undefined;
        for (let step = 0; step < load.length; step++) {
            const slot = (start + step) % load.length;
            const active = load[slot] ?? UNUSABLE;
            if (active === UNUSABLE) continue;
            const isNear = near.has(slot);
            if (!best || (isNear === best.isNear ? active < best.load : isNear)) {
                best = { slot, isNear, load: active };
            }
        }
        if (best) start = best.slot + 1;
        return best?.slot;
    }),
};
