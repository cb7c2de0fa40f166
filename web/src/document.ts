/** What a person makes on one image. Everything in here is immutable and undoable; results of methods are kept beside it. */
import { type BrushLayer, NO_BRUSH, forEachBrushed, withoutLabel } from "./brush.ts";
import type { Triple } from "./geometry.ts";
import type { Label } from "./labels.ts";
import { type Runs, constantRuns, encodeRuns, forEachRun } from "./rle.ts";

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

export type Settings = Readonly<Record<string, number | boolean | string>>;

/** What is asked of a method for one label. The object itself is the key of its result: an undone click finds its result again. */
export interface Request {
  readonly method: string;
  readonly settings: Settings;
  readonly marks: Marks;
  /** The slice along the grid's third axis, when only that one is segmented. */
  readonly slice?: number;
  /** Ids of labelled images that a method is shown; none for those that were saved last. */
  readonly support?: readonly string[];
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

/** Paints a document into `into`, where a method that runs without marks of a person names the labels of its result itself: base, then results from the oldest to the newest, then the brush. */
export function compose(document: Document, resultOf: (label: number, request: Request) => Runs | null, into: Uint16Array): void {
  into.fill(0);
  forEachRun(document.base, (value, from, to) => into.fill(value, from, to));
  for (const [label, request] of document.requests) {
    const runs = resultOf(label, request);
    if (runs) forEachRun(runs, (value, from, to) => into.fill(request.asked ? value : label, from, to));
  }
  forEachBrushed(document.brush, (voxel, label) => {
    into[voxel] = label;
  });
}

/** The request becomes the newest: its label lies on top. */
export function withRequest(requests: Document["requests"], label: number, request: Request): Document["requests"] {
  const changed = new Map(requests);
  changed.delete(label);
  return changed.set(label, request);
}

/** What a method gave for a request, as runs; null where nothing is painted of it. */
type RunsOf = (label: number, request: Request) => Runs | null;

/** The document with what a label's request gave as part of its base: the next marks begin another object. Older results that it covers become part of the base with it, or they would come to lie above it. */
export function keep(document: Document, label: number, runsOf: RunsOf, voxels: number): Document {
  const order = [...document.requests];
  const at = order.findIndex(([of]) => of === label);
  if (at < 0) return document;
  const covered = new Uint8Array(voxels);
  const folded = order.slice(0, at + 1).reverse().filter(([of, request]) => {
    const runs = runsOf(of, request) ?? [];
    let meets = of === label;
    forEachRun(runs, (_, from, to) => (meets ||= covered.subarray(from, to).includes(1)));
    if (meets) forEachRun(runs, (_, from, to) => covered.fill(1, from, to));
    return meets;
  }).reverse();
  const base = new Uint16Array(voxels);
  compose({ ...document, requests: new Map(folded), brush: NO_BRUSH }, runsOf, base);
  const requests = new Map(document.requests);
  for (const [of] of folded) requests.delete(of);
  return { ...document, requests, base: encodeRuns(base) };
}

/** The document without what a label holds, also where a method that names its labels itself found it. */
export function clear(document: Document, value: number, runsOf: RunsOf, voxels: number): Document {
  const found = [...document.requests].filter(([label, request]) => request.asked && runsOf(label, request)).map(([label]) => label);
  const kept = found.reduce((document, label) => keep(document, label, runsOf, voxels), document);
  const base = new Uint16Array(voxels);
  forEachRun(kept.base, (held, from, to) => held === value || base.fill(held, from, to));
  const requests = new Map(kept.requests);
  requests.delete(value);
  return { ...kept, base: encodeRuns(base), requests, brush: withoutLabel(kept.brush, value) };
}
