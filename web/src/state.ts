/** What the whole page shares: the server, the list of images, the open session, the tools, and what is said in the status line. */
import { computed, effect, signal } from "@preact/signals";

import { Api, ApiError, type ImageEntry, type Info, type SavedLabels, takeToken } from "./api.ts";
import { type Draft, Drafts } from "./drafts.ts";
import type { Triple } from "./geometry.ts";
import { decodeNifti } from "./nifti.ts";
import { FINAL, Session } from "./session.ts";

export const api = new Api(takeToken());
/** Of this tab: two tabs that work on one image do not overwrite each other's marks. */
const drafts = new Drafts(sessionStorage);

export const info = signal<Info | null>(null);
export const images = signal<readonly ImageEntry[]>([]);
export const session = signal<Session | null>(null);
export const loading = signal<{ name: string; fraction: number } | null>(null);

export type Tool = "look" | "foreground" | "background" | "scribble" | "scribble-out" | "polygon" | "brush" | "erase" | "window";
export const tool = signal<Tool>("foreground");
export const brushSize = signal(remembered("brush", 8));
export const opacity = signal(remembered("opacity", 0.35));
export const contourWidth = signal(remembered("contour", 2));
export const smoothing = signal(remembered("smoothing", 1) === 1);
export const masksShown = signal(true);
export const helpShown = signal(false);
export const panel = signal<"segment" | "train">("segment");

/** The view that fills the middle, or null where all are shown. */
export const large = signal<string | null>(null);
/** The voxel under the pointer. */
export const hovered = signal<Triple | null>(null);

export type Theme = "auto" | "light" | "dark";
export const theme = signal<Theme>((localStorage.getItem("fewmark-theme") as Theme | null) ?? "auto");

export interface Notice {
  readonly kind: "info" | "error";
  readonly text: string;
  readonly hint?: string | null;
  readonly request?: string | null;
  readonly retry?: () => void;
}
export const notice = signal<Notice | null>(null);

export function say(text: string): void {
  notice.value = { kind: "info", text };
}

/** Shows a failure with its hint. A request that a newer one replaced is no failure. */
export function fail(problem: unknown, retry?: () => void): void {
  if (problem instanceof DOMException && problem.name === "AbortError") return;
  if (problem instanceof ApiError && problem.status === 409 && problem.message.startsWith("superseded")) return;
  const text = problem instanceof Error ? problem.message : String(problem);
  const { hint = null, request = null } = problem instanceof ApiError ? problem : {};
  notice.value = { kind: "error", text, hint, request, ...(retry ? { retry } : {}) };
}

function remembered(key: string, otherwise: number): number {
  const value = Number(localStorage.getItem(`fewmark-${key}`) ?? otherwise);
  return Number.isFinite(value) ? value : otherwise;
}

export const unsaved = computed(() => session.value?.unsaved.value ?? false);

/** Shown by the dialog that asks what to do with unsaved work; resolved by its buttons. */
export const question = signal<((answer: "save" | "leave" | "stay") => void) | null>(null);

export async function save(replace = false): Promise<boolean> {
  const open = session.value;
  if (!open) return false;
  try {
    await open.save(replace);
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 409) {
      const hint = `load ${FINAL} under Saved to look at theirs (undo brings yours back); to try again replaces them`;
      fail(new ApiError(problem.message, problem.status, hint, problem.request), () => void save(true));
    } else fail(problem, () => void save());
    return false;
  }
  await refreshImages();
  // Names and colours that were given here are offered on the next image.
  info.value = await api.info().catch(() => info.value);
  say(`Saved as labels/${FINAL}.`);
  return true;
}

export async function refreshImages(): Promise<void> {
  try {
    images.value = await api.images();
  } catch (problem) {
    fail(problem, () => void refreshImages());
  }
}

/** Opens an image; unsaved work of the open one is asked about first. */
let opening: AbortController | null = null;

export async function open(id: string): Promise<void> {
  if (session.value?.image.id === id && !loading.value) return;
  if (unsaved.value) {
    if (!(await mayLeave())) return;
    // Left behind knowingly.
    if (session.value) drafts.forget(draftKey(session.value.image.id));
  }
  const left = session.value?.document.peek();
  opening?.abort();
  const abort = new AbortController();
  opening = abort;
  const name = images.value.find((entry) => entry.id === id)?.name ?? id;
  loading.value = { name, fraction: 0 };
  try {
    const [image, file] = await Promise.all([
      api.image(id),
      api.volume(id, (fraction) => opening === abort && (loading.value = { name, fraction }), abort.signal),
    ]);
    const saved = image.labels.includes(FINAL) ? await api.labels(id, FINAL) : null;
    if (opening !== abort) return;
    // What was made while it loaded is asked about too.
    if (unsaved.value && session.value?.document.peek() !== left) {
      if (!(await mayLeave()) || opening !== abort) return;
      if (session.value) drafts.forget(draftKey(session.value.image.id));
    }
    const next = newSession(image, file, saved);
    const back = resume(next);
    session.value?.close();
    session.value = next;
    history.replaceState(null, "", `#image=${encodeURIComponent(id)}`);
    if (back?.partial) say(`${image.name}: your marks are back, what was painted or kept is not; undo takes them away.`);
    else if (back) say(`${image.name}: what you had not saved is back; undo takes it away.`);
    else say(saved ? `${image.name}: its saved labels were loaded.` : `${image.name} is open. Click inside the object.`);
  } catch (problem) {
    if (opening === abort) fail(problem, () => void open(id));
  } finally {
    if (opening === abort) loading.value = null;
  }
}

function newSession(image: Awaited<ReturnType<Api["image"]>>, file: ArrayBuffer, saved: SavedLabels | null): Session {
  const previous = session.value?.document.peek() ?? null;
  return new Session(api, image, decodeNifti(file), () => info.value?.methods ?? [], info.value?.labels ?? [], saved, previous, fail);
}

/** Images of one name in different studies are different images. */
function draftKey(id: string): string {
  return `${info.value?.studies}/${id}`;
}

/** Goes on with what was not saved before the page was loaded again, if there was something. */
function resume(opened: Session): Draft | null {
  const draft = drafts.find(draftKey(opened.image.id));
  if (!draft) return null;
  try {
    opened.resume(draft);
    return draft;
  } catch {
    // The image was replaced meanwhile.
    return null;
  }
}

function mayLeave(): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = (answer) => {
      question.value = null;
      if (answer === "save") void save().then(resolve);
      else resolve(answer === "leave");
    };
  });
}

/** In order: the next image of the list that has no final label. Otherwise the server chooses. */
export async function openNext(strategy: string): Promise<void> {
  try {
    const id = strategy === "first" ? nextInOrder() : (await api.next(strategy)).id;
    if (id === null || id === session.value?.image.id) say("There is no other image to label.");
    else await open(id);
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 404) say("Every image has saved labels.");
    else fail(problem);
  }
}

function nextInOrder(): string | null {
  const list = images.value;
  const at = list.findIndex((entry) => entry.id === session.value?.image.id);
  const others = [...list.slice(at + 1), ...list.slice(0, Math.max(0, at))];
  const next = others.find((entry) => !entry.labels.includes(FINAL));
  if (!next && others[0]) say("Every image has saved labels; this is the next one of the list.");
  return (next ?? others[0])?.id ?? null;
}

export async function upload(files: Iterable<File>): Promise<void> {
  let last: string | null = null;
  for (const file of files) {
    try {
      loading.value = { name: `upload of ${file.name}`, fraction: 0 };
      last = (await api.upload(file, (fraction) => (loading.value = { name: `upload of ${file.name}`, fraction }))).id;
    } catch (problem) {
      fail(problem);
    } finally {
      loading.value = null;
    }
  }
  if (last === null) return;
  await refreshImages();
  await open(last);
}

export async function start(): Promise<void> {
  try {
    info.value = await api.info();
    await refreshImages();
    const wanted = new URLSearchParams(location.hash.slice(1)).get("image");
    const first = images.value.find((entry) => entry.id === wanted) ?? images.value[0];
    if (first) await open(first.id);
    else say("The folder has no images yet: upload one.");
  } catch (problem) {
    fail(problem, () => void start());
  }
}

export function undo(): void {
  const what = session.value?.undo();
  if (what) say(`Undone: ${what}.`);
}

export function redo(): void {
  const what = session.value?.redo();
  if (what) say(`Redone: ${what}.`);
}

effect(() => {
  const open = session.value;
  if (!open) return;
  if (open.unsaved.value) drafts.keep(draftKey(open.image.id), open.keepable());
  else drafts.forget(draftKey(open.image.id));
});
effect(() => {
  const open = session.value;
  const result = open?.result.value;
  if (!open || !result) return;
  const label = open.document.peek().labels.find((l) => l.value === open.document.peek().active);
  const amount = open.image.dimension === 2 ? `${result.voxels.toLocaleString("en")} pixels` : `${result.volume_ml.toFixed(2)} ml`;
  const found = Object.values(result.labels ?? {}).map(({ name }) => name);
  say(`${found.length > 0 ? found.join(", ") : label?.name}: ${amount} in ${result.seconds.toFixed(2)} s.`);
});
effect(() => {
  const dark = theme.value === "dark" || (theme.value === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  localStorage.setItem("fewmark-theme", theme.value);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (theme.value === "auto") document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
});
effect(() => {
  localStorage.setItem("fewmark-brush", String(brushSize.value));
  localStorage.setItem("fewmark-opacity", String(opacity.value));
  localStorage.setItem("fewmark-contour", String(contourWidth.value));
  localStorage.setItem("fewmark-smoothing", smoothing.value ? "1" : "0");
});
addEventListener("beforeunload", (event) => {
  if (unsaved.value) event.preventDefault();
});
