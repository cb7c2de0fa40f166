/** The strip of tools, and what the chosen one can be set to. */
import { type Tool, brushSize, masksShown, say, session, tool } from "../state.ts";
import { Icon, type IconName } from "./icons.tsx";

export const TOOLS: readonly { tool: Tool; key: string; name: string; short: string }[] = [
  { tool: "look", key: "V", name: "Look: move the crosshair", short: "Look" },
  { tool: "foreground", key: "F", name: "Click on the object", short: "Object" },
  { tool: "background", key: "B", name: "Click on the background", short: "Backgr." },
  { tool: "scribble", key: "S", name: "Scribble on the object", short: "Scribble" },
  { tool: "scribble-out", key: "X", name: "Scribble on the background", short: "Scribble −" },
  { tool: "polygon", key: "P", name: "Polygon around the object", short: "Polygon" },
  { tool: "brush", key: "D", name: "Brush: add to the label", short: "Brush" },
  { tool: "erase", key: "E", name: "Eraser", short: "Erase" },
  { tool: "window", key: "W", name: "Window and level by dragging", short: "Window" },
];

export function ToolStrip() {
  return (
    <div class="tools" role="toolbar" aria-label="tools" aria-orientation="vertical">
      {TOOLS.map((entry) => (
        <button key={entry.tool} class={`tool ${entry.tool}`} aria-pressed={tool.value === entry.tool} aria-label={entry.name}
          title={`${entry.name} (${entry.key})`} aria-keyshortcuts={entry.key} onClick={() => choose(entry.tool)}>
          <Icon name={entry.tool as IconName} />
          <span>{entry.short}</span>
        </button>
      ))}
      <button class="tool" aria-pressed={!masksShown.value} aria-label="hide labels" title="Hide the labels (H)"
        onClick={() => (masksShown.value = !masksShown.value)}>
        <Icon name={masksShown.value ? "shown" : "hidden"} />
        <span>{masksShown.value ? "Hide" : "Show"}</span>
      </button>
    </div>
  );
}

export function choose(next: Tool): void {
  tool.value = next;
  const entry = TOOLS.find((t) => t.tool === next)!;
  say(next === "polygon" ? "Click the corners; the first corner, or C, closes the polygon." : `${entry.name}.`);
}

/** What belongs to the chosen tool only, above the views. */
export function ToolOptions() {
  const open = session.value;
  const draft = open?.draft.value;
  if (open && draft) {
    return (
      <div class="tool-options" role="group" aria-label="polygon">
        <span>{draft.points.length} corners</span>
        <button disabled={draft.points.length < 3} onClick={() => open.closePolygon()}>Close (C)</button>
        <button onClick={() => (open.draft.value = null)}>Discard (Esc)</button>
      </div>
    );
  }
  if (tool.value !== "brush" && tool.value !== "erase") return null;
  return (
    <div class="tool-options" role="group" aria-label="brush">
      <label>Size
        <input type="range" min={0.5} max={80} step={0.5} value={brushSize.value} onInput={(e) => (brushSize.value = e.currentTarget.valueAsNumber)} />
        <output>{brushSize.value} mm</output>
      </label>
      <kbd>[</kbd><kbd>]</kbd>
    </div>
  );
}
