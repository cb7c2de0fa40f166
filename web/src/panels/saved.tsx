/** Label maps that the server keeps of the image: load one, and see how well what was saved agrees with another. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import type { Scores } from "../api.ts";
import { FINAL, type Session } from "../session.ts";
import { api, fail, images } from "../state.ts";

export function Saved({ session }: { session: Session }) {
  const id = session.image.id;
  const tags = images.value.find((entry) => entry.id === id)?.labels ?? [];
  const scores = useSignal<{ tag: string; labels: Readonly<Record<string, Scores>> } | null>(null);
  // Scores of what was saved before are not those of what is saved now.
  useEffect(() => void (scores.value = null), [session.unsaved.value]);
  if (tags.length === 0) return null;
  const load = async (tag: string) => {
    try {
      session.load(await api.labels(id, tag), tag);
    } catch (problem) {
      fail(problem);
    }
  };
  const compare = async (tag: string) => {
    try {
      scores.value = { tag, labels: (await api.scores(id, FINAL, tag)).labels };
    } catch (problem) {
      fail(problem);
    }
  };
  const nameOf = (value: string) => session.document.value.labels.find((label) => label.value === Number(value))?.name ?? `label ${value}`;
  return (
    <section class="card" aria-labelledby="saved-title">
      <h2 id="saved-title">Saved</h2>
      <ul class="saved">
        {tags.map((tag) => (
          <li key={tag}>
            <span>{tag}</span>
            {tag !== FINAL && tags.includes(FINAL) && (
              <button onClick={() => void compare(tag)} aria-label={`compare ${FINAL} with ${tag}`}>Compare</button>
            )}
            <button onClick={() => void load(tag)} title="Shows these labels instead; undo brings yours back" aria-label={`load ${tag}`}>Load</button>
          </li>
        ))}
      </ul>
      {scores.value && (
        <table class="scores">
          <caption>{FINAL} against {scores.value.tag}</caption>
          <thead><tr><th>label</th><th>Dice</th><th>HD95 mm</th><th>ASD mm</th></tr></thead>
          <tbody>
            {Object.entries(scores.value.labels).map(([value, score]) => (
              <tr key={value}>
                <th scope="row">{nameOf(value)}</th>
                <td>{score.dice?.toFixed(3) ?? "–"}</td><td>{score.hd95_mm?.toFixed(1) ?? "–"}</td><td>{score.asd_mm?.toFixed(2) ?? "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
