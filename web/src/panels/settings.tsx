/** Fields made from the schema that the server gives of a method or a network. */
import type { Setting } from "../api.ts";
import type { Settings } from "../document.ts";

type Value = number | boolean | string;

interface Fields {
  schema: readonly Setting[];
  values: Settings;
  /** `undefined` goes back to the default. */
  change: (key: string, value: Value | undefined) => void;
}

/** Settings within tables have keys with dots: each table is a group, after the settings that are in none. */
export function SettingFields({ schema, values, change }: Fields) {
  const groups = new Map<string, Setting[]>([["", []]]);
  for (const setting of schema) {
    const group = setting.key.slice(0, Math.max(0, setting.key.lastIndexOf(".")));
    groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  return (
    <div class="settings">
      {[...groups].map(([group, settings]) => (
        <div key={group} role="group" aria-label={group || "settings"}>
          {group !== "" && <h3>{group.replaceAll(".", ", ").replaceAll("_", " ")}</h3>}
          {settings.map((setting) => <Row key={setting.key} setting={setting} value={values[setting.key]} change={change} />)}
        </div>
      ))}
    </div>
  );
}

function Row({ setting, value, change }: { setting: Setting; value: Value | undefined; change: Fields["change"] }) {
  const { key, help } = setting;
  const id = `setting-${key}`;
  const changed = value !== undefined && value !== setting.default;
  return (
    <div class="setting">
      <label for={id} title={help}>{key.slice(key.lastIndexOf(".") + 1).replaceAll("_", " ")}</label>
      <Field id={id} setting={setting} value={value ?? setting.default} change={(next) => change(key, next === setting.default ? undefined : next)} />
      <button class="ghost reset" disabled={!changed} title="Back to the default" aria-label={`${key}: back to the default`}
        onClick={() => change(key, undefined)}>↺</button>
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
