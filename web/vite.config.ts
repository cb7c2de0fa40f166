import { fileURLToPath } from "node:url";

import { defineConfig } from "vite";

// `npm run dev` talks to a server that was started with `fewmark serve FOLDER`.
const server = process.env.FEWMARK_URL ?? "http://127.0.0.1:8000";

// NiiVue can read Zarr stores and brings their decompressors, 1.4 MB that this page never asks for: it hands over what is decoded already.
const stub = fileURLToPath(new URL("src/viewer/no-codec.ts", import.meta.url));

export default defineConfig({
  resolve: { alias: [{ find: /^numcodecs\/.*$/, replacement: stub }] },
  // Relative addresses: the page also works behind a proxy that gives it a folder of its own.
  base: "./",
  build: {
    target: "es2022",
    license: { fileName: "licenses.txt" },
    // The 3-D renderer is a large chunk on purpose; it is fetched when a 3-D view is first shown.
    chunkSizeWarningLimit: 3000,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": server, "/health": server } },
});
