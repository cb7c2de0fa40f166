/**
 * The surface of a label by surface nets (Gibson 1998): one vertex in every cell of eight voxels that the surface passes, a quad for every pair
 * of neighbouring voxels that it separates. Vertices are then relaxed within their cells, which takes the steps of the voxels away and stays
 * within half a voxel of the mask.
 */
import type { Triple } from "../geometry.ts";

export interface Surface {
  /** Vertices x, y, z in voxel coordinates. */
  readonly points: Float32Array;
  /** Triangles, seen from outside anticlockwise where the voxel axes are right-handed. */
  readonly triangles: Uint32Array;
}

const RELAXATIONS = 6;
/** How far from the middle of its cell a vertex may be, in voxels: with 0.5 single voxels would vanish. */
const ROOM = 0.35;

/** The surfaces of all labels of a map. Labels are found in one pass; each then costs what its bounding box has voxels. */
export function surfacesOf(seg: Uint16Array, size: Triple): Map<number, Surface> {
  const boxes = new Map<number, [number[], number[]]>();
  for (let z = 0, at = 0; z < size[2]; z++) {
    for (let y = 0; y < size[1]; y++) {
      for (let x = 0; x < size[0]; x++, at++) {
        const label = seg[at]!;
        if (label === 0) continue;
        const box = boxes.get(label);
        if (!box) boxes.set(label, [[x, y, z], [x, y, z]]);
        else {
          const [low, high] = box;
          if (x < low[0]!) low[0] = x;
          if (y < low[1]!) low[1] = y;
          if (x > high[0]!) high[0] = x;
          if (y > high[1]!) high[1] = y;
          high[2] = z;
        }
      }
    }
  }
  return new Map([...boxes].map(([label, [low, high]]) => [label, surface(seg, size, label, low, high)]));
}

function surface(seg: Uint16Array, size: Triple, label: number, low: number[], high: number[]): Surface {
  // Cells lie between voxels, and one layer of them around the box; cell (i, j, k) has the voxels low + i - 1 and low + i.
  const cells = [0, 1, 2].map((axis) => high[axis]! - low[axis]! + 2);
  const [nx, ny, nz] = cells as [number, number, number];
  const inside = (x: number, y: number, z: number) =>
    x >= 0 && y >= 0 && z >= 0 && x < size[0] && y < size[1] && z < size[2] && seg[(z * size[1] + y) * size[0] + x] === label ? 1 : 0;
  const vertexOf = new Int32Array(nx * ny * nz).fill(-1);
  const points: number[] = [];
  const homes: number[] = [];
  const triangles: number[] = [];
  const corners = new Uint8Array(8);
  const cell = (i: number, j: number, k: number) => (k * ny + j) * nx + i;

  for (let k = 0; k < nz; k++) {
    for (let j = 0; j < ny; j++) {
      for (let i = 0; i < nx; i++) {
        const [x, y, z] = [low[0]! + i - 1, low[1]! + j - 1, low[2]! + k - 1];
        let sum = 0;
        for (let c = 0; c < 8; c++) sum += corners[c] = inside(x + (c & 1), y + ((c >> 1) & 1), z + (c >> 2));
        if (sum === 0 || sum === 8) continue;
        // The vertex: the middle of the cell's edges that the surface crosses.
        let [px, py, pz, crossed] = [0, 0, 0, 0];
        for (let axis = 0; axis < 3; axis++) {
          for (let c = 0; c < 8; c++) {
            const d = c | (1 << axis);
            if (d === c || corners[c] === corners[d]) continue;
            px += axis === 0 ? 0.5 : c & 1;
            py += axis === 1 ? 0.5 : (c >> 1) & 1;
            pz += axis === 2 ? 0.5 : c >> 2;
            crossed++;
          }
        }
        vertexOf[cell(i, j, k)] = points.length / 3;
        points.push(x + px / crossed, y + py / crossed, z + pz / crossed);
        homes.push(x + 0.5, y + 0.5, z + 0.5);
        // The edges from the cell's first corner are shared with three cells each, all of which were visited before.
        for (let axis = 0; axis < 3; axis++) {
          if (corners[0] === corners[1 << axis]) continue;
          const [u, v] = [(axis + 1) % 3, (axis + 2) % 3];
          const at = [i, j, k];
          const back = (du: number, dv: number) => {
            const other = [...at];
            other[u]! -= du;
            other[v]! -= dv;
            return vertexOf[cell(other[0]!, other[1]!, other[2]!)]!;
          };
          const [a, b, c, d] = [back(0, 0), back(1, 0), back(1, 1), back(0, 1)];
          // From inside to outside along the axis the quad is turned to face outwards.
          if (corners[0] === 1) triangles.push(a, b, c, a, c, d);
          else triangles.push(a, c, b, a, d, c);
        }
      }
    }
  }
  const result = { points: Float32Array.from(points), triangles: Uint32Array.from(triangles) };
  relax(result, homes);
  return result;
}

/** Moves every vertex to the mean of its neighbours, but not far from the middle of its cell. */
function relax({ points, triangles }: Surface, homes: readonly number[]): void {
  const sums = new Float32Array(points.length);
  const counts = new Uint16Array(points.length / 3);
  for (let round = 0; round < RELAXATIONS; round++) {
    sums.fill(0);
    counts.fill(0);
    for (let t = 0; t < triangles.length; t += 3) {
      for (let e = 0; e < 3; e++) {
        // Each edge belongs to two triangles, which name it in the two directions.
        const [from, to] = [triangles[t + e]!, triangles[t + ((e + 1) % 3)]!];
        counts[from]!++;
        for (let c = 0; c < 3; c++) sums[3 * from + c]! += points[3 * to + c]!;
      }
    }
    for (let p = 0; p < points.length; p++) {
      const count = counts[Math.floor(p / 3)]!;
      if (count > 0) points[p] = Math.min(homes[p]! + ROOM, Math.max(homes[p]! - ROOM, sums[p]! / count));
    }
  }
}
