/** The method, its settings from the schema, and what its last answer was. */
import { signal } from "@preact/signals";

import { hasMarks } from "../document.ts";
import { FINAL, type Session } from "../session.ts";
import { images, info, say } from "../state.ts";
import { Chart, inSequence, millilitres, short } from "./chart.tsx";
import { SettingFields } from "./settings.tsx";

export function MethodPanel({ session }: { session: Session }) {
  const document = session.document.value;
  const { image } = session;
  // A method that knows planes only works on a volume slice by slice.
  const usable = (info.value?.methods ?? []).filter((m) => m.dimensions.includes(image.dimension) || m.dimensions.includes(2));
  const method = session.method;
  if (!method) return <section class="card"><h2>Method</h2><p>The server has no methods.</p></section>;
  const changed = Object.keys(document.settings[method.name] ?? {}).length;
  const onlySlices = image.dimension === 3 && !method.dimensions.includes(3);
  return (
    <section class="card" aria-labelledby="method-title">
      <h2 id="method-title">Method</h2>
      <select class="wide" aria-label="method" value={method.name} onChange={(event) => session.setMethod(event.currentTarget.value)}>
        {usable.map((m) => <option key={m.name} value={m.name}>{m.name}{m.model ? " (trained)" : ""}</option>)}
      </select>
      <p class="note">{method.summary}</p>
      {image.dimension === 3 && !method.marks.includes("support") && (
        <label class="check">
          <input type="checkbox" checked={session.oneSlice} disabled={onlySlices} onChange={(event) => session.setSlicewise(event.currentTarget.checked)} />
          one slice at a time{onlySlices ? " (this method knows no volumes)" : ""}
        </label>
      )}
      {method.marks.includes("support") && <SupportFields session={session} />}
      {method.marks.length === 0 && <button class="primary wide" onClick={() => session.run()}>Segment</button>}
      {method.settings.length > 0 && (
        <details>
          <summary>Settings{changed > 0 ? ` (${changed} changed)` : ""}</summary>
          <SettingFields schema={method.settings} values={document.settings[method.name] ?? {}}
            change={(key, value) => session.setSetting(key, value)} />
        </details>
      )}
    </section>
  );
}

/** The labelled images that a few-shot method is shown; none for those that were saved last. */
const chosen = signal<readonly string[]>([]);

function SupportFields({ session }: { session: Session }) {
  const labelled = images.value.filter((entry) => entry.labels.includes(FINAL) && entry.id !== session.image.id);
  if (labelled.length === 0) return <p class="note">This method looks for what other images have labels of: label one, and save it.</p>;
  const supports = chosen.value.filter((id) => labelled.some((entry) => entry.id === id));
  const run = () => {
    session.run(supports);
    say(`Looking for the labels of ${supports.length > 0 ? supports.join(", ") : "the images that were saved last"}.`);
  };
  return (
    <>
      <fieldset class="support">
        <legend>Looks for the labels of</legend>
        <ul>
          {labelled.map((entry) => (
            <li key={entry.id}>
              <label class="check">
                <input type="checkbox" checked={supports.includes(entry.id)}
                  onChange={(event) => (chosen.value = event.currentTarget.checked ? [...supports, entry.id] : supports.filter((id) => id !== entry.id))} />
                {entry.name}
              </label>
            </li>
          ))}
        </ul>
        <p class="note">{supports.length > 0 ? `${supports.length} chosen` : "None chosen: those that were saved last, at most three"}</p>
      </fieldset>
      <button class="primary wide" onClick={run}>Segment</button>
    </>
  );
}

export function ResultPanel({ session }: { session: Session }) {
  const solving = session.solving.value;
  const result = session.result.value;
  const marks = session.marks;
  const flat = session.image.dimension === 2;
  return (
    <section class="card" aria-labelledby="result-title" aria-busy={solving !== null}>
      <h2 id="result-title">Result</h2>
      {solving && (
        <div class="solving">
          <progress value={solving.progress?.fraction ?? undefined} aria-label="progress" />
          <span>
            {solving.coarse ? "first sketch shown" : solving.progress?.stage === "support" ? "looking at the labelled image" : "solving"}
            {solving.progress?.iteration != null ? `, iteration ${solving.progress.iteration}` : ""}
          </span>
        </div>
      )}
      {result && (
        <>
          <dl class="figures">
            <div><dt>{flat ? "pixels" : "volume"}</dt>
              <dd id="result-volume">{flat ? result.voxels.toLocaleString("en") : millilitres(result.volume_ml)}</dd></div>
            <div><dt>time</dt><dd>{result.seconds < 10 ? result.seconds.toFixed(2) : result.seconds.toFixed(0)} s</dd></div>
            <div><dt>marks</dt><dd>{marks.foreground.length} + {marks.background.length}</dd></div>
          </dl>
          <p class="note">
            {result.stopped}
            {result.trace.length === 1 && ` after ${result.trace[0]!.iteration} iterations with energy ${short(result.trace[0]!.energy)}`}
          </p>
          <Chart title="Energy" series={[{ name: "", kind: "first", points: inSequence(result.trace) }]} />
        </>
      )}
      {!result && !solving && !(marks.foreground.length > 0) && (
        <p class="note">
          {hasMarks(marks) ? "Not solved: mark at least one place inside the object." : "Click inside the object: the mask follows at once. The right button, or B, marks what does not belong to it."}
        </p>
      )}
    </section>
  );
}
