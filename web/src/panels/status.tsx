/** The line at the bottom, which screen readers speak, and the messages of failures above it. */
import { valueAt } from "../nifti.ts";
import { inside, voxelIndex } from "../geometry.ts";
import { hovered, loading, notice, session } from "../state.ts";
import { short } from "./chart.tsx";
import { Icon } from "./icons.tsx";

export function Status() {
  const said = notice.value;
  const busy = loading.value;
  return (
    <footer class="status">
      <p class="said" role="status" aria-live="polite">
        {busy ? `Loading ${busy.name}: ${Math.round(busy.fraction * 100)} %` : said?.kind === "info" ? said.text : ""}
      </p>
      <Where />
    </footer>
  );
}

export function Failure() {
  const said = notice.value;
  return (
    <div class="failures" role="alert">
      {said?.kind === "error" && (
        <div class="failure">
          <div>
            <p>{sentence(said.text)}</p>
            {said.hint && <p class="hint">Hint: {said.hint}</p>}
            {said.request && <p class="request">request {said.request}</p>}
          </div>
          {said.retry && <button onClick={() => {
            notice.value = null;
            said.retry!();
          }}>Try again</button>}
          <button class="ghost" aria-label="close the message" onClick={() => (notice.value = null)}><Icon name="remove" /></button>
        </div>
      )}
    </div>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** The voxel under the pointer, or else under the crosshair. */
function Where() {
  const open = session.value;
  if (!open) return null;
  const { size } = open.volume;
  const pointed = hovered.value;
  const voxel = pointed && inside(pointed, size) ? pointed : open.cursor.value;
  open.painted.value;
  const index = voxelIndex(voxel, size);
  const label = open.document.value.labels.find((l) => l.value === open.seg[index]);
  return (
    <p class="where">
      <span>{size.filter((n, axis) => axis < 2 || n > 1).join(" × ")}</span>
      <span>{voxel.slice(0, open.image.dimension).join(", ")}</span>
      <span>{valueAt(open.volume, index).map(short).join(" ")}</span>
      <span class="where-label">{label?.name ?? ""}</span>
    </p>
  );
}
