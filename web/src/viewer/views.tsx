/** All views of the open image: four of a volume, or one made large; one of a 2-D image. */
import { large, session } from "../state.ts";
import { SliceView } from "./slice.tsx";
import { VolumeView } from "./volume3d.tsx";

export function Views() {
  const open = session.value;
  if (!open) return <main class="views empty" id="views" />;
  const one = open.planes.length === 1;
  const chosen = one ? open.planes[0]!.name : large.value;
  const shown = (name: string) => chosen === null || chosen === name;
  return (
    <main class={`views ${chosen === null ? "four" : "one"}`} id="views" key={open.image.id}>
      <p id="view-help" class="unseen">
        Arrow keys move the crosshair, with Shift by ten voxels; Page Up and Page Down change the slice; Enter uses the chosen tool at the
        crosshair; plus and minus zoom, 0 shows the whole slice. Press the question mark for all keys.
      </p>
      {open.planes.filter((plane) => shown(plane.name)).map((plane) => <SliceView key={plane.name} session={open} plane={plane} />)}
      {!one && shown("3-D") && <VolumeView session={open} />}
    </main>
  );
}
