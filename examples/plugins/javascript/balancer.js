// A balancer that stays in its zone: of the endpoints that may be used, the
// least loaded one whose label `zone` is the configured one; when there is none,
// the least loaded of all.

import { label } from "gatewright:plugin/endpoints@0.1.0";
import { write } from "gatewright:plugin/log@0.1.0";

/** What `pick` finds in `load` for a slot that this attempt may not use. */
const UNUSABLE = 0xffffffff;

/** The zone to stay in. */
let zone = "";
/** The slots in that zone. */
let near = new Set();
/** Where the next scan begins, so that equally loaded endpoints take turns. */
let start = 0;

/** A function that tells the plugin's log what it throws. */
function told(decide) {
    return (...given) => {
        try {
            return decide(...given);
        } catch (error) {
            write("error", `${error}\n${error.stack}`);
            throw error;
        }
    };
}

export const scanning = {
    configure(config) {
        zone = JSON.parse(config).zone;
        if (typeof zone !== "string") {
            // What is thrown is the error of the contract's `result`.
            throw { key: "zone", reason: "it must be a text, such as \"a\"" };
        }
    },

    update(endpoints) {
        near = new Set();
        for (const { slot } of endpoints) {
            if (label(slot, "zone") === zone) near.add(slot);
        }
    },

    eligible() {
        // `load` says the same, and is newer.
    },

    pick: told((_key, load) => {
        let best, bestIsNear, bestLoad;
        for (let step = 0; step < load.length; step++) {
            const slot = (start + step) % load.length;
            if (load[slot] === UNUSABLE) continue;
            const isNear = near.has(slot);
            const better = isNear === bestIsNear ? load[slot] < bestLoad : isNear;
            if (best === undefined || better) {
                [best, bestIsNear, bestLoad] = [slot, isNear, load[slot]];
            }
        }
        if (best !== undefined) start = best + 1;
        return best;
    }),
};
