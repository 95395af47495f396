// Translations with their scores, and where the model looked while it wrote the best one.

import { outputs } from "./api.js";
import { Announcer, field, make } from "./dom.js";
import { latest, logarithm, pairs, percent } from "./format.js";

export const title = "Translate";
export const signatures = ["translate"];
const PAUSE = 150;
const EXAMPLES = { de: "Wo ist der Bahnhof?", en: "Where is the railway station?" };

export function mount(root, page) {
  const [label, box] = field("Text", "textarea", { rows: 2, autocomplete: "off", spellcheck: "false" });
  box.value = EXAMPLES.de;
  const list = make("ol", { class: "sentences", "aria-label": "Translations, best first" });
  const picture = make("div", { class: "scroll", role: "region", "aria-label": "Attention", tabindex: "0", hidden: true });
  const announcer = new Announcer();
  let timer = 0;

  const refresh = latest(() => page.guarded(async () => {
    const model = page.model();
    const texts = [exampleFor(model, box)];
    const { translations, scores } = await outputs({ model, signature: "translate", texts });
    const found = pairs(translations[0], scores[0]).filter(([, score]) => score > -1e30);
    list.replaceChildren(...found.map(([text, score]) => make("li", {},
      make("strong", {}, text || "(empty)"), " ", make("span", { class: "quiet" }, `score ${logarithm(score)}`))));
    announcer.say(`Translation: ${found[0]?.[0] ?? "none"}`);
    page.shows({ model, signature: "translate", texts });
    await showAttention(model, texts);
  }));

  async function showAttention(model, texts) {
    const can = page.has("attention");
    const answer = can ? await outputs({ model, signature: "attention", texts }) : null;
    picture.hidden = !can;
    if (can) picture.replaceChildren(attention(answer.source[0], answer.target[0], answer.attention[0]));
  }

  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE);
  });
  root.append(make("p", {}, label), box, announcer.element, list, picture);
  return refresh;
}

/** The text, exchanged for an example of the model's language while it is one of the examples. */
function exampleFor(model, box) {
  const [, language] = /_(de|en)_(?:de|en)$/.exec(model) ?? [];
  if (language && Object.values(EXAMPLES).includes(box.value)) box.value = EXAMPLES[language];
  return box.value;
}

/** A table: a row a word written, a column a word read, darker where the model looked. */
export function attention(source, target, weights) {
  const columns = source.map((word, j) => [word, j]).filter(([word]) => word !== "");
  const rows = target.map((word, i) => [word, i]).filter(([word]) => word !== "");
  const head = make("tr", {}, make("td"), ...columns.map(([word]) => make("th", { scope: "col" }, word)));
  const body = rows.map(([word, i]) => make("tr", {}, make("th", { scope: "row" }, word),
    ...columns.map(([read, j]) => cell(read, weights[i][j]))));
  return make("table", { class: "attention" },
    make("caption", { class: "quiet" }, "Where the model looked (columns) for each token it wrote (rows)"),
    make("thead", {}, head), make("tbody", {}, ...body));
}

function cell(read, weight) {
  const made = make("td", { title: `${read}: ${percent(weight)}` }, make("span", { class: "hidden-text" }, percent(weight)));
  made.style.backgroundColor = `rgba(var(--attention), ${Math.min(1, weight).toFixed(3)})`;
  return made;
}
