/** Fields made from the schema that the server gives of a method or a network. */
import type { Setting } from "../api.ts";
import type { Settings } from "../document.ts";

type Value = number | boolean | string;

export function SettingFields({ schema, values, change }: {
  schema: readonly Setting[];
  values: Settings;
  /** `undefined` goes back to the default. */
  change: (key: string, value: Value | undefined) => void;
}) {
  return (
    <div class="settings">
      {schema.map((setting) => {
        const id = `setting-${setting.key}`;
        const value = values[setting.key] ?? setting.default;
        const changed = values[setting.key] !== undefined && values[setting.key] !== setting.default;
        return (
          <div class="setting" key={setting.key}>
            <label for={id} title={setting.help}>{setting.key.replaceAll("_", " ").replaceAll(".", ": ")}</label>
            <Field id={id} setting={setting} value={value} change={(next) => change(setting.key, next === setting.default ? undefined : next)} />
            <button class="ghost reset" disabled={!changed} title="Back to the default" aria-label={`${setting.key}: back to the default`}
              onClick={() => change(setting.key, undefined)}>↺</button>
          </div>
        );
      })}
    </div>
  );
}

function Field({ id, setting, value, change }: { id: string; setting: Setting; value: Value; change: (value: Value) => void }) {
  const { kind, min, max, help } = setting;
  if (kind === "boolean") {
    return <input id={id} type="checkbox" checked={value === true} title={help} onChange={(e) => change(e.currentTarget.checked)} />;
  }
  if (kind === "choice") {
    return (
      <select id={id} value={String(value)} title={help} onChange={(e) => change(e.currentTarget.value)}>
        {(setting.choices ?? []).map((choice) => <option key={choice} value={choice}>{choice}</option>)}
      </select>
    );
  }
  if (kind === "text") {
    return <input id={id} type="text" value={String(value)} title={help} onChange={(e) => change(e.currentTarget.value)} />;
  }
  const bounds = { ...(min != null ? { min } : {}), ...(max != null ? { max } : {}) };
  return (
    <input id={id} type="number" step={kind === "integer" ? 1 : "any"} {...bounds} value={Number(value)} title={help}
      onChange={(e) => {
        const field = e.currentTarget;
        // What is no number, or out of bounds, is shown by the browser and not sent.
        if (field.value !== "" && field.reportValidity()) change(field.valueAsNumber);
        else field.value = String(value);
      }} />
  );
}
