/** Results of methods: asks for those that are missing, one at a time, and keeps those that came. */
import { type ReadonlySignal, signal } from "@preact/signals";

import type { Api, Progress, Result } from "./api.ts";
import { type Document, type Request, runnable } from "./document.ts";
import { type Runs, checkRuns } from "./rle.ts";

export interface Solve {
  readonly label: number;
  readonly request: Request;
  readonly progress: Progress | null;
  readonly coarse: boolean;
}

/** Whose requests are solved. */
export interface Asker {
  readonly document: ReadonlySignal<Document>;
  /** Takes in what a result brings beside its mask, and gives it as it is to be kept. */
  adopt(request: Request, result: Result): Result;
  /** There is something new to paint. */
  repaint(): void;
  fail(problem: unknown, retry: () => void): void;
}

export class Solver {
  readonly solving = signal<Solve | null>(null);
  /** Counts the answers. */
  readonly answered = signal(0);
  private readonly results = new WeakMap<Request, Result>();
  private readonly failed = new WeakSet<Request>();
  /** What is shown of a label until its newest request is answered: without it the mask would blink at every click. */
  private readonly shown = new Map<number, Runs>();
  private abort: AbortController | null = null;

  constructor(private readonly api: Api, private readonly image: string, private readonly voxels: number, private readonly asker: Asker) {}

  resultOf(request: Request): Result | undefined {
    return this.results.get(request);
  }

  /** Whether a request is to be answered and is not yet. */
  isWanted(request: Request): boolean {
    return runnable(request) && !this.results.has(request) && !this.failed.has(request);
  }

  /** What is painted of a request. */
  runsOf(label: number, request: Request): Runs | null {
    const result = this.results.get(request);
    if (result) return result.runs;
    return runnable(request) ? (this.shown.get(label) ?? null) : null;
  }

  /** Remembers what is painted of each label. */
  paint(requests: Document["requests"]): void {
    for (const label of this.shown.keys()) if (!requests.has(label)) this.shown.delete(label);
    for (const [label, request] of requests) {
      const result = this.results.get(request);
      if (result) this.shown.set(label, result.runs);
    }
  }

  /** Asks for the results that are missing, the active label's first. What is in flight and no longer wanted is ended. */
  solve(): void {
    const { requests, active } = this.asker.document.value;
    const inFlight = this.solving.value;
    const wanted = (label: number, request: Request) => (this.isWanted(request) ? { label, request } : null);
    const now = requests.get(active);
    const next = (now && wanted(active, now))
      ?? [...requests].map(([label, request]) => wanted(label, request)).find((found) => found !== null) ?? null;
    if (inFlight && next?.request === inFlight.request) return;
    this.stop();
    if (next) void this.ask(next.label, next.request);
  }

  private async ask(label: number, request: Request): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    this.solving.value = { label, request, progress: null, coarse: false };
    const live = () => this.abort === abort;
    try {
      const result = await this.api.segment(
        this.image, request,
        (progress) => {
          if (live()) this.solving.value = { ...this.solving.value!, progress };
        },
        (coarse) => {
          if (!live()) return;
          checkRuns(coarse.runs, this.voxels);
          this.shown.set(label, coarse.runs);
          this.solving.value = { ...this.solving.value!, coarse: true };
          this.asker.repaint();
        },
        abort.signal,
      );
      checkRuns(result.runs, this.voxels);
      // Also an answer that nobody waits for any more is kept: redo may come back to its marks.
      this.results.set(request, live() ? this.asker.adopt(request, result) : result);
    } catch (problem) {
      if (!live()) return;
      this.failed.add(request);
      this.asker.fail(problem, () => {
        this.failed.delete(request);
        this.solve();
      });
    }
    if (!live()) return;
    this.abort = null;
    this.solving.value = null;
    this.answered.value++;
    this.asker.repaint();
    this.solve();
  }

  /** Ends what is in flight. */
  stop(): void {
    this.abort?.abort();
    this.abort = null;
    this.solving.value = null;
  }

  /** Waits until nothing is in flight; labels are solved one after the other. */
  async idle(): Promise<void> {
    while (this.solving.value) {
      await new Promise<void>((done) => {
        const stop = this.solving.subscribe((solving) => {
          if (solving) return;
          done();
          // The first call comes before there is anything to stop.
          queueMicrotask(() => stop());
        });
      });
    }
  }
}
