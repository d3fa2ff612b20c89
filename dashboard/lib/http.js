// Requests to the gateway, each with a limit of time, and refusals as errors.

// How long an answer may take: who only looks is answered at once, while a
// change is first prepared for every worker, compiled perhaps.
const LOOK_MS = 8_000;
const CHANGE_MS = 60_000;

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

// The refusal in an answer, whose body is null where it was no JSON.
export function refusalOf({ status, body }) {
  return new ApiError(status, body?.error ?? { message: `The gateway answered ${status}.` });
}

// Ask for something and wait for the whole answer: `{status, tag, total, body}`,
// where `total` is how much there is on all pages of a list.
export async function request(path, { method = "GET", headers, body } = {}) {
  const isLook = method === "GET";
  const signal = AbortSignal.timeout(isLook ? LOOK_MS : CHANGE_MS);
  try {
    const response = await fetch(path, { method, headers, body, cache: "no-store", signal });
    const answer = await response.json().catch(nullIfNoJson);
    const { status, headers: told } = response;
    const total = told.has("x-total-count") ? Number(told.get("x-total-count")) : null;
    return { status, tag: told.get("etag"), total, body: answer };
  } catch (error) {
    throw new ApiError(0, error.name === "TimeoutError" ? late(isLook) : NO_ANSWER);
  }
}

export const NO_ANSWER = { code: "no_answer", message: "The gateway does not answer." };

function late(isLook) {
  const message = isLook
    ? "The gateway has not answered in time."
    : "The gateway has not answered in time; it may do what was asked all the same.";
  return { code: "late", message };
}

function nullIfNoJson(error) {
  if (error instanceof SyntaxError) {
    return null;
  }
  throw error;
}
