// A server's weight: as it is set, as it is in force, and changed in place.

import { button, element, setAttribute, setText } from "../../lib/dom.js";
import { weighServer } from "./server-actions.js";

export function weightCell(server) {
  let now = server;
  const node = element("span", { class: "weight" });
  const set = button("", { class: "link" }, edit);
  const inForce = element("span", { class: "quiet" });
  node.append(set, inForce);

  function edit() {
    const wrong = element("span", { class: "field-error", role: "alert" });
    const input = element("input", {
      value: now.weight,
      inputmode: "numeric",
      autocomplete: "off",
      "aria-label": `Weight of ${now.serverId}`,
      on: { keydown, blur: close },
    });
    // The keyboard of a phone may have no Enter. The field keeps its focus.
    const take = button("Set", { class: "small", on: { pointerdown: stay }, tabindex: -1 }, send);
    let isSending = false;
    node.replaceChildren(input, take, wrong);
    input.focus();
    input.select();

    function keydown(event) {
      if (event.key === "Escape") {
        close();
        set.focus();
      } else if (event.key === "Enter") {
        send();
      }
    }

    function stay(event) {
      event.preventDefault();
    }

    async function send() {
      if (isSending) {
        return;
      }
      isSending = true;
      const error = await weighServer(now, input.value.trim());
      isSending = false;
      if (error === null) {
        close();
        set.focus();
      } else {
        setAttribute(input, "aria-invalid", "true");
        setText(wrong, error.message);
      }
    }

    // Leaving the field changes nothing: only Enter and the button do.
    function close() {
      if (!isSending && input.isConnected) {
        node.replaceChildren(set, inForce);
      }
    }
  }

  return {
    node,
    update(server) {
      now = server;
      setText(set, String(server.weight));
      setAttribute(set, "aria-label", `Change the weight of ${server.serverId}, ${server.weight}`);
      const { weight, weightInForce = weight } = server;
      setText(inForce, weightInForce === weight ? "" : `→ ${weightInForce}`);
      setAttribute(
        inForce,
        "title",
        weightInForce === weight ? null : "The weight that is in force now",
      );
    },
  };
}
