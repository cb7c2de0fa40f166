/**
 * Draws one plane of a volume with its label map.
 *
 * The planes are drawn here and not by NiiVue, which keeps the 3-D view: a contour that follows voxel edges, a brush that shows every voxel it
 * changes, marks that are hit to the voxel, and touch and keyboard on each plane need the pixels themselves; and slices appear without a
 * graphics card and before the large library has arrived.
 */
import { contours } from "../contour.ts";
import type { Label } from "../labels.ts";
import type { Placement, Plane } from "../geometry.ts";
import type { Volume } from "../nifti.ts";

export interface Look {
  readonly window: readonly [number, number];
  readonly opacity: number;
  readonly contour: number;
  readonly smooth: boolean;
  readonly masks: boolean;
}

export class SliceRenderer {
  private readonly columns: number;
  private readonly rows: number;
  private readonly image: HTMLCanvasElement;
  private readonly overlay: HTMLCanvasElement;
  private readonly labels: Uint16Array;
  private imageKey = "";
  private labelKey = "";
  private overlayKey = "";
  private outlines = new Map<number, Path2D>();

  constructor(private readonly volume: Volume, readonly plane: Plane) {
    this.columns = volume.size[plane.u];
    this.rows = volume.size[plane.v];
    this.image = canvas(this.columns, this.rows);
    this.overlay = canvas(this.columns, this.rows);
    this.labels = new Uint16Array(this.columns * this.rows);
  }

  draw(
    ctx: CanvasRenderingContext2D, at: Placement, width: number, height: number, slice: number,
    seg: Uint16Array, painted: number, labels: readonly Label[], active: number, look: Look,
  ): void {
    this.drawImage(slice, look.window);
    const { spacing } = this.volume;
    const left = width / 2 - at.centre[0] * at.scale;
    const top = height / 2 - at.centre[1] * at.scale;
    const [sx, sy] = [spacing[this.plane.u] * at.scale, spacing[this.plane.v] * at.scale];
    ctx.imageSmoothingEnabled = look.smooth;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(this.image, left, top, this.columns * sx, this.rows * sy);
    if (!look.masks) return;
    this.readLabels(slice, seg, painted);
    if (look.opacity > 0) {
      this.drawOverlay(labels, look.opacity);
      ctx.imageSmoothingEnabled = false;
      ctx.drawImage(this.overlay, left, top, this.columns * sx, this.rows * sy);
    }
    if (look.contour > 0) this.drawOutlines(ctx, new DOMMatrix([sx, 0, 0, sy, left, top]), labels, active, look.contour);
  }

  /** Visits the voxels of a slice in the order in which they are shown: `visit(pixel, voxel)`. */
  private eachVoxel(slice: number, visit: (pixel: number, voxel: number) => void): void {
    const { size } = this.volume;
    const strides = [1, size[0], size[0] * size[1]];
    const { u, v, axis, flipU, flipV } = this.plane;
    const du = flipU ? -strides[u]! : strides[u]!;
    const dv = flipV ? -strides[v]! : strides[v]!;
    let row = slice * strides[axis]! + (flipU ? (this.columns - 1) * strides[u]! : 0) + (flipV ? (this.rows - 1) * strides[v]! : 0);
    for (let y = 0, pixel = 0; y < this.rows; y++, row += dv) {
      for (let x = 0, voxel = row; x < this.columns; x++, voxel += du) visit(pixel++, voxel);
    }
  }

  private drawImage(slice: number, [low, high]: readonly [number, number]): void {
    const key = `${slice} ${low} ${high}`;
    if (key === this.imageKey) return;
    this.imageKey = key;
    const { samples, channels, slope, intercept } = this.volume;
    const ctx = this.image.getContext("2d")!;
    const pixels = ctx.createImageData(this.columns, this.rows);
    const out = pixels.data;
    const gain = 255 / Math.max(1e-12, high - low);
    if (channels === 3) {
      this.eachVoxel(slice, (pixel, voxel) => {
        for (let c = 0; c < 3; c++) out[4 * pixel + c] = (samples[3 * voxel + c]! - low) * gain;
        out[4 * pixel + 3] = 255;
      });
    } else {
      this.eachVoxel(slice, (pixel, voxel) => {
        // The array clamps to 0..255 by itself; NaN becomes 0.
        out[4 * pixel] = out[4 * pixel + 1] = out[4 * pixel + 2] = (samples[voxel]! * slope + intercept - low) * gain;
        out[4 * pixel + 3] = 255;
      });
    }
    ctx.putImageData(pixels, 0, 0);
  }

  private readLabels(slice: number, seg: Uint16Array, painted: number): void {
    const key = `${slice} ${painted}`;
    if (key === this.labelKey) return;
    this.labelKey = key;
    this.overlayKey = "";
    this.eachVoxel(slice, (pixel, voxel) => {
      this.labels[pixel] = seg[voxel]!;
    });
    this.outlines = new Map();
    for (const [label, segments] of contours(this.labels, this.columns, this.rows)) {
      const path = new Path2D();
      for (let i = 0; i < segments.length; i += 4) {
        path.moveTo(segments[i]!, segments[i + 1]!);
        path.lineTo(segments[i + 2]!, segments[i + 3]!);
      }
      this.outlines.set(label, path);
    }
  }

  private drawOverlay(labels: readonly Label[], opacity: number): void {
    const key = `${opacity} ${labels.map((label) => label.value + label.colour).join()}`;
    if (key === this.overlayKey) return;
    this.overlayKey = key;
    const colours = new Map(labels.map((label) => [label.value, rgb(label.colour)]));
    const ctx = this.overlay.getContext("2d")!;
    const pixels = ctx.createImageData(this.columns, this.rows);
    const out = pixels.data;
    const alpha = Math.round(255 * opacity);
    for (let pixel = 0; pixel < this.labels.length; pixel++) {
      if (this.labels[pixel] === 0) continue;
      const colour = colours.get(this.labels[pixel]!) ?? [255, 255, 255];
      for (let c = 0; c < 3; c++) out[4 * pixel + c] = colour[c]!;
      out[4 * pixel + 3] = alpha;
    }
    ctx.putImageData(pixels, 0, 0);
  }

  private drawOutlines(
    ctx: CanvasRenderingContext2D, place: DOMMatrix, labels: readonly Label[], active: number, width: number,
  ): void {
    ctx.save();
    ctx.lineCap = "square";
    for (const [value, outline] of this.outlines) {
      const path = new Path2D();
      path.addPath(outline, place);
      ctx.strokeStyle = labels.find((label) => label.value === value)?.colour ?? "#ffffff";
      ctx.lineWidth = value === active ? width : Math.max(1, width / 2);
      ctx.stroke(path);
    }
    ctx.restore();
  }
}

export function rgb(colour: string): [number, number, number] {
  const value = parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function canvas(width: number, height: number): HTMLCanvasElement {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** The marks of a kind at a place: a plus for the object, a minus for the background, so that colour is not all that tells them apart. */
export function drawClick(ctx: CanvasRenderingContext2D, x: number, y: number, foreground: boolean, near: boolean): void {
  ctx.save();
  ctx.globalAlpha = near ? 1 : 0.35;
  ctx.beginPath();
  ctx.arc(x, y, 7, 0, 2 * Math.PI);
  ctx.fillStyle = foreground ? "#12873f" : "#c2262e";
  ctx.fill();
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = "#ffffff";
  ctx.stroke();
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.moveTo(x - 3.5, y);
  ctx.lineTo(x + 3.5, y);
  if (foreground) {
    ctx.moveTo(x, y - 3.5);
    ctx.lineTo(x, y + 3.5);
  }
  ctx.stroke();
  ctx.restore();
}

export function drawPath(
  ctx: CanvasRenderingContext2D, points: readonly (readonly [number, number])[], colour: string, width: number, closed: boolean,
): void {
  if (points.length === 0) return;
  ctx.save();
  ctx.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
  if (points.length === 1) ctx.lineTo(points[0]![0] + 0.01, points[0]![1]);
  if (closed) ctx.closePath();
  ctx.lineCap = ctx.lineJoin = "round";
  ctx.lineWidth = width + 2;
  ctx.strokeStyle = "#00000090";
  ctx.stroke();
  ctx.lineWidth = width;
  ctx.strokeStyle = colour;
  ctx.stroke();
  ctx.restore();
}

/** A bar of a round length and the directions of the body at the edges. */
export function drawFrame(ctx: CanvasRenderingContext2D, plane: Plane, at: Placement, width: number, height: number): void {
  ctx.save();
  ctx.font = "600 12px system-ui, sans-serif";
  ctx.fillStyle = "#ffffffd0";
  ctx.shadowColor = "#000";
  ctx.shadowBlur = 3;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  if (plane.edges) {
    const [left, right, top, bottom] = plane.edges;
    ctx.fillText(left, 10, height / 2);
    ctx.fillText(right, width - 10, height / 2);
    ctx.fillText(top, width / 2, 12);
    ctx.fillText(bottom, width / 2, height - 34);
    const length = [200, 100, 50, 20, 10, 5, 2, 1].find((mm) => mm * at.scale < width / 4) ?? 1;
    const [x, y, w] = [width - 12, height - 36, length * at.scale];
    ctx.fillRect(x - w, y, w, 2);
    ctx.textAlign = "right";
    ctx.font = "11px system-ui, sans-serif";
    ctx.fillText(length >= 10 ? `${length / 10} cm` : `${length} mm`, x, y - 9);
  }
  ctx.restore();
}

export function drawCrosshair(ctx: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
  ctx.save();
  ctx.strokeStyle = "#7fd4ffb0";
  ctx.lineWidth = 1;
  const gap = 9;
  ctx.beginPath();
  for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
    ctx.moveTo(x0!, y0!);
    ctx.lineTo(x1!, y1!);
  }
  ctx.stroke();
  ctx.restore();
}

