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
    let isSending = false;
    node.replaceChildren(input, wrong);
    input.focus();
    input.select();

    async function keydown(event) {
      if (event.key === "Escape") {
        close();
        set.focus();
      } else if (event.key === "Enter" && !isSending) {
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
    }

    // Leaving the field changes nothing: only Enter does.
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
