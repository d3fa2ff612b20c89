// The admin API: requests with the token, refusals as errors.

import { refusalOf, request } from "./http.js";
import { askForToken } from "./login.js";
import { authorization } from "./token.js";

export { ApiError } from "./http.js";

// Ask for something: `{data, tag, total}`. A state's tag in `match` makes a change
// depend on it. An answer of 401 opens the login, and the request goes on with
// the new token; what nobody waits for `isQuiet` and fails instead.
export async function ask(method, path, { body, match, isQuiet = false } = {}) {
  for (;;) {
    const answer = await request(path, { method, ...sent(body, match) });
    if (answer.status >= 200 && answer.status < 300 && answer.body !== null) {
      return { data: answer.body.data, tag: answer.tag, total: answer.total };
    }
    const refusal = refusalOf(answer);
    if (refusal.status !== 401 || isQuiet || !(await askForToken(refusal.message))) {
      throw refusal;
    }
  }
}

function sent(body, match) {
  const headers = { ...authorization(), ...(match && { "if-match": match }) };
  return body === undefined
    ? { headers }
    : {
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify(body),
      };
}

export const get = async (path) => (await ask("GET", path)).data;
export const look = async (path) => (await ask("GET", path, { isQuiet: true })).data;

// Changes answer what they came to, and the state's tag since.
export const post = (path, body, match) => ask("POST", path, { body, match });
export const put = (path, body, match) => ask("PUT", path, { body, match });
export const remove = (path, match) => ask("DELETE", path, { match });

// A path of the API with its parts and query escaped.
export function pathOf(parts, query = {}) {
  const path = ["api", ...parts].map((part) => encodeURIComponent(part)).join("/");
  const said = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  return said.length === 0 ? path : `${path}?${new URLSearchParams(said)}`;
}
