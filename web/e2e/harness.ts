/** What the browser tests need: a study folder, a running server, a browser, and places to click that are known to be right. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { type Browser, type Locator, type Page, chromium } from "playwright-core";

import { type Plane, type Triple, canvasPoint, fit, planesOf, voxelIndex } from "../src/geometry.ts";
import { type Volume, decodeNifti, gunzip } from "../src/nifti.ts";

export const BINARY = process.env.FEWMARK_BIN ? resolve(process.env.FEWMARK_BIN) : null;
const DATA = process.env.FEWMARK_DATA ?? resolve(import.meta.dirname, "../../../shared/data");
export const SCREENSHOTS = process.env.FEWMARK_SCREENSHOTS ?? join(tmpdir(), "fewmark-screenshots");

/** A volume with its truth, from which clicks are taken. */
export interface Case {
  readonly id: string;
  readonly truth: Volume;
  readonly label: number;
}

/** A study folder of two volumes and one picture of lungs: real ones, or phantoms that the program makes. */
export async function study(): Promise<{ folder: string; volume: Case; other: Case; picture: string | null }> {
  const folder = mkdtempSync(join(tmpdir(), "fewmark-study-"));
  if (existsSync(join(DATA, "chaos-t2/image_1.nii.gz"))) {
    cpSync(join(DATA, "chaos-t2/image_1.nii.gz"), join(folder, "image_1.nii.gz"));
    const truth = await read(join(DATA, "chaos-t2/label_1.nii.gz"));
    // A second scan of the same part of another body, to be labelled by the first one.
    cpSync(join(DATA, "chaos-t2/image_2.nii.gz"), join(folder, "image_2.nii.gz"));
    const lungs = join(DATA, "lungsegdb/images");
    const lung = existsSync(lungs) ? readdirSync(lungs).filter((name) => name.endsWith(".png")).sort()[0] : undefined;
    if (lung) cpSync(join(lungs, lung), join(folder, lung));
    const other = { id: "image_2", truth: await read(join(DATA, "chaos-t2/label_2.nii.gz")), label: 1 };
    return { folder, volume: { id: "image_1", truth, label: 1 }, other, picture: lung?.replace(/\.png$/, "") ?? null };
  }
  console.error("NO REAL DATA: neither FEWMARK_DATA nor ../shared/data is there; the browser tests use phantoms instead.");
  const demo = mkdtempSync(join(tmpdir(), "fewmark-demo-"));
  execFileSync(BINARY!, ["demo", "-o", demo, "--quiet"], { stdio: ["ignore", "ignore", "inherit"] });
  for (const name of ["volume", "slice"]) cpSync(join(demo, `${name}.nii.gz`), join(folder, `${name}.nii.gz`));
  const truth = await read(join(demo, "volume_truth.nii.gz"));
  rmSync(demo, { recursive: true, force: true });
  cpSync(join(folder, "volume.nii.gz"), join(folder, "other.nii.gz"));
  const volume = { id: "volume", truth, label: truth.samples.find((value) => value !== 0)! };
  return { folder, volume, other: { ...volume, id: "other" }, picture: "slice" };
}

async function read(path: string): Promise<Volume> {
  const bytes = readFileSync(path);
  return decodeNifti(await gunzip(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer));
}

export interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts `fewmark serve` on a free port and waits until it says where it is. */
export function serve(folder: string): Promise<Server> {
  const child = spawn(BINARY!, ["serve", folder, "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  return new Promise((done, failed) => {
    const late = setTimeout(() => failed(new Error(`the server did not start:\n${output}`)), 60_000);
    const listen = (text: Buffer) => {
      output += text.toString();
      const url = /http:\/\/[\d.:]+\/?/.exec(output)?.[0];
      if (!url) return;
      clearTimeout(late);
      done({ url: url.endsWith("/") ? url : `${url}/`, stop: () => end(child) });
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    child.on("exit", (code) => failed(new Error(`the server ended with ${code}:\n${output}`)));
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.on("exit", () => done());
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), 5000).unref();
  });
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  });
}

/** A page that remembers what should not happen: errors, and requests to other hosts. */
export async function openPage(
  browser: Browser, url: string, options: { width?: number; height?: number; dark?: boolean; touch?: boolean } = {},
): Promise<{ page: Page; problems: string[] }> {
  const { width = 1280, height = 720, dark = false, touch = false } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light", hasTouch: touch });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("console", (message) => message.type() === "error" && problems.push(`console: ${message.text()}`));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol.startsWith("http") && origin !== new URL(url).origin) problems.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  return { page, problems };
}

/** The voxel of a label that is deepest within it, in the slice where the label is largest. */
export function deepest(truth: Volume, label: number): Triple {
  const [columns, rows, slices] = truth.size;
  const at = (x: number, y: number, z: number) =>
    x >= 0 && y >= 0 && x < columns && y < rows && truth.samples[voxelIndex([x, y, z], truth.size)] === label;
  const area = Array<number>(slices).fill(0);
  for (let z = 0; z < slices; z++) for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++) if (at(x, y, z)) area[z]!++;
  const z = area.indexOf(Math.max(...area));
  let [best, depth]: [Triple, number] = [[0, 0, z], 0];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let d = 0;
      while (at(x - d, y, z) && at(x + d, y, z) && at(x, y - d, z) && at(x, y + d, z)) d++;
      if (d > depth) [best, depth] = [[x, y, z], d];
    }
  }
  return best;
}

/** Shows the slice of a voxel in a view and tells where on the view the voxel is. */
export async function reach(page: Page, volume: Pick<Volume, "size" | "spacing" | "affine">, dimension: 2 | 3, voxel: Triple): Promise<{
  canvas: Locator; position: { x: number; y: number };
}> {
  const plane: Plane = planesOf(volume.affine, dimension)[0]!;
  const canvas = page.locator(`canvas[data-plane="${plane.name}"]`);
  await canvas.waitFor();
  if (volume.size[plane.axis] > 1) {
    const slider = page.getByLabel(`slice of the ${plane.name} view`);
    await slider.fill(String(voxel[plane.axis]));
  }
  const box = (await canvas.boundingBox())!;
  const at = fit(plane, volume.size, volume.spacing, box.width, box.height);
  const [x, y] = canvasPoint(plane, at, volume.size, volume.spacing, box.width, box.height, voxel[plane.u], voxel[plane.v]);
  return { canvas, position: { x, y } };
}

/** Waits until no solve is in flight and a result is shown. */
export async function solved(page: Page): Promise<string> {
  await page.waitForFunction(() => document.querySelector("#result-volume") && !document.querySelector('[aria-busy="true"]'), null, { timeout: 240_000 });
  return (await page.locator("#result-volume").textContent())!;
}

/** Pixels of a view that differ when the labels are hidden: what a person sees of the mask. Leaves the labels shown. */
export async function maskPixels(page: Page, canvas: Locator): Promise<number> {
  // The pixels stay in the page: a million numbers take long to get here.
  const pixels = () => canvas.evaluateHandle(async (element) => {
    await new Promise((frame) => requestAnimationFrame(() => requestAnimationFrame(frame)));
    const { width, height } = element as HTMLCanvasElement;
    return new Uint32Array((element as HTMLCanvasElement).getContext("2d")!.getImageData(0, 0, width, height).data.buffer);
  });
  const shown = await pixels();
  await page.keyboard.press("h");
  const hidden = await pixels();
  await page.keyboard.press("h");
  return page.evaluate(([a, b]) => a!.reduce((sum, pixel, at) => sum + Number(pixel !== b![at]), 0), [shown, hidden]);
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
}
