// Server-sent events out of text that comes in pieces.

export class EventParser {
  // What has come since the last line end.
  #pieces = [];
  #event = "";
  #data = [];
  #id = null;

  // The events that are whole by now, each `{event, data, id}`; the id is the
  // last that was given.
  feed(chunk) {
    const end = chunk.lastIndexOf("\n");
    if (end < 0) {
      this.#pieces.push(chunk);
      return [];
    }
    const text = this.#pieces.join("") + chunk.slice(0, end);
    this.#pieces = [chunk.slice(end + 1)];
    return text
      .split("\n")
      .map((line) => this.#line(line))
      .filter((event) => event !== null);
  }

  #line(text) {
    const line = text.endsWith("\r") ? text.slice(0, -1) : text;
    if (line === "") {
      return this.#dispatch();
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const start = line[colon + 1] === " " ? colon + 2 : colon + 1;
    const value = colon < 0 ? "" : line.slice(start);
    if (name === "event") {
      this.#event = value;
    } else if (name === "data") {
      this.#data.push(value);
    } else if (name === "id" && !value.includes("\0")) {
      this.#id = value;
    }
    return null;
  }

  #dispatch() {
    const [event, data] = [this.#event || "message", this.#data];
    this.#event = "";
    this.#data = [];
    return data.length === 0 ? null : { event, data: data.join("\n"), id: this.#id };
  }
}
