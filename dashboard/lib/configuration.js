// States of the configuration, each told apart by the run of the gateway that it
// belongs to and its number there: generations count from 1 in every run.

export const configurationOf = ({ run, generation }) => `${run}-${generation}`;

// The state that an answer of the API is about, by its tag; null where a proxy has
// taken that away.
export const configurationIn = ({ tag }) => /"(.+)"/.exec(tag)?.[1] ?? null;

// Whether a state came before another one. Of two runs nobody knows.
export function isEarlier(one, other) {
  if (one === null || other === null) {
    return false;
  }
  const [[run, generation], [otherRun, otherGeneration]] = [one, other].map((state) =>
    state.split("-"),
  );
  return run === otherRun && Number(generation) < Number(otherGeneration);
}
