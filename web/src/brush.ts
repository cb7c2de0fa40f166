/**
 * The layer of corrections by brush. A voxel of it is 0 (untouched), 1 (erased) or label + 1, and wins over every result, so that
 * corrections survive the next click. It is kept in blocks of consecutive voxels that are copied when they are first written to in a stroke:
 * older states of the undo history share all other blocks.
 */
export type BrushLayer = ReadonlyMap<number, Uint16Array>;

export const NO_BRUSH: BrushLayer = new Map();
export const ERASED = 1;
const BITS = 12;
const BLOCK = 1 << BITS;

export function paintValue(label: number): number {
  return label + 1;
}

export function forEachBrushed(layer: BrushLayer, visit: (voxel: number, label: number) => void): void {
  for (const [key, block] of layer) {
    const start = key << BITS;
    for (let at = 0; at < BLOCK; at++) if (block[at] !== 0) visit(start + at, block[at]! - 1);
  }
}

/** One stroke: a layer in the making, which shares what it does not touch with the layer it began on. */
export class Stroke {
  private readonly blocks: Map<number, Uint16Array>;
  private readonly own = new Set<number>();

  constructor(before: BrushLayer) {
    this.blocks = new Map(before);
  }

  set(voxel: number, value: number): void {
    const key = voxel >>> BITS;
    let block = this.blocks.get(key);
    if (!this.own.has(key)) {
      block = block ? block.slice() : new Uint16Array(BLOCK);
      this.blocks.set(key, block);
      this.own.add(key);
    }
    block![voxel & (BLOCK - 1)] = value;
  }

  get changed(): boolean {
    return this.own.size > 0;
  }

  layer(): BrushLayer {
    return this.blocks;
  }
}

/** The layer without what one label wrote: for clearing a label. */
export function withoutLabel(layer: BrushLayer, label: number): BrushLayer {
  const stroke = new Stroke(layer);
  forEachBrushed(layer, (voxel, brushed) => {
    if (brushed === label) stroke.set(voxel, 0);
  });
  return stroke.layer();
}

/**
 * Voxels `[i, j]` of a plane whose centres lie within `radius` mm of the segment from `a` to `b`; the voxels at both ends always belong.
 * Points are voxel coordinates (a voxel's centre has whole numbers), spacing is in mm.
 */
export function disc(
  a: readonly [number, number],
  b: readonly [number, number],
  radius: number,
  spacing: readonly [number, number],
  size: readonly [number, number],
): [number, number][] {
  const ends = [a, b].map(([i, j]) => `${Math.round(i)},${Math.round(j)}`);
  const reach = [radius / spacing[0] + 1, radius / spacing[1] + 1];
  const from = [0, 1].map((k) => Math.max(0, Math.floor(Math.min(a[k]!, b[k]!) - reach[k]!)));
  const to = [0, 1].map((k) => Math.min(size[k]! - 1, Math.ceil(Math.max(a[k]!, b[k]!) + reach[k]!)));
  const [dx, dy] = [(b[0] - a[0]) * spacing[0], (b[1] - a[1]) * spacing[1]];
  const length2 = dx * dx + dy * dy;
  const voxels: [number, number][] = [];
  for (let j = from[1]!; j <= to[1]!; j++) {
    for (let i = from[0]!; i <= to[0]!; i++) {
      const [px, py] = [(i - a[0]) * spacing[0], (j - a[1]) * spacing[1]];
      const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
      const inside = (px - t * dx) ** 2 + (py - t * dy) ** 2 <= radius * radius;
      if (inside || ends.includes(`${i},${j}`)) voxels.push([i, j]);
    }
  }
  return voxels;
}
