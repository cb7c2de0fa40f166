/** The 3-D view by NiiVue. This module is a chunk of its own that is fetched when a 3-D view is first shown. */
import { NVImage, Niivue, SLICE_TYPE } from "@niivue/niivue";

import type { Label } from "../document.ts";
import { type Volume, encodeMask } from "../nifti.ts";
import { rgb } from "./render.ts";

export class Render3d {
  private constructor(private readonly niivue: Niivue, private readonly mask: NVImage, private readonly image: NVImage) {}

  static async make(canvas: HTMLCanvasElement, volume: Volume, window: readonly [number, number]): Promise<Render3d> {
    const niivue = new Niivue({
      backColor: [0.043, 0.051, 0.063, 1], show3Dcrosshair: false, isOrientCube: false, isColorbar: false, loadingText: "",
      dragAndDropEnabled: false, isOrientationTextVisible: false, logLevel: "error", isResizeCanvas: true,
    });
    await niivue.attachToCanvas(canvas, false);
    niivue.setSliceType(SLICE_TYPE.RENDER);
    const image = await NVImage.loadFromFile({ file: new File([volume.file], "image.nii"), name: "image.nii", colormap: "gray" });
    const empty = new File([encodeMask(volume, new Uint8Array(volume.size[0] * volume.size[1] * volume.size[2]))], "labels.nii");
    const mask = await NVImage.loadFromFile({ file: empty, name: "labels.nii" });
    niivue.addVolume(image);
    niivue.addVolume(mask);
    niivue.setRenderAzimuthElevation(150, 15);
    const made = new Render3d(niivue, mask, image);
    made.setWindow(window);
    return made;
  }

  setWindow([low, high]: readonly [number, number]): void {
    // Dark voxels are air for the eye: a volume that begins at the lower end of the window hides its labels in a grey box.
    this.image.cal_min = low + 0.25 * (high - low);
    this.image.cal_max = high;
    this.niivue.updateGLVolume();
  }

  /** Shows a label map. NiiVue's label colours are a table of bytes, so values above 255 share the last one. */
  setLabels(seg: Uint16Array, labels: readonly Label[], visible: boolean): void {
    const bytes = this.mask.img as Uint8Array;
    for (let at = 0; at < bytes.length; at++) bytes[at] = visible ? Math.min(255, seg[at]!) : 0;
    const top = Math.min(255, Math.max(1, ...labels.map((label) => label.value)));
    const table = { R: [0], G: [0], B: [0], A: [0], I: [0], labels: [""] };
    for (let value = 1; value <= top; value++) {
      const label = labels.find((l) => l.value === value);
      const [r, g, b] = rgb(label?.colour ?? "#ffffff");
      table.R.push(r);
      table.G.push(g);
      table.B.push(b);
      table.A.push(255);
      table.I.push(value);
      table.labels.push(label?.name ?? "");
    }
    this.mask.setColormapLabel(table);
    // With labels inside, the body around them is a mist; without, it is what there is to see.
    this.niivue.setOpacity(0, bytes.some((value) => value !== 0) ? 0.12 : 1);
    this.niivue.updateGLVolume();
  }

  close(): void {
    this.niivue.cleanup();
    this.niivue.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
