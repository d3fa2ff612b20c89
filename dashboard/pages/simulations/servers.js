// What a policy did to the servers: each over time, and each group in all.

import { element } from "../../lib/dom.js";
import { count, percent } from "../../lib/format.js";
import { Table } from "../../lib/table.js";
import { HeatMap } from "./heat-map.js";

const section = document.getElementById("heat");
const under = document.getElementById("under");
const groups = document.getElementById("groups");
const place = document.getElementById("heat-map");

const figure = (id, label, value, form) => ({
  id,
  label,
  isNumber: true,
  sort: value,
  text: (group) => form(value(group)),
});

export class Servers {
  #map = new HeatMap(place);
  #rows = [];
  #table = new Table({
    caption: "Groups of servers",
    key: ({ name }) => name,
    columns: [
      {
        id: "group",
        label: "Group",
        isHead: true,
        sort: ({ name }) => name,
        text: ({ name }) => name,
      },
      figure("servers", "Servers", ({ servers }) => servers, count),
      figure("requests", "Requests", ({ requests }) => requests, count),
      figure("fewest", "Fewest on one", ({ fewest }) => fewest, count),
      figure("most", "Most on one", ({ most }) => most, count),
      figure("used", "Utilisation", ({ utilisation }) => utilisation, percent),
    ],
  });

  // `onChoose` is told whose is shown.
  constructor(name, onChoose) {
    this.wanted = name;
    groups.append(this.#table.element);
    under.addEventListener("change", () => {
      this.wanted = under.value;
      onChoose(this.wanted);
      this.#show();
    });
  }

  // Those of these rows that tell of their servers.
  show(rows) {
    this.#rows = rows.filter(({ outcome: { heat, load, groups: own } }) => (heat && load) || own);
    section.hidden = this.#rows.length === 0;
    if (this.#rows.length > 0) {
      this.#show();
    }
  }

  #show() {
    const names = this.#rows.map(({ name }) => name);
    const isWanted = ({ name, outcome }) => [name, outcome.policy].includes(this.wanted);
    const shown = this.#rows.find(isWanted) ?? this.#rows[0];
    under.replaceChildren(...names.map((name) => element("option", {}, name)));
    under.value = shown.name;
    const { heat, load, groups: own = [] } = shown.outcome;
    place.hidden = !(heat && load && load.atS.length > 0);
    if (!place.hidden) {
      this.#map.show(shown.name, shown.outcome);
    }
    groups.hidden = own.length === 0;
    this.#table.show(own);
  }
}
