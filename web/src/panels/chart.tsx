/** A small curve: energy of a solve, or loss and score of a training. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
  readonly kind: "first" | "second";
}

const [WIDTH, HEIGHT] = [260, 84];
const [LEFT, BOTTOM, TOP] = [4, 14, 6];

export function Chart({ title, series }: { title: string; series: readonly Series[] }) {
  const drawn = series.filter((s) => s.points.length > 1);
  if (drawn.length === 0) return null;
  const xs = drawn.flatMap((s) => s.points.map(([x]) => x));
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  // Each series has its own height: a loss and a score have no common unit.
  const lines = drawn.map(({ name, points, kind }) => {
    const ys = points.map(([, y]) => y).filter(Number.isFinite);
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    const x = (value: number) => LEFT + ((value - x0) / (x1 - x0 || 1)) * (WIDTH - 2 * LEFT);
    const y = (value: number) => HEIGHT - BOTTOM - ((value - low) / (high - low || 1)) * (HEIGHT - BOTTOM - TOP);
    const thin = Math.max(1, Math.ceil(points.length / 400));
    const path = points
      .filter((point, i) => Number.isFinite(point[1]) && (i % thin === 0 || i === points.length - 1))
      .map(([px, py], i) => `${i === 0 ? "M" : "L"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`)
      .join("");
    return { name, kind, path, first: points[0]![1], last: points.at(-1)![1] };
  });
  const spoken = lines.map((l) => `${l.name} from ${short(l.first)} to ${short(l.last)}`).join(", ");
  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span>
        {lines.map((l) => <span key={l.name} class={`key ${l.kind}`}>{l.name} {short(l.last)}</span>)}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}: ${spoken}`}>
        <path class="axis" d={`M${LEFT} ${HEIGHT - BOTTOM}H${WIDTH - LEFT}`} />
        {lines.map((l) => <path key={l.name} class={`line ${l.kind}`} d={l.path} />)}
        <text x={LEFT} y={HEIGHT - 3}>{x0}</text>
        <text x={WIDTH - LEFT} y={HEIGHT - 3} text-anchor="end">{x1} iterations</text>
      </svg>
    </figure>
  );
}

/** Points of a trace whose iterations begin anew for each of several solves, one after the other. */
export function inSequence(trace: readonly { iteration: number; energy: number }[]): [number, number][] {
  let [before, last] = [0, 0];
  return trace.map(({ iteration, energy }) => {
    if (iteration <= last) before += last;
    last = iteration;
    return [before + iteration, energy];
  });
}

export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e5 || size < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** A volume with three digits or so. */
export function millilitres(ml: number): string {
  return `${ml >= 100 ? ml.toFixed(0) : ml >= 1 ? ml.toFixed(1) : short(Number(ml.toPrecision(2)))} ml`;
}
