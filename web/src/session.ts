/** One open image: its voxels, the undoable document, results of methods, and the label map that follows from them. */
import { type ReadonlySignal, type Signal, computed, signal } from "@preact/signals";

import type { Api, ImageInfo, Method, Result, SavedLabels } from "./api.ts";
import { NO_BRUSH, Stroke } from "./brush.ts";
import { type Document, type Marks, NO_MARKS, type Request, type Settings, clear, compose, emptyDocument, hasMarks, keep, withRequest } from "./document.ts";
import { type Draft, draftOf, resumed } from "./drafts.ts";
import { type Plane, type Triple, planesOf } from "./geometry.ts";
import { History } from "./history.ts";
import { type Label, adopted, mergeLabels, newLabel } from "./labels.ts";
import type { Volume } from "./nifti.ts";
import { checkRuns, encodeRuns } from "./rle.ts";
import { type Solve, Solver } from "./solver.ts";

/** The tag under which a person's labels are saved. */
export const FINAL = "final";

export class Session {
  readonly voxels: number;
  readonly planes: Plane[];
  /** The label map that is shown and saved. Changed in place; `painted` counts the changes. */
  readonly seg: Uint16Array;
  readonly painted = signal(0);
  /** Counts the changes that are done: not those within a stroke that goes on. */
  readonly settled = signal(0);
  readonly document: Signal<Document>;
  readonly cursor: Signal<Triple>;
  readonly window: Signal<readonly [number, number]>;
  /** A polygon that is not closed yet. */
  readonly draft = signal<{ slice: number; points: (readonly [number, number])[] } | null>(null);
  readonly unsaved: ReadonlySignal<boolean>;
  readonly undoes = signal<string | null>(null);
  readonly redoes = signal<string | null>(null);
  readonly result: ReadonlySignal<Result | null>;
  private readonly history: History<Document>;
  /** What was saved: the document, and the results that it was made of. */
  private readonly saved: Signal<{ document: Document; results: readonly (Result | undefined)[] }>;
  private readonly solver: Solver;
  /** Which version of the saved labels this image was opened with, or saved to; 0 for none. */
  private version: number;

  constructor(
    private readonly api: Api,
    readonly image: ImageInfo,
    readonly volume: Volume,
    /** Asked each time: a training that ends brings a new one. */
    private readonly methods: () => readonly Method[],
    labels: readonly Label[],
    loaded: SavedLabels | null,
    /** The document of the image before: its method and settings go on. */
    previous: Document | null,
    private readonly fail: (problem: unknown, retry?: () => void) => void,
  ) {
    const size = volume.size;
    this.voxels = size[0] * size[1] * size[2];
    this.planes = planesOf(volume.affine, image.dimension);
    this.seg = new Uint16Array(this.voxels);
    this.cursor = signal<Triple>([size[0] >> 1, size[1] >> 1, size[2] >> 1]);
    this.window = signal(image.window);
    const fits = (m: Method) => m.dimensions.includes(image.dimension);
    const usable = methods().find((m) => m.name === previous?.method && fits(m)) ?? methods().find(fits) ?? methods()[0];
    const known = mergeLabels(labels, loaded);
    const empty = emptyDocument(this.voxels, known.length > 0 ? known : [newLabel([], "object")], usable?.name ?? "");
    const active = empty.labels.some((label) => label.value === previous?.active) ? previous!.active : empty.active;
    const start = { ...empty, active, settings: previous?.settings ?? {}, slicewise: previous?.slicewise ?? false };
    if (loaded) checkRuns(loaded.runs, this.voxels);
    this.version = loaded?.version ?? 0;
    this.history = new History(loaded ? { ...start, base: loaded.runs } : start);
    this.document = signal(this.history.present);
    this.saved = signal({ document: this.history.present, results: [] });
    this.solver = new Solver(api, image.id, this.voxels, {
      document: this.document, adopt: (request, result) => this.adopt(request, result), repaint: () => this.repaint(), fail,
    });
    // Which label is active, and how a method is set, is no work that could be lost.
    this.unsaved = computed(() => {
      this.solver.answered.value;
      const [now, then] = [this.document.value, this.saved.value.document];
      return now.base !== then.base || now.requests !== then.requests || now.brush !== then.brush || now.labels !== then.labels
        || this.draft.value !== null || [...then.requests.values()].some((r, at) => this.solver.resultOf(r) !== this.saved.value.results[at]);
    });
    this.result = computed(() => {
      this.solver.answered.value;
      const request = this.document.value.requests.get(this.document.value.active);
      return request ? (this.solver.resultOf(request) ?? null) : null;
    });
    this.repaint();
  }

  get solving(): ReadonlySignal<Solve | null> {
    return this.solver.solving;
  }

  get method(): Method | null {
    return this.methods().find((m) => m.name === this.document.value.method) ?? null;
  }

  /** Whether methods get one slice: because the person wants it, or because the method knows no volumes. */
  get oneSlice(): boolean {
    // What is compared with other images is compared as a whole.
    if (this.method?.marks.includes("support")) return false;
    return this.image.dimension === 3 && (this.document.value.slicewise || !(this.method?.dimensions.includes(3) ?? true));
  }

  get marks(): Marks {
    const { requests, active } = this.document.value;
    return requests.get(active)?.marks ?? NO_MARKS;
  }

  // ---- marks ----

  addClick(voxel: Triple, foreground: boolean): void {
    const same = (other: Triple) => other.every((index, axis) => index === voxel[axis]);
    this.mark(voxel[2], foreground ? "object click" : "background click", (marks) => {
      // A voxel is inside or outside: the newer click at the same place replaces the older one.
      const kept = { foreground: marks.foreground.filter((v) => !same(v)), background: marks.background.filter((v) => !same(v)) };
      const key = foreground ? "foreground" : "background";
      return { ...marks, ...kept, [key]: [...kept[key], voxel] };
    });
  }

  addScribble(points: readonly Triple[], foreground: boolean): void {
    if (points.length === 0) return;
    this.mark(points[0]![2], foreground ? "object scribble" : "background scribble", (marks) => ({
      ...marks, scribbles: [...marks.scribbles, { foreground, points }],
    }));
  }

  addPolygonPoint(slice: number, point: readonly [number, number]): void {
    const draft = this.draft.value;
    this.draft.value = draft && draft.slice === slice ? { slice, points: [...draft.points, point] } : { slice, points: [point] };
  }

  closePolygon(): boolean {
    const draft = this.draft.value;
    if (!draft || draft.points.length < 3) return false;
    this.draft.value = null;
    this.mark(draft.slice, "polygon", (marks) => ({ ...marks, polygon: draft }));
    return true;
  }

  /** Runs a method that needs no marks, or one that is shown labelled images. */
  run(support?: readonly string[]): void {
    const document = this.document.value;
    const request: Request = {
      method: document.method, settings: this.settings(document), marks: NO_MARKS, asked: true,
      ...(support ? { support } : {}), ...(this.oneSlice ? { slice: this.cursor.value[2] } : {}),
    };
    this.push({ ...document, requests: withRequest(document.requests, document.active, request) }, `run of ${document.method}`);
  }

  private mark(slice: number, what: string, change: (marks: Marks) => Marks): void {
    let document = this.document.value;
    const previous = document.requests.get(document.active);
    const slicewise = this.oneSlice;
    // What a method found by itself is corrected, not replaced; slice by slice, what was found on another slice is kept too.
    if (previous?.asked || previous && slicewise !== (previous.slice !== undefined) || (slicewise && previous && previous.slice !== slice)) {
      if (this.waits(document)) return;
      document = this.kept(document, document.active);
    }
    const request: Request = {
      method: document.method, settings: this.settings(document),
      marks: change(document.requests.get(document.active)?.marks ?? NO_MARKS),
      ...(slicewise ? { slice } : {}),
    };
    this.push({ ...document, requests: withRequest(document.requests, document.active, request) }, what);
  }

  private settings(document: Document): Settings {
    return document.settings[document.method] ?? {};
  }

  // ---- methods ----

  setMethod(method: string): void {
    this.reask({ ...this.document.value, method }, `method ${method}`);
  }

  setSetting(key: string, value: number | boolean | string | undefined): void {
    const document = this.document.value;
    const { [key]: _, ...others } = this.settings(document) as Record<string, number | boolean | string>;
    const settings = value === undefined ? others : { ...others, [key]: value };
    this.reask({ ...document, settings: { ...document.settings, [document.method]: settings } }, `setting ${key}`);
  }

  setSlicewise(slicewise: boolean): void {
    const document = this.document.value;
    // Clicks in a volume cannot become clicks on one slice: what they gave is kept.
    if (this.waits(document)) return;
    this.push({ ...this.kept(document, document.active), slicewise }, slicewise ? "slice by slice" : "whole volume");
  }

  /** The marks of the active label are put to a changed method. */
  private reask(document: Document, what: string): void {
    const previous = document.requests.get(document.active);
    const known = this.methods().find((m) => m.name === document.method);
    if (!previous || !hasMarks(previous.marks) || !known?.marks.includes("clicks")) return this.push(document, what);
    const request: Request = { method: document.method, settings: this.settings(document), marks: previous.marks,
      ...(previous.slice !== undefined ? { slice: previous.slice } : {}) };
    this.push({ ...document, requests: withRequest(document.requests, document.active, request) }, what);
  }

  // ---- labels ----

  select(active: number): void {
    if (this.document.value.active === active || !this.document.value.labels.some((label) => label.value === active)) return;
    this.history.replace({ ...this.document.value, active });
    this.changed();
  }

  addLabel(): void {
    const label = newLabel(this.document.value.labels);
    this.push({ ...this.document.value, labels: [...this.document.value.labels, label], active: label.value }, `new ${label.name}`);
  }

  editLabel(changed: Label): void {
    const labels = this.document.value.labels.map((label) => (label.value === changed.value ? changed : label));
    this.push({ ...this.document.value, labels }, `change of ${changed.name}`);
  }

  removeLabel(value: number): void {
    const cleared = this.cleared(value);
    const labels = cleared.labels.filter((label) => label.value !== value);
    if (labels.length === 0) return;
    const active = cleared.active === value ? labels[0]!.value : cleared.active;
    this.push({ ...cleared, labels, active }, "removal of a label");
  }

  clearLabel(value: number): void {
    this.push(this.cleared(value), "clearing of a label");
  }

  private cleared(value: number): Document {
    return clear(this.document.value, value, (of, asked) => this.solver.runsOf(of, asked), this.voxels);
  }

  /** Keeps what is shown, so that the next marks begin another object of the same label. */
  keep(): void {
    const document = this.document.value;
    if (!document.requests.has(document.active) || this.waits(document)) return;
    this.push(this.kept(document, document.active), "keep");
  }

  /** Whether the active label's marks have no mask yet that could be kept; that is said. */
  private waits(document: Document): boolean {
    const request = document.requests.get(document.active);
    if (!request || !this.solver.isWanted(request)) return false;
    this.fail(new Error("the last marks have no mask yet: wait for it, or undo them"));
    return true;
  }

  private kept(document: Document, label: number): Document {
    return keep(document, label, (of, asked) => this.solver.runsOf(of, asked), this.voxels);
  }

  // ---- brush ----

  beginStroke(): Stroke {
    return new Stroke(this.document.value.brush);
  }

  endStroke(stroke: Stroke, what: string): void {
    if (stroke.changed) this.push({ ...this.document.value, brush: stroke.layer() }, what);
  }

  // ---- history ----

  undo(): string | null {
    const draft = this.draft.value;
    if (draft) {
      const points = draft.points.slice(0, -1);
      this.draft.value = points.length > 0 ? { ...draft, points } : null;
      return "corner of the polygon";
    }
    return this.stepped(this.history.undo());
  }

  redo(): string | null {
    return this.stepped(this.history.redo());
  }

  private stepped(what: string | null): string | null {
    if (what !== null) this.changed();
    return what;
  }

  private push(document: Document, what: string): void {
    this.history.push(document, what);
    this.changed();
  }

  private changed(): void {
    this.document.value = this.history.present;
    this.undoes.value = this.history.undoes;
    this.redoes.value = this.history.redoes;
    this.repaint();
    this.solver.solve();
  }

  // ---- results ----

  /** The labels of a result that names its own: each is that of its name here, or a new one. */
  private adopt(request: Request, result: Result): Result {
    if (!request.asked) return result;
    const { labels, runs } = adopted(this.document.value.labels, result);
    // No step of its own: undoing the run takes its labels back.
    if (labels !== this.document.value.labels) this.history.replace({ ...this.document.value, labels });
    this.document.value = this.history.present;
    return { ...result, runs };
  }

  /** Paints the label map anew from the document. */
  repaint(): void {
    this.solver.paint(this.document.value.requests);
    compose(this.document.value, (label, request) => this.solver.runsOf(label, request), this.seg);
    this.painted.value++;
    this.settled.value++;
  }

  // ---- saving ----

  /** Voxels of every label. */
  counts(): Map<number, number> {
    const counts = new Map<number, number>();
    for (const value of this.seg) if (value !== 0) counts.set(value, (counts.get(value) ?? 0) + 1);
    return counts;
  }

  get voxelMillilitres(): number {
    return (this.volume.spacing[0] * this.volume.spacing[1] * this.volume.spacing[2]) / 1000;
  }

  /**
   * Saves what is shown; a solve in flight is waited for, because its sketch is not what a person wants to keep. Labels that somebody else saved since
   * the image was opened are replaced only if that is wanted.
   */
  async save(replace = false): Promise<void> {
    await this.solver.idle();
    const document = this.document.value;
    const results = [...document.requests.values()].map((request) => this.solver.resultOf(request));
    const labels = Object.fromEntries(document.labels.map(({ value, name, colour }) => [value, { name, colour }]));
    const body = { labels, runs: encodeRuns(this.seg), ...(replace ? {} : { version: this.version }) };
    this.version = (await this.api.save(this.image.id, FINAL, body)).version;
    this.saved.value = { document, results };
  }

  /** Starts from saved labels instead of what is there; undoable like everything. */
  load(saved: SavedLabels, tag: string): void {
    checkRuns(saved.runs, this.voxels);
    if (tag === FINAL) this.version = saved.version ?? 0;
    const labels = mergeLabels(this.document.value.labels, saved);
    this.push({ ...this.document.value, labels, base: saved.runs, requests: new Map(), brush: NO_BRUSH }, `loading of ${tag}`);
  }

  /** Goes on with work that was not saved. */
  resume(draft: Draft): void {
    this.push(resumed(draft, this.document.value, this.voxels), "what was not saved");
  }

  /** What is to be kept of work that is not saved. */
  keepable(): Draft {
    return draftOf(this.document.value, this.saved.value.document.base, this.voxels);
  }

  close(): void {
    this.solver.stop();
  }
}
