/** What a person makes on one image. Everything in here is immutable and undoable; results of methods are kept beside it. */
import { type BrushLayer, NO_BRUSH, forEachBrushed } from "./brush.ts";
import type { Triple } from "./geometry.ts";
import { type Runs, constantRuns, countRuns, forEachRun } from "./rle.ts";

export interface Label {
  readonly value: number;
  readonly name: string;
  readonly colour: string;
}

export interface Polygon {
  /** Index of the slice along the grid's third axis. */
  readonly slice: number;
  readonly points: readonly (readonly [number, number])[];
}

export interface Scribble {
  readonly foreground: boolean;
  readonly points: readonly Triple[];
}

export interface Marks {
  readonly foreground: readonly Triple[];
  readonly background: readonly Triple[];
  readonly polygon?: Polygon;
  readonly scribbles: readonly Scribble[];
}

export interface Support {
  readonly image: string;
  readonly label: string;
  readonly value: number;
}

export type Settings = Readonly<Record<string, number | boolean | string>>;

/** What is asked of a method for one label. The object itself is the key of its result: an undone click finds its result again. */
export interface Request {
  readonly method: string;
  readonly settings: Settings;
  readonly marks: Marks;
  /** The slice along the grid's third axis, when only that one is segmented. */
  readonly slice?: number;
  readonly support?: Support;
  /** Whether the method may run without marks: it was asked for by a button. */
  readonly asked?: boolean;
}

export interface Document {
  readonly labels: readonly Label[];
  readonly active: number;
  readonly method: string;
  /** Changed settings of each method; what is absent has its default. */
  readonly settings: Readonly<Record<string, Settings>>;
  /** Whether methods get single slices of a volume. */
  readonly slicewise: boolean;
  /** Labels that were loaded, or kept from earlier marks. */
  readonly base: Runs;
  /** The live request of each label; later ones lie on top. */
  readonly requests: ReadonlyMap<number, Request>;
  readonly brush: BrushLayer;
}

export const NO_MARKS: Marks = { foreground: [], background: [], scribbles: [] };

export function emptyDocument(voxels: number, labels: readonly Label[], method: string): Document {
  return {
    labels, active: labels[0]!.value, method, settings: {}, slicewise: false,
    base: constantRuns(voxels), requests: new Map(), brush: NO_BRUSH,
  };
}

/** Whether a request has what a solver needs: something inside the object, or a button that was pressed. */
export function runnable(request: Request): boolean {
  const { foreground, polygon, scribbles } = request.marks;
  return Boolean(request.asked) || foreground.length > 0 || polygon !== undefined || scribbles.some((s) => s.foreground);
}

export function hasMarks(marks: Marks): boolean {
  return marks.foreground.length + marks.background.length + marks.scribbles.length > 0 || marks.polygon !== undefined;
}

/** Paints a document into `into`: base, then results from the oldest to the newest, then the brush. */
export function compose(document: Document, resultOf: (label: number, request: Request) => Runs | null, into: Uint16Array): void {
  into.fill(0);
  forEachRun(document.base, (value, from, to) => into.fill(value, from, to));
  for (const [label, request] of document.requests) {
    const runs = resultOf(label, request);
    if (runs) forEachRun(runs, (value, from, to) => into.fill(ownLabels(request) ? value : label, from, to));
  }
  forEachBrushed(document.brush, (voxel, label) => {
    into[voxel] = label;
  });
}

/** A method that runs without marks of a person names the labels of its result itself. */
function ownLabels(request: Request): boolean {
  return Boolean(request.asked) && request.support === undefined;
}

/** Colours that are told apart on grey images, also by people who see red and green alike (after Okabe and Ito). */
export const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2", "#b8e986", "#ff8fa3", "#9d8cff"];

export function freeValue(labels: readonly Label[]): number {
  let value = 1;
  while (labels.some((label) => label.value === value)) value++;
  return value;
}

export function newLabel(labels: readonly Label[], name?: string): Label {
  const value = freeValue(labels);
  return { value, name: name ?? `label ${value}`, colour: COLOURS[(value - 1) % COLOURS.length]! };
}

/** The request becomes the newest: its label lies on top. */
export function withRequest(requests: Document["requests"], label: number, request: Request): Document["requests"] {
  const changed = new Map(requests);
  changed.delete(label);
  return changed.set(label, request);
}

/** Label names and colours, by value as text. */
export type Legend = Readonly<Record<string, { readonly name: string; readonly colour: string }>>;

/** Labels that the server knows, and those of a saved map, which win; every value of the map has a name. */
export function mergeLabels(labels: readonly Label[], saved: { labels: Legend; runs: Runs } | null): Label[] {
  const merged = new Map(labels.map((label) => [label.value, label]));
  for (const [value, { name, colour }] of Object.entries(saved?.labels ?? {})) {
    if (Number(value) !== 0) merged.set(Number(value), { value: Number(value), name, colour });
  }
  for (const value of countRuns(saved?.runs ?? []).keys()) {
    if (!merged.has(value)) merged.set(value, { ...newLabel([...merged.values()]), value, name: `label ${value}` });
  }
  return [...merged.values()].sort((a, b) => a.value - b.value);
}
