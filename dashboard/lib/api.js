// The admin API: requests with the token, refusals as errors.

import { askForToken } from "./login.js";
import { authorization } from "./token.js";

// Why the API refused. `status` is 0 when there was no answer at all.
export class ApiError extends Error {
  constructor(status, { code = "unknown", message, field = null }) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

const NO_ANSWER = { code: "no_answer", message: "The gateway does not answer." };

// Ask for something. A state's tag in `match` makes a change depend on it; an
// answer of 401 opens the login, and the request goes on with the new token.
export async function ask(method, path, { body, match } = {}) {
  for (;;) {
    const response = await send(method, path, { body, match });
    if (response.status !== 401) {
      return taken(response);
    }
    const refusal = await refusalOf(response);
    if (!(await askForToken(refusal.message))) {
      throw refusal;
    }
  }
}

async function send(method, path, { body, match }) {
  const headers = { ...authorization() };
  if (match) {
    headers["if-match"] = match;
  }
  if (body !== undefined) {
    headers["content-type"] = "application/json";
  }
  const content = body === undefined ? undefined : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: content, cache: "no-store" });
  } catch {
    throw new ApiError(0, NO_ANSWER);
  }
}

async function taken(response) {
  if (!response.ok) {
    throw await refusalOf(response);
  }
  const answer = await response.json();
  return { data: answer.data, tag: response.headers.get("etag") };
}

export async function refusalOf(response) {
  try {
    const { error } = await response.json();
    return new ApiError(response.status, error);
  } catch {
    return new ApiError(response.status, { message: `The gateway answered ${response.status}.` });
  }
}

export const get = async (path) => (await ask("GET", path)).data;
export const post = async (path, body) => (await ask("POST", path, { body })).data;
export const put = async (path, body, match) => (await ask("PUT", path, { body, match })).data;
export const remove = async (path) => (await ask("DELETE", path)).data;

// A path of the API with its parts and query escaped.
export function pathOf(parts, query = {}) {
  const path = ["api", ...parts].map((part) => encodeURIComponent(part)).join("/");
  const said = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  return said.length === 0 ? path : `${path}?${new URLSearchParams(said)}`;
}
