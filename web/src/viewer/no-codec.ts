/** Stands in for the decompressors of Zarr stores, which NiiVue would bring along. */
export default class NoCodec {
  static fromConfig(): never {
    throw new Error("the page reads no Zarr stores");
  }
}
