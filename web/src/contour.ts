/**
 * The outline of the labels of a slice along the edges between voxels, exact to the voxel.
 *
 * `labels` is a slice of `columns` x `rows`, columns fastest. Segments `[x0, y0, x1, y1]` are in units of voxels from the slice's corner;
 * edges in one line are joined. Each label has its own outline, so that where two meet both colours are drawn.
 */
export function contours(labels: ArrayLike<number>, columns: number, rows: number): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const add = (label: number, x0: number, y0: number, x1: number, y1: number) => {
    let segments = found.get(label);
    if (!segments) found.set(label, (segments = []));
    const last = segments.length - 4;
    // The scan meets the edges of a straight line one after the other.
    const goesOn = last >= 0 && segments[last + 2] === x0 && segments[last + 3] === y0
      && (segments[last] === x1 || segments[last + 1] === y1);
    if (goesOn) {
      segments[last + 2] = x1;
      segments[last + 3] = y1;
    } else {
      segments.push(x0, y0, x1, y1);
    }
  };
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= columns || y >= rows ? 0 : labels[y * columns + x]!;
  for (let side = 0; side < 2; side++) {
    // First the edges below row y - 1, then those above row y: one after the other, so that straight lines are joined.
    for (let y = 0; y <= rows; y++) {
      for (let x = 0; x < columns; x++) {
        const [mine, other] = side === 0 ? [at(x, y - 1), at(x, y)] : [at(x, y), at(x, y - 1)];
        if (mine !== 0 && mine !== other) add(mine, x, y, x + 1, y);
      }
    }
    for (let x = 0; x <= columns; x++) {
      for (let y = 0; y < rows; y++) {
        const [mine, other] = side === 0 ? [at(x - 1, y), at(x, y)] : [at(x, y), at(x - 1, y)];
        if (mine !== 0 && mine !== other) add(mine, x, y, x, y + 1);
      }
    }
  }
  return found;
}
