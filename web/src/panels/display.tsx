/** Window and level with the histogram, opacity, contour. */
import type { Session } from "../session.ts";
import { contourWidth, opacity, smoothing } from "../state.ts";
import { short } from "./chart.tsx";

export function Display({ session }: { session: Session }) {
  const [low, high] = session.window.value;
  const set = (nextLow: number, nextHigh: number) => {
    if (Number.isFinite(nextLow) && nextHigh > nextLow) session.window.value = [nextLow, nextHigh];
  };
  const [width, level] = [high - low, (high + low) / 2];
  return (
    <section class="card" aria-labelledby="display-title">
      <h2 id="display-title">Display
        <button class="ghost text" onClick={() => (session.window.value = session.image.window)} title="The window that the image suggests (R)">reset</button>
      </h2>
      <Histogram session={session} />
      <div class="pair">
        <label>Level<input type="number" step="any" value={Number(short(level))}
          onChange={(e) => set(e.currentTarget.valueAsNumber - width / 2, e.currentTarget.valueAsNumber + width / 2)} /></label>
        <label>Window<input type="number" step="any" min={0} value={Number(short(width))}
          onChange={(e) => set(level - e.currentTarget.valueAsNumber / 2, level + e.currentTarget.valueAsNumber / 2)} /></label>
      </div>
      <label class="slide">Opacity
        <input type="range" min={0} max={1} step={0.05} value={opacity.value} onInput={(e) => (opacity.value = e.currentTarget.valueAsNumber)} />
        <output>{Math.round(opacity.value * 100)} %</output>
      </label>
      <label class="slide">Contour
        <input type="range" min={0} max={4} step={0.5} value={contourWidth.value} onInput={(e) => (contourWidth.value = e.currentTarget.valueAsNumber)} />
        <output>{contourWidth.value} px</output>
      </label>
      <label class="check">
        <input type="checkbox" checked={smoothing.value} onChange={(e) => (smoothing.value = e.currentTarget.checked)} />smooth pixels
      </label>
    </section>
  );
}

function Histogram({ session }: { session: Session }) {
  const { edges, counts } = session.image.histogram;
  if (counts.length === 0 || edges.length < 2) return null;
  const [first, last] = [edges[0]!, edges.at(-1)!];
  const x = (value: number) => 100 * Math.min(1, Math.max(0, (value - first) / (last - first || 1)));
  // Roots, because the air around a body would flatten everything else.
  const heights = counts.map((count) => Math.sqrt(count));
  const top = Math.max(1, ...heights);
  const bars = heights.map((h, i) => `M${x(edges[i]!)} 30V${30 - (28 * h) / top}H${x(edges[i + 1] ?? last)}V30`).join("");
  const [low, high] = session.window.value;
  return (
    <svg class="histogram" viewBox="0 0 100 30" preserveAspectRatio="none" role="img" aria-label="histogram of the image with the window">
      <path class="bars" d={bars} />
      <rect class="range" x={x(low)} y={0} width={Math.max(0.5, x(high) - x(low))} height={30} />
    </svg>
  );
}
