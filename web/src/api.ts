/** The server's JSON API, typed. Every failure is an {@link ApiError} with a sentence, a hint and the request's id. */
import type { Request, Settings } from "./document.ts";
import { EventParser, type ServerEvent } from "./events.ts";
import type { Label, Legend } from "./labels.ts";
import { gunzip } from "./nifti.ts";
import type { Runs } from "./rle.ts";

export interface Setting {
  readonly key: string;
  readonly help: string;
  readonly default: number | boolean | string;
  readonly kind: "number" | "integer" | "boolean" | "choice" | "text";
  readonly min?: number | null;
  readonly max?: number | null;
  readonly choices?: readonly string[] | null;
}

export interface Method {
  readonly name: string;
  readonly summary: string;
  readonly dimensions: readonly number[];
  readonly marks: readonly string[];
  readonly model: boolean;
  readonly settings: readonly Setting[];
}

export interface Info {
  readonly version: string;
  readonly threads: number;
  readonly studies: string;
  readonly methods: readonly Method[];
  readonly labels: readonly Label[];
}

export interface ImageEntry {
  readonly id: string;
  readonly name: string;
  readonly labels: readonly string[];
  readonly size?: readonly [number, number, number] | null;
}

export interface ImageInfo {
  readonly id: string;
  readonly name: string;
  readonly size: readonly [number, number, number];
  readonly spacing: readonly number[];
  readonly channels: number;
  readonly dimension: 2 | 3;
  readonly range: readonly [number, number];
  readonly window: readonly [number, number];
  readonly histogram: { readonly edges: readonly number[]; readonly counts: readonly number[] };
  readonly labels: readonly string[];
}

export interface TracePoint {
  readonly iteration: number;
  readonly energy: number;
}

export interface Result {
  readonly runs: Runs;
  readonly voxels: number;
  readonly volume_ml: number;
  readonly seconds: number;
  readonly trace: readonly TracePoint[];
  readonly stopped: string;
  readonly warm: boolean;
  readonly coarse: boolean;
  /** What the values of the mask mean, where it has more than the one object that was marked. */
  readonly labels?: Legend;
}

export interface Progress {
  /** What is done: "support" for labelled images that are looked at first. */
  readonly stage?: string;
  readonly fraction?: number | null;
  readonly iteration?: number | null;
  readonly energy?: number | null;
}

export interface SavedLabels {
  readonly labels: Legend;
  readonly runs: Runs;
  /** Which version was read, or is to be replaced: 0 for none. Without it any is replaced. */
  readonly version?: number;
}

/** Agreement of one label of two maps; distances are missing where a map lacks the label. */
export interface Scores {
  readonly dice: number | null;
  readonly hd95_mm?: number | null;
  readonly asd_mm?: number | null;
}

export interface Network {
  readonly name: string;
  readonly summary: string;
  /** Whether it learns from saved labels; others learn from all grey images. */
  readonly labels: boolean;
  readonly settings: readonly Setting[];
}

export interface CurvePoint {
  readonly iteration: number;
  readonly loss: number;
  readonly score?: number | null;
}

export interface Training {
  readonly id: string;
  readonly network: string;
  readonly state: "running" | "stopped" | "done" | "failed";
  readonly iteration: number;
  readonly iterations: number;
  readonly started: string | number;
  readonly problem?: string | null;
  readonly curve?: readonly CurvePoint[];
}

export class ApiError extends Error {
  constructor(message: string, readonly status: number, readonly hint: string | null, readonly request: string | null) {
    super(message);
  }
}

export class Api {
  // `crypto.randomUUID` exists only on secure origins; the page may be opened from another computer by plain HTTP.
  private readonly client = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0")).join("");

  constructor(private readonly token: string | null) {}

  info = () => this.json<Info>("GET", "api/info");
  images = () => this.json<ImageEntry[]>("GET", "api/images");
  image = (id: string) => this.json<ImageInfo>("GET", `api/images/${part(id)}`);
  next = (strategy: string) => this.json<{ id: string }>("GET", `api/next?strategy=${part(strategy)}`);
  labels = (id: string, tag: string) => this.json<SavedLabels>("GET", `api/images/${part(id)}/labels/${part(tag)}`);
  save = (id: string, tag: string, labels: SavedLabels) =>
    this.json<{ version: number }>("PUT", `api/images/${part(id)}/labels/${part(tag)}`, labels);
  scores = (id: string, tag: string, against: string) =>
    this.json<{ labels: Readonly<Record<string, Scores>> }>(
      "GET", `api/images/${part(id)}/scores?tag=${part(tag)}&against=${part(against)}`);
  networks = () => this.json<Network[]>("GET", "api/trainings/networks");
  trainings = () => this.json<Training[]>("GET", "api/trainings");
  training = (id: string) => this.json<Training>("GET", `api/trainings/${part(id)}`);
  train = (network: string, settings: Settings, tag: string, name: string | null) =>
    this.json<{ id: string }>("POST", "api/trainings", { network, settings, tag, ...(name ? { name } : {}) });
  stopTraining = (id: string) => this.json<unknown>("POST", `api/trainings/${part(id)}/stop`);
  resumeTraining = (id: string) => this.json<unknown>("POST", `api/trainings/${part(id)}/resume`);

  async volume(id: string, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<ArrayBuffer> {
    const response = await this.send("GET", `api/images/${part(id)}/volume`, { signal });
    const total = Number(response.headers.get("content-length"));
    if (!response.body || !total) return gunzip(await response.arrayBuffer());
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    let received = 0;
    for (let reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      pieces.push(value as Uint8Array<ArrayBuffer>);
      onProgress(Math.min(1, (received += value.length) / total));
    }
    return gunzip(await new Blob(pieces).arrayBuffer());
  }

  /** Segments, and tells of progress and of a first coarse mask on the way. A newer call for the image ends the one in flight. */
  async segment(
    id: string, request: Request, onProgress: (progress: Progress) => void, onCoarse: (result: Result) => void, signal: AbortSignal,
  ): Promise<Result> {
    const { method, settings, marks, slice, support } = request;
    const body = JSON.stringify({ method, settings, marks, slice, support });
    const headers = { accept: "text/event-stream", "content-type": "application/json" };
    const response = await this.send("POST", `api/images/${part(id)}/segment`, { body, headers, signal });
    if (!response.headers.get("content-type")?.includes("event-stream")) return (await response.json()) as Result;
    for await (const { event, data } of events(response)) {
      if (event === "progress") onProgress(data as Progress);
      else if (event === "coarse") onCoarse(data as Result);
      else if (event === "result") return data as Result;
      else if (event === "error") throw errorOf(data, (data as { status?: number }).status ?? 500, response);
    }
    throw new ApiError("the server ended the answer before the result", 0, "look at the server's log", null);
  }

  async watchTraining(id: string, onEvent: (event: ServerEvent) => void, signal: AbortSignal): Promise<void> {
    const headers = { accept: "text/event-stream" };
    const response = await this.send("GET", `api/trainings/${part(id)}/events`, { headers, signal });
    for await (const event of events(response)) onEvent(event);
  }

  /** Uploads a file. XMLHttpRequest, because fetch cannot tell how much of a body was sent. */
  upload(file: File, onProgress: (fraction: number) => void): Promise<{ id: string }> {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `api/images?name=${part(file.name)}`);
      for (const [name, value] of Object.entries(this.headers())) request.setRequestHeader(name, value);
      request.setRequestHeader("content-type", "application/octet-stream");
      request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
      request.onerror = () => reject(unreachable());
      request.onload = () => {
        let body: unknown = null;
        try {
          body = JSON.parse(request.responseText);
        } catch {
          // A proxy answered with something of its own; its status says enough.
        }
        if (request.status < 300 && body) resolve(body as { id: string });
        else reject(errorOf(body, request.status, null));
      };
      request.send(file);
    });
  }

  private headers(): Record<string, string> {
    return { "x-client": this.client, ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) };
  }

  private async json<T>(method: string, path: string, body?: unknown): Promise<T> {
    const init: RequestInit = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const response = await this.send(method, path, init);
    const text = await response.text();
    return (text === "" ? null : JSON.parse(text)) as T;
  }

  private async send(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(path, { ...init, method, headers: { ...this.headers(), ...(init.headers as Record<string, string>) } });
    } catch (problem) {
      if (problem instanceof DOMException && problem.name === "AbortError") throw problem;
      throw unreachable();
    }
    if (!response.ok) throw errorOf(await response.json().catch(() => null), response.status, response);
    return response;
  }
}

async function* events(response: Response): AsyncGenerator<ServerEvent> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function errorOf(body: unknown, status: number, response: Response | null): ApiError {
  const { error, hint, request } = (body ?? {}) as { error?: string; hint?: string | null; request?: string };
  const id = request ?? response?.headers.get("x-request-id") ?? null;
  const unauthorised = status === 401 ? "open the address with #token=... that the server printed when it started" : null;
  return new ApiError(error ?? `the server answered with status ${status}`, status, unauthorised ?? hint ?? null, id);
}

function unreachable(): ApiError {
  return new ApiError("the server does not answer", 0, "is `fewmark serve` still running? Your work is still here: try again when it is", null);
}

function part(text: string): string {
  return encodeURIComponent(text);
}

/** The token of `#token=T`, which leaves the address at once so that it is not copied or kept in the browser's history. */
export function takeToken(): string | null {
  const hash = new URLSearchParams(location.hash.slice(1));
  const token = hash.get("token");
  if (token) {
    sessionStorage.setItem("fewmark-token", token);
    hash.delete("token");
    const rest = hash.size > 0 ? `#${hash}` : "";
    history.replaceState(null, "", location.pathname + location.search + rest);
  }
  return token ?? sessionStorage.getItem("fewmark-token");
}
