// Words for a blank, from both sides of it.

import { outputs } from "./api.js";
import { Announcer, Bars, field, make } from "./dom.js";
import { filled, hasOneBlank, latest, pairs, percent } from "./format.js";

export const title = "Fill in";
export const signatures = ["fill"];

export function mount(root, page) {
  const [label, box] = field("A sentence with one blank, ___", "textarea", {
    rows: 2, autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "fill-hint",
  });
  box.value = "I would ___ to go home.";
  const hint = make("p", { class: "quiet", id: "fill-hint" }, "Choose a word to put it into the blank.");
  const announcer = new Announcer();
  const bars = new Bars("Words for the blank", ({ word }) => {
    box.value = filled(box.value, word);
    box.focus();
    refresh();
  });

  const refresh = latest(() => page.guarded(async () => {
    const text = box.value;
    const ready = hasOneBlank(text);
    hint.textContent = ready ? "Choose a word to put it into the blank." : "Write three underscores, ___, where a word is missing.";
    if (!ready) {
      bars.show([]);
      return;
    }
    const model = page.model();
    const { words, probabilities } = await outputs({ model, signature: "fill", texts: [text] });
    bars.show(pairs(words[0], probabilities[0]).map(([word, probability]) =>
      ({ word, number: percent(probability), share: probability / probabilities[0][0] })));
    announcer.say(`Words: ${bars.items.slice(0, 3).map(({ word, number }) => `${word}, ${number}`).join("; ")}`);
    page.shows({ model, signature: "fill", texts: [text] });
  }));

  box.addEventListener("input", refresh);
  root.append(make("p", {}, label), box, hint, bars.element, announcer.element);
  return refresh;
}
