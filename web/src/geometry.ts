/** Voxel grids and the planes through them: which voxel lies under a point of the screen. */
export type Triple = readonly [number, number, number];
/** Rows of the affine from voxel indices to world coordinates in mm, RAS+. */
export type Affine = readonly [readonly number[], readonly number[], readonly number[]];

export type PlaneName = "axial" | "coronal" | "sagittal" | "image";

/** A plane of the grid as it is shown: `u` goes along the screen's x, `v` along its y (downwards). */
export interface Plane {
  readonly name: PlaneName;
  /** Voxel axis along which one scrolls. */
  readonly axis: 0 | 1 | 2;
  readonly u: 0 | 1 | 2;
  readonly v: 0 | 1 | 2;
  /** Whether the voxel index falls where the screen's coordinate rises. */
  readonly flipU: boolean;
  readonly flipV: boolean;
  /** Directions of the body at the left, right, top and bottom edge; empty for a picture that has none. */
  readonly edges: readonly [string, string, string, string] | null;
}

type Axis = 0 | 1 | 2;

/**
 * The planes of an image. Voxel axes are given to the directions of the body that they follow most closely, and shown as radiologists do: the
 * patient's right at the left, front and head at the top. A 2-D image is shown as it is stored.
 */
export function planesOf(affine: Affine, dimension: 2 | 3): Plane[] {
  if (dimension === 2) return [{ name: "image", axis: 2, u: 0, v: 1, flipU: false, flipV: false, edges: null }];
  const voxelAxis = closestAxes(affine);
  const rises = voxelAxis.map((axis, world) => affine[world]![axis]! > 0);
  const [r, a, s] = voxelAxis as [Axis, Axis, Axis];
  const [toRight, toFront, toHead] = rises as [boolean, boolean, boolean];
  return [
    { name: "axial", axis: s, u: r, v: a, flipU: toRight, flipV: toFront, edges: ["R", "L", "A", "P"] },
    { name: "coronal", axis: a, u: r, v: s, flipU: toRight, flipV: toHead, edges: ["R", "L", "S", "I"] },
    { name: "sagittal", axis: r, u: a, v: s, flipU: toFront, flipV: toHead, edges: ["A", "P", "S", "I"] },
  ];
}

/** For world axes R, A, S the voxel axis that belongs to each: the assignment with the largest sum of cosines. */
function closestAxes(affine: Affine): Axis[] {
  const length = (axis: number) => Math.hypot(affine[0][axis]!, affine[1][axis]!, affine[2][axis]!) || 1;
  const orders: Axis[][] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
  const cosines = (order: Axis[]) =>
    order.reduce<number>((sum, axis, world) => sum + Math.abs(affine[world]![axis]!) / length(axis), 0);
  return orders.reduce((best, order) => (cosines(order) > cosines(best) + 1e-9 ? order : best));
}

/** How a plane lies in its canvas: CSS pixels a mm, and the point of the plane (mm from its corner) in the canvas's middle. */
export interface Placement {
  readonly scale: number;
  readonly centre: readonly [number, number];
}

/** Size of a plane in mm. */
export function extent(plane: Plane, size: Triple, spacing: Triple): [number, number] {
  return [size[plane.u] * spacing[plane.u], size[plane.v] * spacing[plane.v]];
}

/** The whole plane, as large as the canvas has room for. */
export function fit(plane: Plane, size: Triple, spacing: Triple, width: number, height: number): Placement {
  const [w, h] = extent(plane, size, spacing);
  return { scale: Math.max(1e-6, Math.min(width / w, height / h)), centre: [w / 2, h / 2] };
}

/** Zooms so that what lies under a point of the canvas stays there. */
export function zoomAt(at: Placement, factor: number, x: number, y: number, width: number, height: number): Placement {
  const scale = Math.min(400, Math.max(0.02, at.scale * factor));
  const keep = (centre: number, offset: number) => centre + offset / at.scale - offset / scale;
  return { scale, centre: [keep(at.centre[0], x - width / 2), keep(at.centre[1], y - height / 2)] };
}

/**
 * Voxel coordinates in the plane (`[u, v]`, a voxel's centre has whole numbers) of a point of the canvas, whether inside the image or not.
 */
export function planePoint(
  plane: Plane, at: Placement, size: Triple, spacing: Triple, width: number, height: number, x: number, y: number,
): [number, number] {
  const column = (at.centre[0] + (x - width / 2) / at.scale) / spacing[plane.u] - 0.5;
  const row = (at.centre[1] + (y - height / 2) / at.scale) / spacing[plane.v] - 0.5;
  return [
    plane.flipU ? size[plane.u] - 1 - column : column,
    plane.flipV ? size[plane.v] - 1 - row : row,
  ];
}

/** The point of the canvas that shows voxel coordinates `[u, v]`: the inverse of {@link planePoint}. */
export function canvasPoint(
  plane: Plane, at: Placement, size: Triple, spacing: Triple, width: number, height: number, u: number, v: number,
): [number, number] {
  const column = plane.flipU ? size[plane.u] - 1 - u : u;
  const row = plane.flipV ? size[plane.v] - 1 - v : v;
  return [
    ((column + 0.5) * spacing[plane.u] - at.centre[0]) * at.scale + width / 2,
    ((row + 0.5) * spacing[plane.v] - at.centre[1]) * at.scale + height / 2,
  ];
}

/** The voxel of a slice at plane coordinates, or null outside the image. */
export function voxelAt(plane: Plane, size: Triple, slice: number, point: readonly [number, number]): Triple | null {
  const voxel: [number, number, number] = [0, 0, 0];
  voxel[plane.axis] = slice;
  // Adding 0 turns the -0 of Math.round into an index.
  voxel[plane.u] = Math.round(point[0]) + 0;
  voxel[plane.v] = Math.round(point[1]) + 0;
  return inside(voxel, size) ? voxel : null;
}

export function inside(voxel: Triple, size: Triple): boolean {
  return voxel.every((index, axis) => index >= 0 && index < size[axis]!);
}

export function voxelIndex(voxel: Triple, size: Triple): number {
  return (voxel[2] * size[1] + voxel[1]) * size[0] + voxel[0];
}

/** Voxels of the straight line between two voxels, both included: what lies between two positions of a moving pointer. */
export function voxelLine(from: Triple, to: Triple): Triple[] {
  const steps = Math.max(...from.map((start, axis) => Math.abs(to[axis]! - start)));
  return Array.from({ length: steps + 1 }, (_, step) => {
    const t = steps === 0 ? 0 : step / steps;
    return [0, 1, 2].map((k) => Math.round(from[k]! + (to[k]! - from[k]!) * t)) as unknown as Triple;
  });
}
