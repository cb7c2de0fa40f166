/** Keys that work everywhere on the page; those of a view are in `viewer/gestures.ts`. */
import { dialogOpen } from "./panels/dialogs.tsx";
import { listShown, strategy } from "./panels/images.tsx";
import { TOOLS, choose } from "./panels/tools.tsx";
import { brushSize, helpShown, masksShown, openNext, panel, redo, save, session, undo } from "./state.ts";

export function listenToKeys(): void {
  addEventListener("keydown", (event) => {
    if (dialogOpen) return;
    const target = event.target as HTMLElement;
    const typing = target.matches("input:not([type=range], [type=checkbox], [type=radio], [type=color], [type=file]), select, textarea");
    const command = event.ctrlKey || event.metaKey;
    const open = session.value;
    const key = event.key.toLowerCase();
    if (command && key === "s") {
      event.preventDefault();
      // A name that is being typed belongs to what is saved.
      target.blur();
      return void save();
    }
    if (typing || event.altKey) return;
    if (command) {
      const meant = key === "z" && !event.shiftKey ? undo : key === "y" || key === "z" ? redo : null;
      if (!meant) return;
      event.preventDefault();
      return meant();
    }
    const chosen = TOOLS.find((entry) => entry.key.toLowerCase() === key);
    if (chosen) return choose(chosen.tool);
    if (/^[1-9]$/.test(key)) {
      const label = open?.document.value.labels[Number(key) - 1];
      if (label) open!.select(label.value);
      return;
    }
    const actions: Record<string, () => void> = {
      "?": () => (helpShown.value = true),
      l: () => open?.addLabel(),
      k: () => open?.keep(),
      c: () => open?.closePolygon(),
      escape: () => open && (open.draft.value = null),
      h: () => (masksShown.value = !masksShown.value),
      r: () => open && (open.window.value = open.image.window),
      n: () => void openNext(strategy.value),
      i: () => (listShown.value = !listShown.value),
      t: () => (panel.value = panel.value === "train" ? "segment" : "train"),
      "[": () => (brushSize.value = Math.max(0.5, Math.round(brushSize.value / 1.25 * 2) / 2)),
      "]": () => (brushSize.value = Math.min(80, Math.max(brushSize.value + 0.5, Math.round(brushSize.value * 1.25 * 2) / 2))),
    };
    actions[key]?.();
  });
}
