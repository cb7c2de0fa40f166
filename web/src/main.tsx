import { Fragment, render } from "preact";

import { listenToKeys } from "./keys.ts";
import { Help, Question } from "./panels/dialogs.tsx";
import { Display } from "./panels/display.tsx";
import { ImageList } from "./panels/images.tsx";
import { Labels } from "./panels/labels.tsx";
import { MethodPanel, ResultPanel } from "./panels/method.tsx";
import { Saved } from "./panels/saved.tsx";
import { Failure, Status } from "./panels/status.tsx";
import { ToolOptions, ToolStrip } from "./panels/tools.tsx";
import { TopBar } from "./panels/topbar.tsx";
import { TrainPanel } from "./panels/train.tsx";
import { panel, session, start, upload } from "./state.ts";
import "./style.css";
import { Views } from "./viewer/views.tsx";

function Page() {
  const open = session.value;
  const drop = (event: DragEvent) => {
    event.preventDefault();
    void upload(event.dataTransfer?.files ?? []);
  };
  return (
    <div class="page" onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <button class="unseen skip" onClick={() => document.querySelector<HTMLElement>("#views canvas")?.focus()}>Skip to the views</button>
      <TopBar />
      <ImageList />
      <ToolStrip />
      <div class="middle">
        <Views />
        <ToolOptions />
        <Failure />
      </div>
      <aside class="panel" aria-label={panel.value === "train" ? "training" : "segmentation"}>
        {panel.value === "train" ? <TrainPanel /> : open && (
          // A panel belongs to one image: what it remembers ends with it.
          <Fragment key={open.image.id}>
            <Labels session={open} />
            <MethodPanel session={open} />
            <ResultPanel session={open} />
            <Display session={open} />
            <Saved session={open} />
          </Fragment>
        )}
      </aside>
      <Status />
      <Help />
      <Question />
    </div>
  );
}

render(<Page />, document.getElementById("page")!);
listenToKeys();
void start();
