// A router by cookie: requests that carry the cookie go to one pool, all others
// to another, as one tries a new release with those who asked for it.

import { write } from "gatewright:plugin/log@0.1.0";
import { index } from "gatewright:plugin/pools@0.1.0";
import { cookie } from "gatewright:plugin/request@0.1.0";

/** The cookie's name. */
let name = "";
/** The pool of requests that carry it, and that of the others. */
let withCookie, without;

function pool(config, key) {
    const found = index(String(config[key]));
    if (found == null) {
        throw { key, reason: "it must be the name of a pool" };
    }
    return found;
}

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

export const routing = {
    configure(text) {
        const config = JSON.parse(text);
        name = config.cookie;
        if (typeof name !== "string") {
            throw { key: "cookie", reason: "it must be the name of a cookie" };
        }
        withCookie = pool(config, "with");
        without = pool(config, "without");
    },

    route: told(() => {
        const carries = cookie(name) != null; // an `option` that is none
        return { tag: "forward", val: carries ? withCookie : without };
    }),
};
