// Sending a component: unlike `fetch`, XMLHttpRequest says how far the bytes are.

import { ApiError, refusalOf } from "./http.js";
import { askForToken } from "./login.js";
import { authorization } from "./token.js";

// Send a file; `onProgress` is told the share that has been sent, from 0 to 1.
export async function upload(path, file, onProgress) {
  for (;;) {
    const answer = await sent(path, file, onProgress);
    if (answer.status === 0) {
      throw new ApiError(0, { message: "The connection was lost while the file was sent." });
    }
    if (answer.status < 300) {
      return answer.body.data;
    }
    const refusal = refusalOf(answer);
    if (refusal.status !== 401 || !(await askForToken(refusal.message))) {
      throw refusal;
    }
  }
}

function sent(path, file, onProgress) {
  return new Promise((answer) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    const headers = { "content-type": "application/wasm", ...authorization() };
    for (const [name, value] of Object.entries(headers)) {
      request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
    request.upload.addEventListener("load", () => onProgress(1));
    request.addEventListener("loadend", () =>
      answer({ status: request.status, body: request.response }),
    );
    request.send(file);
  });
}
