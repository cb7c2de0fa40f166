/** Work that is not saved, as it outlives a reload: kept in this tab of the browser, for a few images, within a bound. */
import { type BrushLayer } from "./brush.ts";
import type { Document, Request } from "./document.ts";
import type { Label } from "./labels.ts";
import { type Runs, checkRuns, encodeRuns, forEachRun } from "./rle.ts";

/** A document as text can hold it. */
export interface Draft {
  readonly voxels: number;
  readonly labels: readonly Label[];
  readonly active: number;
  readonly method: string;
  readonly settings: Document["settings"];
  readonly slicewise: boolean;
  readonly requests: readonly (readonly [number, Request])[];
  /** Absent where it is that of the saved labels. */
  readonly base?: Runs;
  /** The blocks of the brush layer, each as runs. */
  readonly brush: readonly (readonly [number, Runs])[];
  /** Whether it was too long to be kept with what was painted. */
  readonly partial?: boolean;
}

/** Drafts of more characters are kept without what was painted: the marks alone. */
const LONGEST = 1_000_000;
/** Images whose drafts are kept; the oldest leaves. */
const MOST = 8;
const PREFIX = "fewmark-draft:";
const ORDER = "fewmark-drafts";

export function draftOf(document: Document, saved: Runs, voxels: number): Draft {
  const { labels, active, method, settings, slicewise, requests, base, brush } = document;
  return {
    voxels, labels, active, method, settings, slicewise, requests: [...requests], ...(base === saved ? {} : { base }),
    brush: [...brush].map(([key, block]) => [key, encodeRuns(block)] as const),
  };
}

/** The document of a draft, on a document that was opened anew. */
export function resumed(draft: Draft, opened: Document, voxels: number): Document {
  if (draft.voxels !== voxels) throw new RangeError("the draft is of another image");
  const { labels, active, method, settings, slicewise, requests, base } = draft;
  if (base) checkRuns(base, voxels);
  const brush: BrushLayer = new Map(draft.brush.map(([key, runs]) => {
    const block = new Uint16Array(runs.reduce((sum, entry, at) => sum + (at % 2 === 0 ? 0 : entry), 0));
    forEachRun(runs, (value, from, to) => block.fill(value, from, to));
    return [key, block];
  }));
  return { labels, active, method, settings, slicewise, requests: new Map(requests), base: base ?? opened.base, brush };
}

/** The part of the browser's storage that is needed here. */
export type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class Drafts {
  constructor(private readonly store: Store) {}

  find(image: string): Draft | null {
    try {
      return JSON.parse(this.store.getItem(PREFIX + image) ?? "null") as Draft | null;
    } catch {
      return null;
    }
  }

  keep(image: string, draft: Draft): void {
    const { base: _, ...marks } = draft;
    const whole = JSON.stringify(draft);
    const text = whole.length > LONGEST ? JSON.stringify({ ...marks, brush: [], partial: true }) : whole;
    const order = [...this.order().filter((other) => other !== image), image];
    for (const old of order.splice(0, order.length - MOST)) this.store.removeItem(PREFIX + old);
    try {
      this.store.setItem(ORDER, JSON.stringify(order));
      this.store.setItem(PREFIX + image, text);
    } catch {
      // The browser gives no room, or none any more: the work is still on the page, and asked about before the page is left.
    }
  }

  forget(image: string): void {
    const order = this.order();
    if (!order.includes(image)) return;
    this.store.removeItem(PREFIX + image);
    this.store.setItem(ORDER, JSON.stringify(order.filter((other) => other !== image)));
  }

  private order(): string[] {
    try {
      return JSON.parse(this.store.getItem(ORDER) ?? "[]") as string[];
    } catch {
      return [];
    }
  }
}
