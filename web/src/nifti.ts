/** NIfTI-1 files as the server sends them (one channel, or RGB24). */
import type { Affine, Triple } from "./geometry.ts";

export type Samples = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array;

export interface Volume {
  readonly size: Triple;
  readonly spacing: Triple;
  readonly affine: Affine;
  /** Samples as stored, x fastest; a colour image has three a voxel. */
  readonly samples: Samples;
  readonly channels: 1 | 3;
  /** A stored sample means `slope * sample + intercept`. */
  readonly slope: number;
  readonly intercept: number;
  /** The file, uncompressed. */
  readonly file: ArrayBuffer;
}

const KINDS: Record<number, { bytes: number; make: (buffer: ArrayBuffer) => Samples }> = {
  2: { bytes: 1, make: (b) => new Uint8Array(b) },
  4: { bytes: 2, make: (b) => new Int16Array(b) },
  8: { bytes: 4, make: (b) => new Int32Array(b) },
  16: { bytes: 4, make: (b) => new Float32Array(b) },
  64: { bytes: 8, make: (b) => new Float64Array(b) },
  128: { bytes: 1, make: (b) => new Uint8Array(b) },
  256: { bytes: 1, make: (b) => new Int8Array(b) },
  512: { bytes: 2, make: (b) => new Uint16Array(b) },
  768: { bytes: 4, make: (b) => new Uint32Array(b) },
};
const HEADER = 348;
const RGB24 = 128;

export async function gunzip(bytes: ArrayBuffer): Promise<ArrayBuffer> {
  const head = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  // A proxy may have taken the compression off already.
  if (head[0] !== 0x1f || head[1] !== 0x8b) return bytes;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

export function decodeNifti(file: ArrayBuffer): Volume {
  if (file.byteLength < HEADER) throw new Error(`the volume has ${file.byteLength} bytes, too few for a NIfTI header`);
  const view = new DataView(file);
  const little = view.getInt32(0, true) === HEADER;
  if (!little && view.getInt32(0, false) !== HEADER) throw new Error("the volume is no NIfTI-1 file");
  const short = (at: number) => view.getInt16(at, little);
  const float = (at: number) => view.getFloat32(at, little);
  const size = [1, 2, 3].map((axis) => (axis <= short(40) ? Math.max(1, short(40 + 2 * axis)) : 1)) as unknown as Triple;
  const spacing = [1, 2, 3].map((axis) => Math.abs(float(76 + 4 * axis)) || 1) as unknown as Triple;
  const datatype = short(70);
  const kind = KINDS[datatype];
  if (!kind) throw new Error(`the volume has samples of the NIfTI type ${datatype}, which this page cannot show`);
  const channels = datatype === RGB24 ? 3 : 1;
  const start = float(108);
  const length = size[0] * size[1] * size[2] * channels * kind.bytes;
  if (start + length > file.byteLength) throw new Error(`the volume is cut short: ${file.byteLength - start} of ${length} bytes`);
  const data = file.slice(start, start + length);
  if (!little) swap(new Uint8Array(data), kind.bytes);
  const slope = float(112);
  return {
    size, spacing, affine: affineOf(view, little, spacing), samples: kind.make(data), channels, file,
    slope: slope === 0 || !Number.isFinite(slope) ? 1 : slope,
    intercept: slope === 0 || !Number.isFinite(slope) ? 0 : float(116),
  };
}

function swap(bytes: Uint8Array, width: number): void {
  for (let at = 0; width > 1 && at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

/** The sform, else the qform, else spacing alone, as the standard orders them. */
function affineOf(view: DataView, little: boolean, spacing: Triple): Affine {
  const float = (at: number) => view.getFloat32(at, little);
  if (view.getInt16(254, little) > 0) {
    const row = (at: number) => [0, 4, 8, 12].map((offset) => float(at + offset));
    return [row(280), row(296), row(312)];
  }
  if (view.getInt16(252, little) > 0) {
    const [b, c, d] = [float(256), float(260), float(264)];
    const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
    const q = float(76) < 0 ? -1 : 1;
    const [x, y, z] = [spacing[0], spacing[1], spacing[2] * q];
    return [
      [(a * a + b * b - c * c - d * d) * x, 2 * (b * c - a * d) * y, 2 * (b * d + a * c) * z, float(268)],
      [2 * (b * c + a * d) * x, (a * a + c * c - b * b - d * d) * y, 2 * (c * d - a * b) * z, float(272)],
      [2 * (b * d - a * c) * x, 2 * (c * d + a * b) * y, (a * a + d * d - b * b - c * c) * z, float(276)],
    ];
  }
  return [[spacing[0], 0, 0, 0], [0, spacing[1], 0, 0], [0, 0, spacing[2], 0]];
}

/** The value of a voxel: one number, or red, green and blue. */
export function valueAt(volume: Volume, index: number): number[] {
  if (volume.channels === 3) return [0, 1, 2].map((c) => volume.samples[3 * index + c]!);
  return [volume.samples[index]! * volume.slope + volume.intercept];
}
