// Sentences side by side, each token shaded by its log-probability.

import { outputs } from "./api.js";
import { Announcer, field, make } from "./dom.js";
import { latest, lines, logarithm, perplexity, shade } from "./format.js";

export const title = "Compare";
export const signatures = ["token_log_probs", "score"];
const LEGEND = ["expected", "", "", "", "", "a surprise"];

export function mount(root, page) {
  const [label, box] = field("Sentences, one a line", "textarea", {
    rows: 4, autocomplete: "off", spellcheck: "false",
  });
  box.value = "The cat is small.\nThe cat are small.\nSmall the is cat.";
  const list = make("ol", { class: "sentences", "aria-label": "Sentences, the likeliest first" });
  const announcer = new Announcer();

  const refresh = latest(() => page.guarded(async () => {
    const texts = lines(box.value);
    if (texts.length === 0) {
      list.replaceChildren();
      return;
    }
    const model = page.model();
    const signature = page.has("token_log_probs") ? "token_log_probs" : "score";
    const rows = scored(texts, await outputs({ model, signature, texts }));
    list.replaceChildren(...rows.map(sentence));
    announcer.say(`Likeliest: ${rows[0].text}, log-probability ${logarithm(rows[0].total)}`);
    page.shows({ model, signature, texts });
  }));

  box.addEventListener("input", refresh);
  const legend = LEGEND.map((text, i) => make("span", { class: `token p${i}` }, text || "·"));
  root.append(make("p", {}, label), box, announcer.element, list,
    make("p", { class: "quiet row" }, "natural logarithms; shades from ", ...legend));
  return refresh;
}

/** Rows of an answer, the likeliest sentence first. */
export function scored(texts, answer) {
  const rows = texts.map((text, i) => answer.tokens?.[i] instanceof Array
    ? ofTokens(text, answer.tokens[i], answer.log_probs[i])
    : { text, tokens: [], total: answer.log_prob[i], count: answer.tokens[i] });
  return rows.sort((a, b) => b.total - a.total);
}

function ofTokens(text, words, values) {
  const tokens = words.map((word, i) => [word, values[i]]).filter(([word]) => word !== "");
  const total = tokens.reduce((sum, [, value]) => sum + value, 0);
  return { text, tokens, total, count: tokens.length };
}

function sentence({ text, tokens, total, count }) {
  const parts = tokens.map(([word, value]) => make("span", { class: `token p${shade(value)}` },
    make("span", {}, word), make("span", { class: "number" }, logarithm(value))));
  return make("li", {}, make("div", {}, text), make("div", { class: "tokens" }, ...parts),
    make("p", { class: "quiet" },
      `log-probability ${logarithm(total)}, ${count} tokens with the sentence's end, perplexity ${perplexity(total, count)}`));
}
