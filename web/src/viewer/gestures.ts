/** Pointers, wheel and keys on one plane become marks, strokes, scrolling, zoom and window. */
import { batch, type Signal } from "@preact/signals";

import { type Stroke, ERASED, disc, paintValue } from "../brush.ts";
import {
  type Placement, type Plane, type Triple, canvasPoint, fit, inside, planePoint, voxelAt, voxelIndex, voxelLine, zoomAt,
} from "../geometry.ts";
import type { Session } from "../session.ts";
import { type Tool, brushSize, say, tool } from "../state.ts";

/** Further than this, in CSS pixels, a press is a drag and no click. A finger is less steady than a mouse. */
const STEADY = { mouse: 4, pen: 6, touch: 12 } as const;
const CLOSES_POLYGON = 10;

type Point = readonly [number, number];

/** What a press has begun. */
type Action =
  | { kind: "click"; foreground: boolean; from: Point; moved: boolean; at: Placement }
  | { kind: "corner"; from: Point; moved: boolean; at: Placement }
  | { kind: "pan"; from: Point; at: Placement }
  | { kind: "look" }
  | { kind: "window"; from: Point; window: readonly [number, number]; moved: boolean; click: boolean }
  | { kind: "scribble"; foreground: boolean; voxels: Triple[] }
  | { kind: "brush"; erase: boolean; stroke: Stroke; last: Point };

export class Gestures {
  private action: Action | null = null;
  private readonly pointers = new Map<number, Point>();
  private wheel = 0;

  constructor(
    private readonly session: Session,
    private readonly plane: Plane,
    private readonly canvas: HTMLCanvasElement,
    private readonly placement: Signal<Placement | null>,
    /** Plane coordinates under the pointer, and what is being scribbled. */
    private readonly hover: Signal<Point | null>,
    private readonly scribbled: Signal<readonly Triple[]>,
  ) {}

  private get slice(): number {
    return this.session.cursor.value[this.plane.axis];
  }

  private get at(): Placement {
    return this.placement.value ?? this.fitted();
  }

  private fitted(): Placement {
    const { size, spacing } = this.session.volume;
    return fit(this.plane, size, spacing, this.canvas.clientWidth, this.canvas.clientHeight);
  }

  private local(event: { clientX: number; clientY: number }): Point {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  private inPlane([x, y]: Point): Point {
    const { size, spacing } = this.session.volume;
    return planePoint(this.plane, this.at, size, spacing, this.canvas.clientWidth, this.canvas.clientHeight, x, y);
  }

  private voxel(point: Point): Triple | null {
    return voxelAt(this.plane, this.session.volume.size, this.slice, this.inPlane(point));
  }

  /** The nearest voxel of the slice, also for points outside the image. */
  private nearest(point: Point): Triple {
    const { size } = this.session.volume;
    const [u, v] = this.inPlane(point);
    const voxel: [number, number, number] = [0, 0, 0];
    const clamp = (value: number, axis: number) => Math.min(size[axis]! - 1, Math.max(0, Math.round(value)));
    voxel[this.plane.axis] = this.slice;
    voxel[this.plane.u] = clamp(u, this.plane.u);
    voxel[this.plane.v] = clamp(v, this.plane.v);
    return voxel;
  }

  down = (event: PointerEvent): void => {
    const point = this.local(event);
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, point);
    if (this.pointers.size === 2) return this.cancel();
    if (this.pointers.size > 2) return;
    this.action = this.begin(event, point);
    this.follow(point);
  };

  private begin(event: PointerEvent, from: Point): Action {
    const pan: Action = { kind: "pan", from, at: this.at };
    const window = (click: boolean): Action => ({ kind: "window", from, window: this.session.window.value, moved: false, click });
    if (event.button === 1) return pan;
    if (event.button === 2) return window(true);
    if (event.shiftKey) return { kind: "look" };
    const chosen: Tool = tool.value;
    const inverted = event.altKey || event.ctrlKey || event.metaKey;
    switch (chosen) {
      case "look": return { kind: "look" };
      case "window": return window(false);
      case "foreground":
      case "background":
        return { kind: "click", foreground: (chosen === "foreground") !== inverted, from, moved: false, at: this.at };
      case "polygon": return { kind: "corner", from, moved: false, at: this.at };
      case "scribble":
      case "scribble-out":
        return { kind: "scribble", foreground: (chosen === "scribble") !== inverted, voxels: [] };
      case "brush":
      case "erase":
        return { kind: "brush", erase: (chosen === "erase") !== inverted, stroke: this.session.beginStroke(), last: this.inPlane(from) };
    }
  }

  move = (event: PointerEvent): void => {
    const point = this.local(event);
    this.hover.value = this.inPlane(point);
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    this.pointers.set(event.pointerId, point);
    if (this.pointers.size === 2) return this.pinch(event.pointerId, before, point);
    const action = this.action;
    if (action && "moved" in action && !action.moved) {
      const steady = STEADY[event.pointerType as keyof typeof STEADY] ?? STEADY.mouse;
      action.moved = Math.hypot(point[0] - action.from[0], point[1] - action.from[1]) > steady;
    }
    // A fast pointer reports several positions at once.
    const between = action?.kind === "brush" || action?.kind === "scribble" ? event.getCoalescedEvents() : [];
    for (const each of between.length > 0 ? between : [event]) this.follow(this.local(each));
  };

  private follow(point: Point): void {
    const action = this.action;
    switch (action?.kind) {
      case "look":
        this.session.cursor.value = this.nearest(point);
        break;
      case "pan":
        this.pan(action.at, action.from, point);
        break;
      case "click":
      case "corner":
        if (action.moved) this.pan(action.at, action.from, point);
        break;
      case "window":
        if (action.moved) this.drag(action.window, point[0] - action.from[0], point[1] - action.from[1]);
        break;
      case "scribble": {
        const voxel = this.voxel(point);
        if (!voxel) break;
        const last = action.voxels.at(-1);
        action.voxels.push(...(last ? voxelLine(last, voxel).slice(1) : [voxel]));
        this.scribbled.value = [...action.voxels];
        break;
      }
      case "brush": {
        const now = this.inPlane(point);
        this.paint(action.stroke, action.last, now, action.erase);
        action.last = now;
        break;
      }
    }
  }

  up = (event: PointerEvent): void => {
    const point = this.local(event);
    this.pointers.delete(event.pointerId);
    const action = this.action;
    this.action = null;
    this.scribbled.value = [];
    switch (action?.kind) {
      case "click":
        if (!action.moved) this.click(this.voxel(point), action.foreground);
        break;
      case "window":
        // The right button marks background where it is pressed without being moved.
        if (action.click && !action.moved && tool.value !== "window") this.click(this.voxel(point), false);
        break;
      case "corner":
        if (!action.moved) this.corner(this.inPlane(point), this.voxel(point));
        break;
      case "scribble":
        this.session.addScribble(action.voxels, action.foreground);
        break;
      case "brush":
        this.session.endStroke(action.stroke, action.erase ? "stroke of the eraser" : "stroke of the brush");
        break;
    }
  };

  /** A second finger: what the first one began is dropped, and the two zoom and move. */
  cancel = (): void => {
    if (this.action?.kind === "brush") this.session.repaint();
    this.action = null;
    this.scribbled.value = [];
  };

  lost = (event: PointerEvent): void => {
    this.pointers.delete(event.pointerId);
    this.cancel();
  };

  leave = (): void => {
    this.hover.value = null;
  };

  private pinch(moved: number, before: Point, now: Point): void {
    const other = [...this.pointers].find(([id]) => id !== moved)![1];
    const distance = (a: Point) => Math.max(10, Math.hypot(a[0] - other[0], a[1] - other[1]));
    const middle = (a: Point): Point => [(a[0] + other[0]) / 2, (a[1] + other[1]) / 2];
    const [from, to] = [middle(before), middle(now)];
    this.pan(this.at, from, to);
    this.zoom(distance(now) / distance(before), to);
  }

  private pan(at: Placement, from: Point, to: Point): void {
    const centre = [0, 1].map((k) => at.centre[k]! - (to[k]! - from[k]!) / at.scale) as [number, number];
    this.placement.value = { scale: at.scale, centre };
  }

  private zoom(factor: number, [x, y]: Point): void {
    this.placement.value = zoomAt(this.at, factor, x, y, this.canvas.clientWidth, this.canvas.clientHeight);
  }

  /** To the right the window widens, upwards it brightens. */
  private drag([low, high]: readonly [number, number], dx: number, dy: number): void {
    const [width, level] = [high - low, (high + low) / 2];
    const step = Math.max(width, (this.session.image.range[1] - this.session.image.range[0]) / 50) / 250;
    const [newWidth, newLevel] = [Math.max(step, width + dx * step), level + dy * step];
    this.session.window.value = [newLevel - newWidth / 2, newLevel + newWidth / 2];
  }

  private click(voxel: Triple | null, foreground: boolean): void {
    if (!voxel) return;
    batch(() => {
      this.session.cursor.value = voxel;
      this.session.addClick(voxel, foreground);
    });
  }

  private corner(at: Point, voxel: Triple | null): void {
    if (this.plane.axis !== 2) {
      const name = this.session.planes.find((plane) => plane.axis === 2)!.name;
      return say(`Polygons are drawn in the ${name} view.`);
    }
    if (!voxel) return;
    const draft = this.session.draft.value;
    if (draft && draft.slice === this.slice && draft.points.length >= 3) {
      const { size, spacing } = this.session.volume;
      const onCanvas = ([u, v]: Point) =>
        canvasPoint(this.plane, this.at, size, spacing, this.canvas.clientWidth, this.canvas.clientHeight, u, v);
      const [a, b] = draft.points[0]!;
      const [[x0, y0], [x, y]] = [onCanvas(this.plane.u === 0 ? [a, b] : [b, a]), onCanvas(at)];
      if (Math.hypot(x - x0, y - y0) < CLOSES_POLYGON) return void this.session.closePolygon();
    }
    // The grid's first two axes may be shown the other way round.
    const [first, second] = this.plane.u === 0 ? at : [at[1], at[0]];
    const tenth = (value: number) => Math.round(value * 10) / 10;
    this.session.addPolygonPoint(this.slice, [tenth(first), tenth(second)]);
  }

  private paint(stroke: Stroke, from: Point, to: Point, erase: boolean): void {
    const { size, spacing } = this.session.volume;
    const { u, v, axis } = this.plane;
    const label = erase ? 0 : this.session.document.value.active;
    const voxel: [number, number, number] = [0, 0, 0];
    voxel[axis] = this.slice;
    for (const [i, j] of disc(from, to, brushSize.value / 2, [spacing[u], spacing[v]], [size[u], size[v]])) {
      voxel[u] = i;
      voxel[v] = j;
      if (!inside(voxel, size)) continue;
      const index = voxelIndex(voxel, size);
      // Only voxels that change are corrections: the others stay free for the next result.
      if (this.session.seg[index] === label) continue;
      stroke.set(index, erase ? ERASED : paintValue(label));
      this.session.seg[index] = label;
    }
    this.session.painted.value++;
  }

  scroll = (event: WheelEvent): void => {
    event.preventDefault();
    const flat = this.session.volume.size[this.plane.axis] === 1;
    if (event.ctrlKey || event.metaKey || flat) return this.zoom(Math.exp(-event.deltaY / 300), this.local(event));
    this.wheel += event.deltaMode === 0 ? event.deltaY / 60 : event.deltaY;
    const steps = Math.trunc(this.wheel);
    this.wheel -= steps;
    if (steps !== 0) this.step(this.plane.axis, steps);
  };

  private step(axis: 0 | 1 | 2, by: number): void {
    const cursor: [number, number, number] = [...this.session.cursor.value];
    cursor[axis] = Math.min(this.session.volume.size[axis] - 1, Math.max(0, cursor[axis] + by));
    this.session.cursor.value = cursor;
  }

  /** Arrows move the crosshair, Enter uses the tool there: whatever the mouse can do, keys can. Returns whether the key meant something. */
  key = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = event.shiftKey ? 10 : 1;
    const { u, v, axis, flipU, flipV } = this.plane;
    const middle: Point = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    const moves: Record<string, () => void> = {
      ArrowLeft: () => this.step(u, flipU ? by : -by),
      ArrowRight: () => this.step(u, flipU ? -by : by),
      ArrowUp: () => this.step(v, flipV ? by : -by),
      ArrowDown: () => this.step(v, flipV ? -by : by),
      PageUp: () => this.step(axis, by),
      PageDown: () => this.step(axis, -by),
      "+": () => this.zoom(1.25, middle),
      "=": () => this.zoom(1.25, middle),
      "-": () => this.zoom(0.8, middle),
      "0": () => (this.placement.value = null),
      Enter: () => this.use(),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    move();
  };

  private use(): void {
    const cursor = this.session.cursor.value;
    const at: Point = [cursor[this.plane.u], cursor[this.plane.v]];
    switch (tool.value) {
      case "look":
      case "window":
        return say("Choose a tool that marks, such as F for object clicks, then press Enter.");
      case "foreground":
      case "background":
        return this.click(cursor, tool.value === "foreground");
      case "scribble":
      case "scribble-out":
        return this.session.addScribble([cursor], tool.value === "scribble");
      case "polygon":
        return this.corner(at, cursor);
      case "brush":
      case "erase": {
        const stroke = this.session.beginStroke();
        this.paint(stroke, at, at, tool.value === "erase");
        this.session.endStroke(stroke, tool.value === "erase" ? "stroke of the eraser" : "stroke of the brush");
      }
    }
  }
}
