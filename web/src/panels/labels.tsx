/** Labels with names, colours and volumes, and what is done to the active one. */
import { useComputed } from "@preact/signals";

import type { Session } from "../session.ts";
import { millilitres } from "./chart.tsx";
import { Icon } from "./icons.tsx";

export function Labels({ session }: { session: Session }) {
  const counts = useComputed(() => {
    session.settled.value;
    return session.counts();
  });
  const { labels, active, requests } = session.document.value;
  const flat = session.image.dimension === 2;
  const amount = (value: number) => {
    const voxels = counts.value.get(value) ?? 0;
    if (voxels === 0) return "";
    return flat ? `${voxels.toLocaleString("en")} px` : millilitres(voxels * session.voxelMillilitres);
  };
  return (
    <section class="card" aria-labelledby="labels-title">
      <h2 id="labels-title">Labels
        <button class="ghost" onClick={() => session.addLabel()} title="New label (L)" aria-label="new label"><Icon name="plus" /></button>
      </h2>
      <ul class="labels" role="radiogroup" aria-labelledby="labels-title">
        {labels.map((label, at) => (
          <li key={label.value} class={label.value === active ? "active" : ""}>
            <input type="radio" name="label" checked={label.value === active} aria-label={`use ${label.name}`}
              title={at < 9 ? `Use this label (${at + 1})` : "Use this label"} onChange={() => session.select(label.value)} />
            <input type="color" value={label.colour} aria-label={`colour of ${label.name}`}
              onChange={(event) => session.editLabel({ ...label, colour: event.currentTarget.value })} />
            <input type="text" value={label.name} aria-label={`name of label ${label.value}`} maxLength={80} onClick={() => session.select(label.value)}
              onChange={(event) => session.editLabel({ ...label, name: event.currentTarget.value.trim() || label.name })} />
            <output aria-label={`volume of ${label.name}`}>{amount(label.value)}</output>
            <button class="ghost" disabled={labels.length < 2} aria-label={`remove ${label.name}`} title="Remove the label and its voxels"
              onClick={() => session.removeLabel(label.value)}><Icon name="remove" /></button>
          </li>
        ))}
      </ul>
      <div class="row">
        <button disabled={!requests.has(active)} onClick={() => session.keep()} title="Keep this object and mark another one of the same label (K)">
          <Icon name="keep" />Keep
        </button>
        <button disabled={!counts.value.has(active) && !requests.has(active)} onClick={() => session.clearLabel(active)} title="Remove what this label holds">
          <Icon name="clear" />Clear
        </button>
      </div>
    </section>
  );
}
