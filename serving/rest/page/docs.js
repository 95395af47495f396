// A form for any signature of any model that is loaded.

import { hasKey, loaded, ROOT, send, signatures, useKey } from "./api.js";
import { callsFor } from "./calls.js";
import { byId, choices, field, guarded, make, showCalls } from "./dom.js";
import { callOf, described, example, verbOf } from "./signature.js";

let definitions = {};
let fields = {};

async function start() {
  const { models } = await loaded();
  choices(byId("model"), models.map(({ name }) => name));
  await showModel();
}

async function showModel() {
  definitions = await signatures(byId("model").value);
  const usable = Object.keys(definitions).filter((name) => Object.keys(definitions[name].inputs ?? {}).length > 0);
  choices(byId("signature"), usable.sort());
  showSignature();
}

function showSignature() {
  const definition = definitions[byId("signature").value];
  const verb = verbOf(definition);
  byId("method").textContent = `POST v1/models/${byId("model").value}:${verb}`;
  fields = {};
  const parts = verb === "predict"
    ? Object.entries(definition.inputs).map(([name, info]) => part(name, described(info), example(info)))
    : [part("examples", "a list of objects, a feature each key", [{ x: 1 }])];
  byId("inputs").replaceChildren(...parts);
  byId("outputs").replaceChildren(...Object.entries(definition.outputs)
    .map(([name, info]) => make("li", {}, `${name}: ${described(info)}`)));
  byId("answer").hidden = true;
  byId("status").textContent = "";
  showCall();
}

function part(name, kind, value) {
  const [label, box] = field(`${name} (${kind})`, "textarea", { rows: 2, spellcheck: "false", autocomplete: "off" });
  box.value = JSON.stringify(value);
  box.addEventListener("input", showCall);
  fields[name] = box;
  return make("div", {}, label, box);
}

function current() {
  const texts = Object.fromEntries(Object.entries(fields).map(([name, box]) => [name, box.value]));
  const signature = byId("signature").value;
  return callOf(byId("model").value, signature, definitions[signature], texts);
}

function showCall() {
  return guarded(() => showCalls(byId("calls"), callsFor(current(), { rest: ROOT.href, key: hasKey() })));
}

async function run() {
  const began = performance.now();
  const answer = await send(current());
  byId("answer").textContent = JSON.stringify(answer, null, 1);
  byId("answer").hidden = false;
  byId("status").textContent = `Answered in ${(performance.now() - began).toFixed(0)} ms`;
}

byId("model").addEventListener("change", () => guarded(showModel));
byId("signature").addEventListener("change", showSignature);
byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("status").textContent = "";
  byId("answer").hidden = true;
  guarded(run);
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey(byId("key").value.trim());
  byId("key-form").hidden = true;
  guarded(start);
});
guarded(start);
