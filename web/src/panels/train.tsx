/** Trainings on the saved labels: start one, watch its curve, stop it, go on. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import type { CurvePoint, Network, Training } from "../api.ts";
import type { Settings } from "../document.ts";
import { FINAL } from "../session.ts";
import { api, fail, images, info, say } from "../state.ts";
import { Chart } from "./chart.tsx";
import { Icon } from "./icons.tsx";
import { SettingFields } from "./settings.tsx";

const AGAIN_MS = 3000;

const networks = signal<readonly Network[] | null>(null);
const trainings = signal<readonly Training[]>([]);
const watched = signal<string | null>(null);
const curve = signal<readonly CurvePoint[]>([]);
const chosen = signal("");
const settings = signal<Settings>({});
const name = signal("");

async function refresh(): Promise<void> {
  try {
    [networks.value, trainings.value] = await Promise.all([networks.value ?? api.networks(), api.trainings()]);
    watched.value ??= trainings.value.find((t) => t.state === "running")?.id ?? trainings.value.at(-1)?.id ?? null;
  } catch (problem) {
    fail(problem, () => void refresh());
  }
}

function change(id: string, changed: Partial<Training>): void {
  trainings.value = trainings.value.map((t) => (t.id === id ? { ...t, ...changed } : t));
}

async function act(work: () => Promise<unknown>, done: string): Promise<void> {
  try {
    await work();
    say(done);
    await refresh();
    // A trained model is a method: the list of methods has grown.
    info.value = await api.info();
  } catch (problem) {
    fail(problem);
  }
}

/** Shows the curve of a training, and every step while it runs. */
async function follow(id: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const found = await api.training(id);
    if (signal.aborted) return;
    curve.value = found.curve ?? [];
    change(id, { state: found.state, iteration: found.iteration, iterations: found.iterations, problem: found.problem ?? null });
    if (found.state !== "running") return;
    await api.watchTraining(id, ({ event, data }) => {
      if (event === "step") {
        const step = data as CurvePoint;
        // The stream may begin with steps that the curve already has.
        if (step.iteration > (curve.value.at(-1)?.iteration ?? -1)) curve.value = [...curve.value, step];
        change(id, { iteration: step.iteration });
        // How many there will be is known when the training has read its images.
        if (trainings.value.some((t) => t.id === id && t.iterations === 0)) {
          void api.training(id).then(({ iterations }) => change(id, { iterations }), () => undefined);
        }
      } else if (event === "state" && (data as Training).state !== "running") {
        void act(async () => {}, `The training is ${(data as Training).state}.`);
      }
    }, signal);
    // A training that another program runs tells no steps: it is asked again after a while.
    await new Promise((resume) => setTimeout(resume, AGAIN_MS));
    if (signal.aborted) return;
  }
}

export function TrainPanel() {
  useEffect(() => void refresh(), []);
  const id = watched.value;
  const running = trainings.value.find((t) => t.id === id)?.state === "running";

  useEffect(() => {
    if (id === null) return;
    const abort = new AbortController();
    void follow(id, abort.signal).catch(fail);
    return () => abort.abort();
  }, [id, running]);

  const labelled = images.value.filter((entry) => entry.labels.includes(FINAL)).length;
  const network = networks.value?.find((n) => n.name === chosen.value) ?? networks.value?.[0];
  const start = async () => {
    if (!network) return;
    await act(async () => {
      const { id } = await api.train(network.name, settings.value, FINAL, name.value.trim() || null);
      curve.value = [];
      watched.value = id;
    }, `A training of ${network.name} has begun.`);
  };
  const shown = trainings.value.find((t) => t.id === id);
  return (
    <>
      <section class="card" aria-labelledby="train-title">
        <h2 id="train-title">New training</h2>
        <p class="note">
          Trains a network on {network?.labels === false ? "all grey images, without labels" : `the ${labelled} image${labelled === 1 ? "" : "s"} with saved labels`}.
          When it is done, it is a method.
        </p>
        {network && (
          <>
            <select class="wide" aria-label="network" value={network.name}
              onChange={(event) => {
                chosen.value = event.currentTarget.value;
                settings.value = {};
              }}>
              {networks.value!.map((n) => <option key={n.name} value={n.name}>{n.name}</option>)}
            </select>
            <p class="note">{network.summary}</p>
            <label class="stack">Name <input type="text" value={name.value} maxLength={60} placeholder="optional" onInput={(e) => (name.value = e.currentTarget.value)} /></label>
            <details>
              <summary>Settings</summary>
              <SettingFields schema={network.settings} values={settings.value} change={(key, value) => {
                const { [key]: _, ...others } = settings.value as Record<string, number | boolean | string>;
                settings.value = value === undefined ? others : { ...others, [key]: value };
              }} />
            </details>
            <button class="primary wide" disabled={network.labels ? labelled === 0 : images.value.length === 0} onClick={() => void start()}><Icon name="play" />Start</button>
          </>
        )}
      </section>
      {shown && (
        <section class="card" aria-labelledby="watch-title">
          <h2 id="watch-title">{shown.network}<span class={`state ${shown.state}`}>{shown.state}</span></h2>
          <progress class="wide" value={shown.iteration} max={Math.max(1, shown.iterations)} aria-label="progress of the training" />
          <p class="note">{shown.iteration} {shown.iterations > 0 ? `of ${shown.iterations} ` : ""}iterations</p>
          {shown.problem && <p class="problem">{shown.problem}</p>}
          <Chart title="Curve" series={[
            { name: "loss", kind: "first", points: curve.value.map((p) => [p.iteration, p.loss]) },
            { name: "score", kind: "second", points: curve.value.flatMap((p) => (p.score == null ? [] : [[p.iteration, p.score] as const])) },
          ]} />
          <div class="row">
            {shown.state === "running"
              ? <button onClick={() => void act(() => api.stopTraining(shown.id), "The training was asked to stop.")}><Icon name="stop" />Stop</button>
              : <button disabled={shown.state === "done"} onClick={() => void act(() => api.resumeTraining(shown.id), "The training goes on.")}><Icon name="play" />Resume</button>}
          </div>
        </section>
      )}
      {trainings.value.length > 0 && (
        <section class="card" aria-labelledby="all-title">
          <h2 id="all-title">Trainings</h2>
          <ul class="trainings">
            {trainings.value.map((t) => (
              <li key={t.id}>
                <button aria-current={t.id === id} onClick={() => (watched.value = t.id)}>{t.id}<span class={`state ${t.state}`}>{t.state}</span></button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
