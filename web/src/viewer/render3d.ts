/** The 3-D view by NiiVue. This module is a chunk of its own that is fetched when a 3-D view is first shown. */
import { NVImage, NVMesh, Niivue, SLICE_TYPE } from "@niivue/niivue";

import type { Label } from "../labels.ts";
import type { Volume } from "../nifti.ts";
import { rgb } from "./render.ts";
import { type Surface, surfacesOf } from "./surface.ts";

export class Render3d {
  private constructor(private readonly niivue: Niivue, private readonly volume: Volume, private readonly image: NVImage | null) {}

  /** `rays` draws the image while there are no surfaces: a ray through every pixel, which needs a graphics card. */
  static async make(canvas: HTMLCanvasElement, volume: Volume, rays: boolean): Promise<Render3d> {
    const niivue = new Niivue({
      backColor: [0.043, 0.051, 0.063, 1], show3Dcrosshair: false, isOrientCube: false, isColorbar: false, loadingText: "",
      dragAndDropEnabled: false, isOrientationTextVisible: false, logLevel: "error", isResizeCanvas: true, meshXRay: 0,
    });
    await niivue.attachToCanvas(canvas, true);
    niivue.setSliceType(SLICE_TYPE.RENDER);
    let image: NVImage | null = null;
    if (rays) {
      image = await NVImage.loadFromFile({ file: new File([volume.file], "image.nii"), name: "image.nii", colormap: "gray" });
      niivue.addVolume(image);
    }
    niivue.setRenderAzimuthElevation(150, 15);
    return new Render3d(niivue, volume, image);
  }

  setWindow([low, high]: readonly [number, number]): void {
    if (!this.image) return;
    // Dark voxels are air for the eye: a volume that begins at the lower end of the window is a grey box.
    this.image.cal_min = low + 0.25 * (high - low);
    this.image.cal_max = high;
    this.niivue.updateGLVolume();
  }

  /** Shows the surfaces of a label map; returns whether there are any. */
  setLabels(seg: Uint16Array, labels: readonly Label[], visible: boolean): boolean {
    for (const mesh of [...this.niivue.meshes]) this.niivue.removeMesh(mesh);
    const surfaces = visible ? surfacesOf(seg, this.volume.size) : new Map<number, Surface>();
    for (const [value, surface] of surfaces) {
      const label = labels.find((l) => l.value === value);
      const colour = Uint8Array.from([...rgb(label?.colour ?? "#ffffff"), 255]);
      const { points, triangles } = inWorld(surface, this.volume);
      this.niivue.addMesh(new NVMesh(points, triangles, label?.name ?? "", colour, 1, true, this.niivue.gl));
    }
    // NiiVue hides surfaces behind the nearest voxel that is drawn, however faint: the image is seen while there are none.
    if (this.image) this.niivue.setOpacity(0, surfaces.size > 0 ? 0 : 1);
    this.niivue.updateGLVolume();
    return surfaces.size > 0;
  }

  close(): void {
    this.niivue.cleanup();
    this.niivue.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** From voxel coordinates to mm; where the voxel axes are left-handed the triangles are turned, so that they still face outwards. */
function inWorld({ points, triangles }: Surface, { affine }: Volume): Surface {
  const world = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 3) {
    for (let r = 0; r < 3; r++) {
      const row = affine[r]!;
      world[i + r] = row[0]! * points[i]! + row[1]! * points[i + 1]! + row[2]! * points[i + 2]! + row[3]!;
    }
  }
  const [a, b, c] = affine as readonly (readonly number[])[] as readonly [number[], number[], number[]];
  const determinant = a[0]! * (b[1]! * c[2]! - b[2]! * c[1]!) - a[1]! * (b[0]! * c[2]! - b[2]! * c[0]!) + a[2]! * (b[0]! * c[1]! - b[1]! * c[0]!);
  if (determinant > 0) return { points: world, triangles };
  const turned = triangles.slice();
  for (let t = 0; t < turned.length; t += 3) [turned[t + 1], turned[t + 2]] = [turned[t + 2]!, turned[t + 1]!];
  return { points: world, triangles: turned };
}
