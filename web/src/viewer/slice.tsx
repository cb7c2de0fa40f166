/** One plane: its canvas, the slider for its slices, and the button that makes it large. */
import { effect, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { type Placement, type Plane, type Triple, canvasPoint, fit } from "../geometry.ts";
import type { Session } from "../session.ts";
import { brushSize, contourWidth, hovered, large, masksShown, opacity, smoothing, tool } from "../state.ts";
import { Icon } from "../panels/icons.tsx";
import { Gestures } from "./gestures.ts";
import { SliceRenderer, drawClick, drawCrosshair, drawFrame, drawPath } from "./render.ts";

export function SliceView({ session, plane }: { session: Session; plane: Plane }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const placement = useSignal<Placement | null>(null);
  const hover = useSignal<readonly [number, number] | null>(null);
  const scribbled = useSignal<readonly Triple[]>([]);
  const redraw = useSignal(0);

  useEffect(() => {
    const canvas = ref.current!;
    const gestures = new Gestures(session, plane, canvas, placement, hover, scribbled);
    const renderer = new SliceRenderer(session.volume, plane);
    const context = canvas.getContext("2d")!;
    const sizes = new ResizeObserver(() => redraw.value++);
    sizes.observe(canvas);
    canvas.addEventListener("wheel", gestures.scroll, { passive: false });
    canvas.addEventListener("pointerdown", gestures.down);
    canvas.addEventListener("pointermove", gestures.move);
    canvas.addEventListener("pointerup", gestures.up);
    canvas.addEventListener("pointercancel", gestures.lost);
    canvas.addEventListener("pointerleave", gestures.leave);
    canvas.addEventListener("keydown", gestures.key);
    const menu = (event: Event) => event.preventDefault();
    canvas.addEventListener("contextmenu", menu);

    let frame = 0;
    const stopDrawing = effect(() => {
      // Reading the signals here subscribes to them; drawing waits for the next frame, so that many changes are drawn once.
      const scene = {
        cursor: session.cursor.value, document: session.document.value, painted: session.painted.value, draft: session.draft.value,
        at: placement.value, hover: hover.value, scribbled: scribbled.value, tool: tool.value, brush: brushSize.value,
        look: {
          window: session.window.value, opacity: opacity.value, contour: contourWidth.value, smooth: smoothing.value, masks: masksShown.value,
        },
      };
      redraw.value;
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => draw(scene));
    });

    function draw(scene: Scene): void {
      const { size, spacing } = session.volume;
      const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio];
      if (width === 0 || height === 0) return;
      if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
      if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.fillStyle = "#0b0d10";
      context.fillRect(0, 0, width, height);
      const at = scene.at ?? fit(plane, size, spacing, width, height);
      const slice = scene.cursor[plane.axis];
      const { labels, active, requests } = scene.document;
      renderer.draw(context, at, width, height, slice, session.seg, scene.painted, labels, active, scene.look);
      const point = (u: number, v: number) => canvasPoint(plane, at, size, spacing, width, height, u, v);
      const of = (voxel: Triple) => point(voxel[plane.u], voxel[plane.v]);
      const here = (voxel: Triple) => voxel[plane.axis] === slice;
      drawFrame(context, plane, at, width, height);
      if (session.image.dimension === 3 || canvas.matches(":focus-visible")) drawCrosshair(context, ...of(scene.cursor), width, height);

      const marks = requests.get(active)?.marks;
      const scribbles = [...(marks?.scribbles ?? [])];
      if (scene.scribbled.length > 0) scribbles.push({ foreground: (scene.tool === "scribble"), points: scene.scribbled });
      for (const { foreground, points } of scribbles) {
        drawPath(context, points.filter(here).map(of), foreground ? "#35d07f" : "#ff6b6b", 3, false);
      }
      if (plane.axis === 2) {
        for (const polygon of [marks?.polygon, scene.draft]) {
          if (polygon?.slice !== slice) continue;
          const corners = polygon.points.map(([a, b]) => (plane.u === 0 ? point(a, b) : point(b, a)));
          drawPath(context, corners, "#ffd166", 2, polygon !== scene.draft);
          if (polygon === scene.draft) for (const corner of corners) drawPath(context, [corner], "#ffd166", 6, false);
        }
      }
      for (const foreground of [true, false]) {
        for (const voxel of (foreground ? marks?.foreground : marks?.background) ?? []) {
          // Clicks on the slices beside this one are shown faintly: they are why the mask is as it is.
          const distance = Math.abs(voxel[plane.axis] - slice);
          if (distance <= 1) drawClick(context, ...of(voxel), foreground, distance === 0);
        }
      }
      if (scene.hover && (scene.tool === "brush" || scene.tool === "erase")) {
        context.beginPath();
        context.arc(...point(...scene.hover), Math.max(1, (scene.brush / 2) * at.scale), 0, 2 * Math.PI);
        context.strokeStyle = scene.tool === "brush" ? "#ffffff" : "#ff6b6b";
        context.lineWidth = 1.5;
        context.stroke();
      }
    }

    const stopHover = effect(() => {
      const at = hover.value;
      if (!at) return void (hovered.value = null);
      const voxel: [number, number, number] = [...session.cursor.value];
      [voxel[plane.u], voxel[plane.v]] = [Math.round(at[0]), Math.round(at[1])];
      hovered.value = voxel;
    });
    return () => {
      stopDrawing();
      stopHover();
      cancelAnimationFrame(frame);
      sizes.disconnect();
    };
  }, [session, plane]);

  const slices = session.volume.size[plane.axis];
  const slice = session.cursor.value[plane.axis];
  const move = (index: number) => {
    const cursor: [number, number, number] = [...session.cursor.value];
    cursor[plane.axis] = index;
    session.cursor.value = cursor;
  };
  return (
    <section class={`view ${tool.value}`} aria-label={`${plane.name} view`}>
      <canvas
        ref={ref}
        tabIndex={0}
        role="application"
        data-plane={plane.name}
        aria-label={`${plane.name} view, slice ${slice + 1} of ${slices}, crosshair at voxel ${session.cursor.value.join(", ")}`}
        aria-describedby="view-help"
        onFocus={() => redraw.value++}
        onBlur={() => redraw.value++}
      />
      <div class="view-bar">
        <span class="view-name">{plane.name}</span>
        {slices > 1 && (
          <label class="slices">
            <input type="range" min={0} max={slices - 1} value={slice} aria-label={`slice of the ${plane.name} view`}
              onInput={(event) => move(Number(event.currentTarget.value))} />
            <output>{slice + 1}/{slices}</output>
          </label>
        )}
        <button class="ghost" title="Show the whole slice (0)" aria-label={`fit the ${plane.name} view`} onClick={() => (placement.value = null)}>
          <Icon name="fit" />
        </button>
        {session.planes.length > 1 && (
          <button class="ghost" aria-pressed={large.value === plane.name} title="Large or small"
            aria-label={`enlarge the ${plane.name} view`} onClick={() => (large.value = large.value === plane.name ? null : plane.name)}>
            <Icon name={large.value === plane.name ? "shrink" : "grow"} />
          </button>
        )}
      </div>
    </section>
  );
}

interface Scene {
  cursor: Triple;
  document: Session["document"]["value"];
  painted: number;
  draft: Session["draft"]["value"];
  at: Placement | null;
  hover: readonly [number, number] | null;
  scribbled: readonly Triple[];
  tool: string;
  brush: number;
  look: Parameters<SliceRenderer["draw"]>[9];
}
