/** A person's way through the page in a real browser, against the real server. Needs FEWMARK_BIN, the program with the page in it. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { type Triple, voxelIndex } from "../src/geometry.ts";
import { forEachRun } from "../src/rle.ts";
import {
  BINARY, type Case, SCREENSHOTS, type Server, deepest, launch, maskPixels, openPage, reach, screenshot, serve, solved, study,
} from "./harness.ts";

if (!BINARY || !existsSync(BINARY)) {
  console.error("SKIPPED: the browser tests need FEWMARK_BIN, the path of the program `fewmark`.");
  process.exit(0);
}

let browser: Browser;
let server: Server;
let folder: string;
let volume: Case;
let other: Case;
let picture: string | null;

before(async () => {
  ({ folder, volume, other, picture } = await study());
  [server, browser] = await Promise.all([serve(folder), launch()]);
  console.error(`screenshots are in ${SCREENSHOTS}`);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** The value that is saved for a voxel. */
async function savedAt(id: string, voxel: Triple, size: Triple): Promise<number> {
  const answer = await fetch(`${server.url}api/images/${encodeURIComponent(id)}/labels/final`);
  assert.equal(answer.status, 200);
  const { runs } = (await answer.json()) as { runs: number[] };
  let found = 0;
  const index = voxelIndex(voxel, size);
  forEachRun(runs, (value, from, to) => {
    if (from <= index && index < to) found = value;
  });
  return found;
}

const marks = (page: Page) => page.locator(".figures dd").nth(2).textContent();
const amount = (page: Page) => page.locator(".labels li.active output").textContent();

test("an organ of a volume is clicked, corrected, undone, redone, saved, and found again", async () => {
  const { page, problems } = await openPage(browser, `${server.url}#image=${volume.id}`);
  const { truth } = volume;
  const voxel = deepest(truth, volume.label);
  const { canvas, position } = await reach(page, truth, 3, voxel);
  assert.equal(await maskPixels(page, canvas), 0, "nothing is marked yet");
  await canvas.click({ position });
  const first = await solved(page);
  assert.ok(parseFloat(first) > 0, `a volume of ${first}`);
  assert.ok((await maskPixels(page, canvas)) > 300, "the mask is seen");
  assert.equal(await marks(page), "1 + 0");
  await screenshot(page, "volume-clicked");

  // A background click a third of the way to the border of the view: inside or outside the mask, it must not be in the result.
  const box = (await canvas.boundingBox())!;
  const away = { x: position.x + (box.width / 2 - position.x) * 0.5, y: position.y };
  await page.keyboard.press("b");
  await canvas.click({ position: away });
  const second = await solved(page);
  assert.equal(await marks(page), "1 + 1");
  await canvas.hover({ position: away });
  const where = await page.locator(".where span").nth(1).textContent();
  const removed = where!.split(",").map(Number) as unknown as Triple;
  assert.equal(await page.locator(".where-label").textContent(), "", "a background click has no label");

  await page.keyboard.press("Control+z");
  assert.equal(await solved(page), first);
  assert.equal(await marks(page), "1 + 0");
  await page.keyboard.press("Control+Shift+z");
  assert.equal(await solved(page), second);
  await screenshot(page, "volume-corrected");

  const before = await amount(page);
  await page.keyboard.press("Control+s");
  await page.getByText("Saved as labels/final.").waitFor();
  assert.equal(await page.locator(".title .unsaved").count(), 0);
  assert.ok(readdirSync(join(folder, "labels", "final")).some((name) => name.startsWith(volume.id)), "the file is in labels/final");
  assert.ok((await savedAt(volume.id, voxel, truth.size)) > 0, "the clicked voxel is saved");
  assert.equal(await savedAt(volume.id, removed, truth.size), 0, "the background voxel is not");

  await page.reload();
  await page.getByText("its saved labels were loaded").waitFor();
  const again = await reach(page, truth, 3, voxel);
  assert.ok((await maskPixels(page, again.canvas)) > 300, "the saved mask is seen again");
  assert.equal(await amount(page), before);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("what was not saved is back when the page is loaded again, and gone when it is undone", async () => {
  const { page, problems } = await openPage(browser, `${server.url}#image=${other.id}`);
  const { canvas, position } = await reach(page, other.truth, 3, deepest(other.truth, other.label));
  await canvas.click({ position });
  const first = await solved(page);
  await page.reload();
  await page.getByText("what you had not saved is back").waitFor();
  // The solver starts from its last answer and may end elsewhere within its tolerance.
  const [before, after] = [first, await solved(page)].map(parseFloat) as [number, number];
  assert.ok(Math.abs(after - before) < 0.01 * before, `${before} and ${after}`);
  assert.equal(await marks(page), "1 + 0");
  const again = await reach(page, other.truth, 3, deepest(other.truth, other.label));
  assert.ok((await maskPixels(page, again.canvas)) > 300, "the mask is seen again");
  await page.keyboard.press("Control+z");
  assert.equal(await maskPixels(page, again.canvas), 0);
  await page.reload();
  await page.getByText("is open. Click inside the object.").waitFor();
  assert.equal(await page.locator("#result-volume").count(), 0);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("labels of one volume are found in another, corrected, and saved", async () => {
  // The truth of the first volume is saved as a person would save it.
  const runs: number[] = [];
  for (const value of volume.truth.samples) {
    if (runs.length > 0 && runs[runs.length - 2] === value) runs[runs.length - 1]!++;
    else runs.push(value, 1);
  }
  const legend = { [volume.label]: { name: "organ", colour: "#e69f00" } };
  const path = `${server.url}api/images/${volume.id}/labels/final`;
  const headers = { "content-type": "application/json" };
  const before = (await (await fetch(path)).json()) as unknown;
  assert.equal((await fetch(path, { method: "PUT", headers, body: JSON.stringify({ labels: legend, runs }) })).status, 200);

  const { page, problems } = await openPage(browser, `${server.url}#image=${other.id}`);
  const { canvas } = await reach(page, other.truth, 3, deepest(other.truth, other.label));
  await page.getByLabel("method", { exact: true }).selectOption("fewshot");
  await page.getByText("None chosen").waitFor();
  await page.getByRole("checkbox", { name: volume.id }).check();
  await page.getByRole("complementary").getByRole("button", { name: "Segment", exact: true }).click();
  await page.getByText("looking at the labelled image").waitFor();
  await solved(page);
  assert.ok((await maskPixels(page, canvas)) > 300, "the labels are seen");
  await screenshot(page, "fewshot");

  // A click of another method adds to what was found.
  const found = await amount(page);
  await page.getByLabel("method", { exact: true }).selectOption("tv");
  const { position } = await reach(page, other.truth, 3, deepest(other.truth, other.label));
  await canvas.click({ position });
  await solved(page);
  assert.notEqual(await amount(page), "0 ml");
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+s");
  await page.getByText("Saved as labels/final.").waitFor();
  assert.equal(await amount(page), found);
  const saved = (await (await fetch(`${server.url}api/images/${other.id}/labels/final`)).json()) as { labels: Record<string, { name: string }>; runs: number[] };
  assert.equal(saved.labels[volume.label]!.name, "organ");
  const dense = (runs: readonly number[], value: number) => {
    const mask = new Uint8Array(other.truth.samples.length);
    forEachRun(runs, (found, from, to) => found === value && mask.fill(1, from, to));
    return mask;
  };
  const [is, should] = [dense(saved.runs, volume.label), other.truth.samples];
  let [both, sum] = [0, 0];
  for (let at = 0; at < is.length; at++) {
    const inside = Number(should[at] === other.label);
    both += is[at]! * inside;
    sum += is[at]! + inside;
  }
  assert.ok(2 * both / sum > 0.6, `Dice ${2 * both / sum}`);
  assert.deepEqual(problems, []);
  await page.context().close();
  // Other tests go on with what was saved before.
  await fetch(path, { method: "PUT", headers, body: JSON.stringify(before) });
});

test("the encoder of few-shot segmentation is trained without labels, and becomes a method", async () => {
  const { page, problems } = await openPage(browser, `${server.url}#image=${other.id}`);
  await page.locator('canvas[data-plane="axial"]').waitFor();
  await page.keyboard.press("t");
  await page.getByLabel("network").selectOption("fewshot");
  await page.getByText("all grey images, without labels").first().waitFor();
  await page.getByRole("textbox", { name: "Name", exact: true }).fill("encoder");
  await page.locator("details summary").first().click();
  await page.getByLabel("iterations", { exact: true }).fill("2");
  await page.getByLabel("iterations", { exact: true }).press("Enter");
  await page.getByLabel("source", { exact: true }).selectOption("synthetic");
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByText("The training is done.").waitFor({ timeout: 120_000 });
  await screenshot(page, "trained");
  await page.keyboard.press("t");
  await page.getByLabel("method", { exact: true }).selectOption("encoder");
  await page.getByText("its encoder was trained on").waitFor();
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a picture is segmented by keys alone, and corrected by brush, on a tablet's screen", { timeout: 300_000 }, async (t) => {
  if (!picture) return t.skip("NO PICTURE: lungsegdb is not there");
  const { page, problems } = await openPage(browser, `${server.url}#image=${picture}`, { width: 1024, height: 768, dark: true, touch: true });
  const canvas = page.locator('canvas[data-plane="image"]');
  await canvas.waitFor();
  await canvas.focus();
  await page.keyboard.press("f");
  // From the middle to the lung: a third of the picture to the left.
  const size = (await page.locator(".where span").first().textContent())!.split("×").map(Number);
  for (let i = 0; i < Math.round(size[0]! * 0.22 / 10); i++) await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Enter");
  const clicked = await solved(page);
  assert.ok(parseFloat(clicked.replaceAll(",", "")) > 100, `${clicked} pixels`);
  assert.ok((await maskPixels(page, canvas)) > 300, "the mask is seen");
  await screenshot(page, "picture-tablet-dark");

  const before = await amount(page);
  const box = (await canvas.boundingBox())!;
  await page.keyboard.press("d");
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 60, box.y + 60, { steps: 8 });
  await page.mouse.up();
  const after = await amount(page);
  assert.notEqual(after, before, "the brush adds pixels");
  await page.getByRole("button", { name: "undo" }).click();
  assert.equal(await amount(page), before);
  await page.getByRole("button", { name: "redo" }).click();
  assert.equal(await amount(page), after);

  // A finger marks background.
  await page.getByRole("button", { name: "Click on the background" }).tap();
  await page.touchscreen.tap(box.x + 30, box.y + box.height / 2);
  await solved(page);
  assert.equal(await marks(page), "1 + 1");

  // Leaving with unsaved work is asked about.
  await page.getByRole("button", { name: "list of images" }).click();
  await page.locator(`.images [data-id="${volume.id}"]`).click();
  await page.getByRole("button", { name: "Stay" }).click();
  assert.ok((await page.locator(".title").textContent())!.startsWith(picture));
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("scribbles and polygons are marks like clicks", async (t) => {
  if (!picture) return t.skip("NO PICTURE: lungsegdb is not there");
  const { page, problems } = await openPage(browser, `${server.url}#image=${picture}`);
  const canvas = page.locator('canvas[data-plane="image"]');
  await canvas.waitFor();
  const box = (await canvas.boundingBox())!;
  const unit = Math.min(box.width, box.height);
  const at = (x: number, y: number) => [box.x + box.width / 2 + x * unit, box.y + box.height / 2 + y * unit] as const;
  await page.keyboard.press("s");
  await page.mouse.move(...at(-0.22, -0.05));
  await page.mouse.down();
  await page.mouse.move(...at(-0.2, 0.05), { steps: 6 });
  await page.mouse.up();
  await solved(page);
  assert.ok((await maskPixels(page, canvas)) > 300, "the scribble gives a mask");
  await page.keyboard.press("Control+z");
  assert.equal(await maskPixels(page, canvas), 0);
  await page.keyboard.press("p");
  for (const [x, y] of [[-0.32, -0.2], [-0.1, -0.2], [-0.1, 0.2], [-0.32, 0.2]] as const) await page.mouse.click(...at(x, y));
  await page.getByText("4 corners").waitFor();
  await page.keyboard.press("Control+z");
  await page.getByText("3 corners").waitFor();
  await page.mouse.click(...at(-0.32, 0.2));
  await page.keyboard.press("c");
  await page.keyboard.press("f");
  await page.mouse.click(...at(-0.21, 0));
  await solved(page);
  assert.ok((await maskPixels(page, canvas)) > 300, "polygon and click give a mask");
  await screenshot(page, "polygon");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a newer click takes the place of the one in flight", async () => {
  const { page, problems } = await openPage(browser, `${server.url}#image=${volume.id}`);
  const { canvas, position } = await reach(page, volume.truth, 3, deepest(volume.truth, volume.label));
  await canvas.click({ position });
  await canvas.click({ position: { x: position.x + 5, y: position.y } });
  await solved(page);
  assert.equal(await marks(page), "2 + 0");
  assert.equal(await page.getByRole("alert").textContent(), "");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("an upload becomes an image of the study, and opens", async (t) => {
  if (!picture) return t.skip("NO PICTURE: lungsegdb is not there");
  const { page, problems } = await openPage(browser, server.url);
  const file = readdirSync(folder).find((name) => name.startsWith(`${picture}.`))!;
  const buffer = readFileSync(join(folder, file));
  await page.getByLabel("upload images").setInputFiles({ name: `uploaded${file.slice(picture.length)}`, mimeType: "application/octet-stream", buffer });
  await page.locator(".title", { hasText: "uploaded" }).waitFor();
  const canvas = page.locator('canvas[data-plane="image"]');
  await canvas.waitFor();
  const box = (await canvas.boundingBox())!;
  await canvas.click({ position: { x: box.width / 2 - 0.21 * box.height, y: box.height / 2 } });
  // The panels show this image, not the one before.
  const pixels = await solved(page);
  assert.equal(await amount(page), `${pixels} px`);
  // The window by its fields, and back.
  const level = page.getByLabel("Level", { exact: true });
  const suggested = await level.inputValue();
  await level.fill("40");
  await level.press("Enter");
  assert.equal(await level.inputValue(), "40");
  await page.getByRole("button", { name: "reset", exact: true }).click();
  assert.equal(await level.inputValue(), suggested);
  const dark = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await dark(), "light");
  await page.getByRole("button", { name: "theme: auto" }).click();
  await page.getByRole("button", { name: "theme: light" }).click();
  assert.equal(await dark(), "dark");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a failure is shown with its hint, and the marks stay", async () => {
  const { page } = await openPage(browser, `${server.url}#image=${volume.id}`);
  const { canvas, position } = await reach(page, volume.truth, 3, deepest(volume.truth, volume.label));
  let broken = true;
  await page.route("**/segment", (route) =>
    broken ? route.fulfill({ status: 503, json: { error: "too little memory", hint: "close other programs", request: "r-5" } }) : route.continue());
  await canvas.click({ position });
  const alert = page.getByRole("alert");
  await alert.getByText("Too little memory.").waitFor();
  assert.match((await alert.textContent())!, /Hint: close other programs.*r-5/);
  await screenshot(page, "failure");
  broken = false;
  await alert.getByRole("button", { name: "Try again" }).click();
  await solved(page);
  assert.equal(await marks(page), "1 + 0");
  await page.context().close();
});

test("every control has a name, and Tab reaches all of them", async () => {
  const { page } = await openPage(browser, `${server.url}#image=${volume.id}`);
  await page.locator('canvas[data-plane="axial"]').waitFor();
  await page.locator("details").first().evaluate((details) => ((details as HTMLDetailsElement).open = true));
  const unnamed = await page.evaluate(() =>
    [...document.querySelectorAll("button, input, select, canvas, progress, a[href]")]
      .filter((element) => {
        const labels = (element as HTMLInputElement).labels;
        const named = element.getAttribute("aria-label") || element.textContent?.trim() || (labels && [...labels].some((l) => l.textContent?.trim()));
        return !named;
      })
      .map((element) => element.outerHTML.slice(0, 120)));
  assert.deepEqual(unnamed, []);
  const wanted = await page.evaluate(() => {
    const visible = [...document.querySelectorAll<HTMLElement>("button:not(:disabled), input:not(:disabled), select, canvas[tabindex]")]
      // Of a group of radio buttons Tab reaches one.
      .filter((element) => element.checkVisibility() && !element.matches('input[type="radio"]:not(:checked)') && !element.closest("dialog"));
    visible.forEach((element, i) => (element.dataset.order = String(i)));
    return visible.length;
  });
  const reached = new Set<string>();
  for (let i = 0; i < wanted + 20; i++) {
    await page.keyboard.press("Tab");
    const order = await page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.order ?? null);
    if (order !== null) reached.add(order);
  }
  const missed = await page.evaluate((found) =>
    [...document.querySelectorAll<HTMLElement>("[data-order]")].filter((e) => !found.includes(e.dataset.order!)).map((e) => e.outerHTML.slice(0, 120)),
  [...reached]);
  assert.deepEqual(missed, []);
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("Everywhere").waitFor();
  await screenshot(page, "help");
  await page.context().close();
});

test("the 3-D view shows the surface of the saved label", async () => {
  const { page, problems } = await openPage(browser, `${server.url}#image=${volume.id}`);
  await page.getByText("its saved labels were loaded").waitFor();
  const view = page.locator('canvas[data-plane="3-D"]');
  // The surface has the label's colour, darkened by the light; the ground is nearly black.
  const bright = async () => {
    const [{ width, height }, png] = [(await view.boundingBox())!, (await view.screenshot()).toString("base64")];
    return page.evaluate(async ({ png, width, height }) => {
      const image = new Image();
      image.src = `data:image/png;base64,${png}`;
      await image.decode();
      const context = new OffscreenCanvas(width, height).getContext("2d")!;
      context.drawImage(image, 0, 0);
      const { data } = context.getImageData(0, 0, width, Math.floor(height * 0.85));
      let count = 0;
      for (let i = 0; i < data.length; i += 4) if (Math.max(data[i]!, data[i + 1]!, data[i + 2]!) - Math.min(data[i]!, data[i + 1]!, data[i + 2]!) > 50) count++;
      return count;
    }, { png, width: Math.floor(width), height: Math.floor(height) });
  };
  const end = Date.now() + 60_000;
  while ((await bright()) < 300 && Date.now() < end) await page.waitForTimeout(500);
  assert.ok((await bright()) >= 300, "the surface is seen");
  await screenshot(page, "volume-3d");
  assert.deepEqual(problems, []);
  await page.context().close();
});
