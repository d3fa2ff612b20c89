// Asking for the access token when the gateway wants one.

import { openForm } from "./dialog.js";
import { refusalOf, request } from "./http.js";
import { authorization, keepToken, token } from "./token.js";

let asking = null;

// Ask for a token, once for all requests that want one. True when there is one
// that the gateway knows; false when the dialog was closed without.
export function askForToken(reason) {
  asking ??= openForm({
    title: "Access token",
    text: token()
      ? reason
      : "This gateway asks for a token. The role “read” looks at everything, “operate” also changes servers and pools, “deploy” also plugins.",
    fields: [
      {
        name: "token",
        label: "Token",
        type: "password",
        hint: "Kept in this tab until it is closed. “gatewright token create” makes one.",
      },
    ],
    action: "Sign in",
    onSubmit: signIn,
  }).finally(() => {
    asking = null;
  });
  return asking.then((done) => done === true);
}

async function signIn({ token: wanted }) {
  if (!wanted) {
    throw blame("Paste a token.");
  }
  const answer = await request("api/health", { headers: authorization(wanted) });
  if (answer.status !== 200) {
    throw blame(refusalOf(answer).message);
  }
  keepToken(wanted);
  return true;
}

function blame(message) {
  return Object.assign(new Error(message), { field: "token" });
}
