// The access token: for this tab alone, until it is closed.

const KEY = "gatewright-token";

export function token() {
  return sessionStorage.getItem(KEY);
}

export function keepToken(value) {
  sessionStorage.setItem(KEY, value);
}

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}

// The header that shows a token, if there is one.
export function authorization(value = token()) {
  return value ? { authorization: `Bearer ${value}` } : {};
}
