/** The list of images: search, open, upload, and how the next one is chosen. */
import { signal } from "@preact/signals";

import { FINAL } from "../session.ts";
import { images, open, session, unsaved, upload } from "../state.ts";
import { Icon } from "./icons.tsx";

const STRATEGIES = [["first", "in order"], ["random", "at random"], ["uncertain", "most uncertain"]] as const;
export const strategy = signal<string>("first");
/** Narrower pages, in CSS pixels, have no room for the list beside the views; the style sheet has the same number. */
const LIST_BESIDE = 1100;
export const listShown = signal(innerWidth > LIST_BESIDE);
const search = signal("");

function choose(id: string): void {
  // On a small screen the list lies over the views.
  if (innerWidth <= LIST_BESIDE) listShown.value = false;
  void open(id);
}

export function ImageList() {
  const wanted = search.value.toLowerCase();
  const found = images.value.filter((entry) => entry.name.toLowerCase().includes(wanted));
  const done = images.value.filter((entry) => entry.labels.includes(FINAL)).length;
  return (
    <nav class="images" aria-label="images" hidden={!listShown.value}>
      <div class="images-head">
        <input type="search" placeholder="Search" aria-label="search images" value={search.value}
          onInput={(event) => (search.value = event.currentTarget.value)} />
        <label class="button ghost" title="Upload images">
          <Icon name="upload" />
          <input type="file" multiple class="unseen" aria-label="upload images"
            onChange={(event) => {
              const files = [...(event.currentTarget.files ?? [])];
              event.currentTarget.value = "";
              void upload(files);
            }} />
        </label>
      </div>
      <ul>
        {found.map((entry) => {
          const current = session.value?.image.id === entry.id;
          return (
            <li key={entry.id}>
              <button data-id={entry.id} aria-current={current} onClick={() => choose(entry.id)} title={entry.name}>
                <span class="image-name">{entry.name}</span>
                <span class="image-state">
                  {current && unsaved.value ? <span class="unsaved">•</span> : entry.labels.includes(FINAL) ? <Icon name="keep" /> : null}
                  {entry.size && <small>{entry.size.filter((n, axis) => axis < 2 || n > 1).join("×")}</small>}
                </span>
                {entry.labels.includes(FINAL) && <span class="unseen">labelled</span>}
              </button>
            </li>
          );
        })}
      </ul>
      <div class="images-foot">
        <span>{done} of {images.value.length} labelled</span>
        <label>Next
          <select value={strategy.value} onChange={(event) => (strategy.value = event.currentTarget.value)}>
            {STRATEGIES.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </select>
        </label>
      </div>
    </nav>
  );
}
