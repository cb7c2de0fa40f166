/** Labels: their values, names and colours, and how those of two places come together. */
import { type Runs, countRuns } from "./rle.ts";

export interface Label {
  readonly value: number;
  readonly name: string;
  readonly colour: string;
}

/** Colours that are told apart on grey images, also by people who see red and green alike (after Okabe and Ito). */
export const COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2", "#b8e986", "#ff8fa3", "#9d8cff"];

export function freeValue(labels: readonly Label[]): number {
  let value = 1;
  while (labels.some((label) => label.value === value)) value++;
  return value;
}

export function newLabel(labels: readonly Label[], name?: string): Label {
  const value = freeValue(labels);
  return { value, name: name ?? `label ${value}`, colour: COLOURS[(value - 1) % COLOURS.length]! };
}

/** Label names and colours, by value as text. */
export type Legend = Readonly<Record<string, { readonly name: string; readonly colour: string }>>;

/** Labels that the server knows, and those of a saved map, which win; every value of the map has a name. */
export function mergeLabels(labels: readonly Label[], saved: { labels: Legend; runs: Runs } | null): Label[] {
  const merged = new Map(labels.map((label) => [label.value, label]));
  for (const [value, { name, colour }] of Object.entries(saved?.labels ?? {})) {
    if (Number(value) !== 0) merged.set(Number(value), { value: Number(value), name, colour });
  }
  for (const value of countRuns(saved?.runs ?? []).keys()) {
    if (!merged.has(value)) merged.set(value, { ...newLabel([...merged.values()]), value, name: `label ${value}` });
  }
  return [...merged.values()].sort((a, b) => a.value - b.value);
}

/**
 * The labels with those that a result brings, and its mask in their values. A label goes by its name where the result tells one: to the one of
 * that name, or to a new one, of its own value where that is free.
 */
export function adopted(labels: readonly Label[], result: { runs: Runs; labels?: Legend }): { labels: readonly Label[]; runs: Runs } {
  const all = [...labels];
  const values = new Map<number, number>();
  for (const value of countRuns(result.runs).keys()) {
    const legend = result.labels?.[value];
    const known = all.find((label) => (legend ? label.name === legend.name : label.value === value));
    const taken = all.some((label) => label.value === value);
    const label = known ?? { ...newLabel(all, legend?.name ?? `label ${value}`), ...(taken ? {} : { value }), ...(legend ? { colour: legend.colour } : {}) };
    if (!known) all.push(label);
    values.set(value, label.value);
  }
  if (all.length === labels.length && [...values].every(([from, to]) => from === to)) return { labels, runs: result.runs };
  const runs = result.runs.map((entry, at) => (at % 2 === 0 ? (values.get(entry) ?? entry) : entry));
  return { labels: all.length === labels.length ? labels : all.sort((a, b) => a.value - b.value), runs };
}
