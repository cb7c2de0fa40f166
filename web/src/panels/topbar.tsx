/** The bar at the top: undo and redo, what is open, saving, the next image, theme and help. */
import { helpShown, info, openNext, panel, redo, save, session, type Theme, theme, undo, unsaved } from "../state.ts";
import { Icon } from "./icons.tsx";
import { strategy, listShown } from "./images.tsx";

const THEMES: readonly Theme[] = ["auto", "light", "dark"];
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" } as const;

export function TopBar() {
  const open = session.value;
  const turn = () => (theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!);
  return (
    <header class="topbar">
      <button class="ghost list-toggle" aria-pressed={listShown.value} aria-label="list of images" title="List of images (I)"
        onClick={() => (listShown.value = !listShown.value)}><Icon name="list" /></button>
      <strong class="brand">Fewmark</strong>
      <span class="studies" title="folder">{info.value?.studies}</span>
      <h1 class="title">
        {open ? open.image.name : ""}
        {unsaved.value && <span class="unsaved" title="There is unsaved work"> • unsaved</span>}
      </h1>
      <button class="ghost" disabled={!open?.undoes.value && !open?.draft.value} onClick={undo}
        title={`Undo ${open?.undoes.value ?? ""} (Ctrl+Z)`} aria-label="undo"><Icon name="undo" /></button>
      <button class="ghost" disabled={!open?.redoes.value} onClick={redo}
        title={`Redo ${open?.redoes.value ?? ""} (Ctrl+Shift+Z)`} aria-label="redo"><Icon name="redo" /></button>
      <button class="primary" disabled={!open} onClick={() => void save()} title="Save the labels (Ctrl+S)"><Icon name="save" />Save</button>
      <button onClick={() => void openNext(strategy.value)} title="Save first if you wish; then the next image (N)"><Icon name="next" />Next</button>
      <span class="tabs" role="group" aria-label="panel">
        <button aria-pressed={panel.value === "segment"} onClick={() => (panel.value = "segment")}>Segment</button>
        <button aria-pressed={panel.value === "train"} onClick={() => (panel.value = "train")}>Train</button>
      </span>
      <button class="ghost" onClick={turn} title={`Theme: ${theme.value}`} aria-label={`theme: ${theme.value}`}>
        <Icon name={THEME_ICONS[theme.value]} />
      </button>
      <button class="ghost" onClick={() => (helpShown.value = true)} title="Keys and help (?)" aria-label="keys and help"><Icon name="help" /></button>
    </header>
  );
}
