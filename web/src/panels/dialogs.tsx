/** The overlay with all keys, and the question about unsaved work. */
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { helpShown, info, question } from "../state.ts";
import { TOOLS } from "./tools.tsx";

const KEYS: readonly (readonly [string, string])[] = [
  ["1 … 9", "use a label"],
  ["L", "new label"],
  ["K", "keep the object, mark another one"],
  ["C", "close the polygon"],
  ["Esc", "discard the polygon"],
  ["[ ]", "smaller, larger brush"],
  ["H", "hide and show the labels"],
  ["R", "reset the window"],
  ["N", "next image"],
  ["I", "list of images"],
  ["T", "segment, train"],
  ["Ctrl+S", "save"],
  ["Ctrl+Z", "undo"],
  ["Ctrl+Shift+Z, Ctrl+Y", "redo"],
  ["?", "this help"],
];
const IN_VIEW: readonly (readonly [string, string])[] = [
  ["Arrow keys", "move the crosshair, with Shift by ten"],
  ["Enter", "use the tool at the crosshair"],
  ["Page Up, Page Down", "next and previous slice"],
  ["+ − 0", "zoom in, out, whole slice"],
  ["Right button", "background click; drag: window and level"],
  ["Alt or Ctrl + click", "the opposite of the tool"],
  ["Shift + drag", "move the crosshair"],
  ["Drag", "move the image (click tools); two fingers zoom"],
  ["Wheel", "scroll through slices; with Ctrl zoom"],
];

export function Help() {
  const ref = useDialog(helpShown.value, () => (helpShown.value = false));
  const list = (rows: readonly (readonly [string, string])[]) => (
    <dl class="keys">{rows.map(([key, what]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>)}</dl>
  );
  return (
    <dialog ref={ref} aria-labelledby="help-title" class="help">
      <h2 id="help-title">Keys</h2>
      <div class="columns">
        <section><h3>Tools</h3>{list(TOOLS.map((t) => [t.key, t.name]))}</section>
        <section><h3>Everywhere</h3>{list(KEYS)}</section>
        <section><h3>In a view</h3>{list(IN_VIEW)}</section>
      </div>
      <p class="note">Fewmark {info.value?.version}. <a href="licenses.txt" target="_blank">Licences of what this page is made of</a></p>
      <form method="dialog"><button class="primary">Close</button></form>
    </dialog>
  );
}

export function Question() {
  const ask = question.value;
  const ref = useDialog(ask !== null, () => question.value?.("stay"));
  return (
    <dialog ref={ref} aria-labelledby="question-title">
      <h2 id="question-title">There is unsaved work on this image</h2>
      <p>Marks and labels that are not saved are gone when another image is opened.</p>
      <div class="row">
        <button class="primary" onClick={() => ask?.("save")}>Save and go on</button>
        <button onClick={() => ask?.("leave")}>Go on without saving</button>
        <button onClick={() => ask?.("stay")}>Stay</button>
      </div>
    </dialog>
  );
}

function useDialog(shown: boolean, onClose: () => void) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current!;
    if (shown && !dialog.open) dialog.showModal();
    if (!shown && dialog.open) dialog.close();
  }, [shown]);
  useEffect(() => {
    const dialog = ref.current!;
    dialog.addEventListener("close", onClose);
    return () => dialog.removeEventListener("close", onClose);
  });
  return ref;
}

// Behind an open dialog nothing may be clicked by a key: shortcuts ask this.
export let dialogOpen = false;
effect(() => {
  dialogOpen = helpShown.value || question.value !== null;
});
