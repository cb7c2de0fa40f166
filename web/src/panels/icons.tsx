/** Icons as strokes on a grid of 20 x 20; they take the colour of the text. Whoever uses one names the control. */
const PATHS = {
  look: "M10 3v4M10 13v4M3 10h4M13 10h4M10 10h.01",
  foreground: "M10 5v10M5 10h10",
  background: "M5 10h10",
  scribble: "M3 13c3-9 5-9 5-4s2 6 4 1 3-5 5-2",
  "scribble-out": "M3 12c3-9 5-9 5-4s2 6 4 1 3-5 5-2M4 17h12",
  polygon: "M10 3l7 5-3 8H6L3 8z",
  brush: "M16 3l-7 8M8 11.5c-2 0-3 1.5-3 3 0 1-1 2-2 2 3 1 7 .5 7-3z",
  erase: "M8 16h9M4.5 12.500l7-8 4.5 4-6.5 7.500H7.500z",
  window: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  undo: "M7 5L3 9l4 4M3 9h8.500a4 4 0 0 1 0 8H9",
  redo: "M13 5l4 4-4 4M17 9H8.500a4 4 0 0 0 0 8H11",
  save: "M4 4h10l2 2v10H4zM7 4v4h6V4M7 16v-4h6v4",
  next: "M4 10h12M11 5l5 5-5 5",
  help: "M7.5 7.500a2.5 2.5 0 1 1 3.5 2.300c-.7.3-1 .8-1 1.700M10 14.500h.01",
  sun: "M10 6.500a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v1.500M10 16.500V18M2 10h1.500M16.5 10H18M4.300 4.300l1 1M14.700 14.700l1 1M15.700 4.300l-1 1M5.300 14.700l-1 1",
  moon: "M15.5 12A6.5 6.5 0 0 1 8 4.5 6.5 6.5 0 1 0 15.5 12z",
  auto: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM10 3v14M10 6l5 0M10 9h6.500M10 12h6.500M10 15h5",
  upload: "M10 13V4M6 8l4-4 4 4M4 13v3h12v-3",
  plus: "M10 5v10M5 10h10",
  remove: "M6 6l8 8M14 6l-8 8",
  clear: "M5 6h10M8 6V4h4v2M6 6l.7 10h6.600L14 6",
  keep: "M4 11l4 4 8-9",
  fit: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
  grow: "M11 4h5v5M16 4l-6 6M9 16H4v-5M4 16l6-6",
  shrink: "M16 9h-5V4M11 9l5-5M4 11h5v5M9 11l-5 5",
  list: "M4 6h12M4 10h12M4 14h12",
  play: "M7 5l8 5-8 5z",
  stop: "M6 6h8v8H6z",
  shown: "M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5zM10 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  hidden: "M3 3l14 14M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
