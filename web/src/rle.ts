/**
 * Masks as runs: `[value, count, value, count, ...]` over the voxels of a grid, x fastest. Counts sum to the number of voxels.
 * Runs are never changed after they were made, so the undo history keeps them without copies.
 */
export type Runs = readonly number[];

/** A mask that holds `value` everywhere. */
export function constantRuns(voxels: number, value = 0): Runs {
  return voxels === 0 ? [] : [value, voxels];
}

export function encodeRuns(mask: ArrayLike<number>): Runs {
  const runs: number[] = [];
  let start = 0;
  while (start < mask.length) {
    const value = mask[start]!;
    let end = start + 1;
    while (end < mask.length && mask[end] === value) end++;
    runs.push(value, end - start);
    start = end;
  }
  return runs;
}

/** Throws a sentence when the runs do not describe exactly `voxels` voxels. */
export function checkRuns(runs: Runs, voxels: number): void {
  if (runs.length % 2 !== 0) throw new RangeError("a mask came with an odd number of entries");
  let sum = 0;
  for (let at = 0; at < runs.length; at += 2) {
    const [value, count] = [runs[at]!, runs[at + 1]!];
    if (!Number.isInteger(value) || value < 0 || value > 65535) throw new RangeError(`a mask has the value ${value}`);
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`a mask has a run of ${count} voxels`);
    sum += count;
  }
  if (sum !== voxels) throw new RangeError(`a mask came with ${sum} voxels, the image has ${voxels}`);
}

/** Calls `paint(value, from, to)` for every run that is not 0. */
export function forEachRun(runs: Runs, paint: (value: number, from: number, to: number) => void): void {
  let from = 0;
  for (let at = 0; at < runs.length; at += 2) {
    const to = from + runs[at + 1]!;
    if (runs[at] !== 0) paint(runs[at]!, from, to);
    from = to;
  }
}

/** Number of voxels of each value other than 0. */
export function countRuns(runs: Runs): Map<number, number> {
  const counts = new Map<number, number>();
  forEachRun(runs, (value, from, to) => counts.set(value, (counts.get(value) ?? 0) + to - from));
  return counts;
}
