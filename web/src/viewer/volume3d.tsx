/** The pane with the 3-D view: loads the renderer when it is needed, and keeps it in step without slowing a brush down. */
import { effect, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Icon } from "../panels/icons.tsx";
import type { Session } from "../session.ts";
import { large, masksShown } from "../state.ts";
import type { Render3d } from "./render3d.ts";

/**
 * Whether WebGL is computed by the processor, as on remote desktops: a ray through every pixel of the image then takes seconds and holds up
 * everything else, so that only the surfaces of labels are drawn.
 */
function withoutGraphicsCard(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return true;
  const details = gl.getExtension("WEBGL_debug_renderer_info");
  const renderer = String(gl.getParameter(details?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(renderer);
}
const rays = !withoutGraphicsCard();

/** Beyond this the texture of the image and the search for surfaces take too much memory and time. */
const MOST_VOXELS = 100e6;
const SETTLE_MS = 250;

export function VolumeView({ session }: { session: Session }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const problem = useSignal<string | null>(null);
  const ready = useSignal(false);
  const empty = useSignal(false);
  const tooLarge = session.voxels > MOST_VOXELS;


  useEffect(() => {
    if (tooLarge) return;
    let view: Render3d | null = null;
    let closed = false;
    let timer = 0;
    let stop = () => {};
    void (async () => {
      try {
        const { Render3d } = await import("./render3d.ts");
        // A hidden or too small canvas has no picture; the effect runs again when the pane is shown.
        if (closed || !ref.current) return;
        view = await Render3d.make(ref.current, session.volume, rays);
        if (closed) return view.close();
        ready.value = true;
        let window: readonly [number, number] | null = null;
        stop = effect(() => {
          session.settled.value;
          const [labels, shown, next] = [session.document.value.labels, masksShown.value, session.window.value];
          clearTimeout(timer);
          timer = setTimeout(() => {
            if (next !== window) view!.setWindow((window = next));
            empty.value = !view!.setLabels(session.seg, labels, shown);
          }, SETTLE_MS) as unknown as number;
        });
      } catch (reason) {
        problem.value = reason instanceof Error ? reason.message : String(reason);
      }
    })();
    return () => {
      closed = true;
      stop();
      clearTimeout(timer);
      view?.close();
    };
  }, [session]);

  return (
    <section class="view" aria-label="3-D view">
      {tooLarge || problem.value ? (
        <p class="view-problem">
          {tooLarge ? "This volume is too large for the 3-D view." : `There is no 3-D view: ${problem.value}`}
        </p>
      ) : (
        <canvas ref={ref} data-plane="3-D" tabIndex={0} role="img" aria-label="3-D view of image and labels; drag to turn" />
      )}
      {!ready.value && !tooLarge && !problem.value && <p class="view-problem">preparing the 3-D view</p>}
      {ready.value && empty.value && !rays && <p class="view-problem">the surfaces of your labels appear here</p>}
      <div class="view-bar">
        <span class="view-name">3-D</span>
        <span class="spring" />
        <button class="ghost" aria-pressed={large.value === "3-D"} title="Large or small" aria-label="enlarge the 3-D view"
          onClick={() => (large.value = large.value === "3-D" ? null : "3-D")}>
          <Icon name={large.value === "3-D" ? "shrink" : "grow"} />
        </button>
      </div>
    </section>
  );
}
