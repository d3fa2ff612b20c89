// The last minute of figures, second by second.

// Values of each that are kept.
export const POINTS = 60;

// Seconds that are missing make a gap, which no line goes over.
const LONGEST_STEP_S = 1.6;

// The last values of every series by its name; those that come no more go.
export class Trends {
  #series = new Map();
  // Moments in seconds: of the first value of all that are kept, of the newest.
  #from = null;
  #newest = null;

  // Put what was before the first value before it.
  begin(name, times, values) {
    const isEarlier = (value, index) => value !== null && times[index] < this.#from - 0.1;
    const whole = [...values.filter(isEarlier), ...this.of(name)];
    this.#series.set(name, whole.slice(-POINTS));
  }

  // Take a second's value in for each name. True when the lines begin anew: at
  // first, and after a gap.
  take(at, pairs) {
    const step = this.#newest === null ? Infinity : at - this.#newest;
    const isGap = step < 0 || step > LONGEST_STEP_S;
    if (step === 0) {
      return false;
    }
    if (isGap) {
      this.#series.clear();
      this.#from = at;
    }
    this.#newest = at;
    const seen = new Set();
    for (const [name, value] of pairs) {
      seen.add(name);
      let values = this.#series.get(name);
      if (!values) {
        values = [];
        this.#series.set(name, values);
      }
      values.push(value ?? 0);
      if (values.length > POINTS) {
        values.shift();
      }
    }
    for (const name of this.#series.keys()) {
      if (!seen.has(name)) {
        this.#series.delete(name);
      }
    }
    return isGap;
  }

  of(name) {
    return this.#series.get(name) ?? [];
  }
}
