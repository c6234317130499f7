// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known name that is nearest to what was typed. Called for unknown keys,
// variables and commands.

/** Edits (insert, delete, replace, swap of neighbours) that turn one text into the other. */
export function distance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const cost = from[row - 1] === to[column - 1] ? 0 : 1;
      let least = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + cost,
      );
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && isSwap) least = Math.min(least, (before[column - 2] ?? 0) + 1);
      current.push(least);
    }
    before = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}

const normalized = (text: string): string => text.toLowerCase().replaceAll('-', '_').slice(0, 80);

/**
 * The name whose nearest form is within a third of what was typed, or undefined. `forms` gives the
 * other ways in which a name may be written.
 */
export function nearest(
  typed: string,
  names: Iterable<string>,
  forms: (name: string) => string[] = (name) => [name],
): string | undefined {
  const wanted = normalized(typed);
  let best: { name: string; edits: number } | undefined;
  for (const name of names) {
    for (const form of forms(name).map(normalized)) {
      const isStart = wanted.length >= 3 && form.startsWith(wanted);
      const edits = isStart ? 1 : distance(wanted, form);
      const allowed = Math.max(1, Math.floor(Math.min(wanted.length, form.length) / 3));
      if (edits <= allowed && (best === undefined || edits < best.edits)) best = { name, edits };
    }
  }
  return best?.name;
}
