// Next words while one types, as on a phone's keyboard.

import { outputs } from "./api.js";
import { Announcer, Bars, field, make } from "./dom.js";
import { accepted, latest, offers, pairs, percent, split } from "./format.js";

export const title = "Next word";
export const signatures = ["next_word"];

export function mount(root, page) {
  const hint = make("p", { class: "quiet", id: "next-hint" },
    "Tab takes the first word, arrow down goes to the others; Escape, then Tab leaves the text.");
  const [label, box] = field("Type", "textarea", {
    rows: 3, autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "next-hint",
  });
  box.value = "I would like to";
  const announcer = new Announcer();
  const bars = new Bars("Next words", take);
  let leaving = false;

  const refresh = latest(() => page.guarded(async () => {
    const text = before();
    const { before: left, partial } = split(text);
    const texts = partial === "" ? [text] : [text, left];
    const model = page.model();
    const { words, probabilities } = await outputs({ model, signature: "next_word", texts });
    const [following, completions = []] = words.map((row, i) => pairs(row, probabilities[i]));
    bars.show(shownAs(offers(partial, completions, following)));
    announcer.say(`Next words: ${bars.items.slice(0, 3).map(({ label: said }) => said).join("; ")}`);
    page.shows({ model, signature: "next_word", texts: [text] });
  }));

  function before() {
    return box.value.slice(0, box.selectionStart);
  }

  function take({ offer }) {
    const start = accepted(before(), offer);
    box.value = start + box.value.slice(box.selectionEnd).trimStart();
    box.focus();
    box.setSelectionRange(start.length, start.length);
    refresh();
  }

  box.addEventListener("input", refresh);
  box.addEventListener("keyup", ({ key }) => { if (key.startsWith("Arrow") || key === "Home" || key === "End") refresh(); });
  box.addEventListener("click", refresh);
  box.addEventListener("keydown", (event) => {
    const plain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.key === "Tab" && plain && !leaving && bars.items.length > 0) {
      event.preventDefault();
      take(bars.items[0]);
    } else if (event.key === "ArrowDown" && plain && box.selectionEnd === box.value.length && bars.items.length > 0) {
      event.preventDefault();
      bars.element.querySelector("button").focus();
    }
    leaving = event.key === "Escape" || (leaving && event.key === "Tab");
  });
  bars.element.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [...bars.element.querySelectorAll("button")];
    (buttons[buttons.indexOf(document.activeElement) + step] ?? box).focus();
  });
  root.append(make("p", {}, label), box, hint, bars.element, announcer.element);
  return refresh;
}

/** Rows of the bars; the longest bar is the likeliest word's. */
function shownAs(found) {
  const most = Math.max(...found.map(({ probability }) => probability));
  return found.map((offer) => {
    const number = percent(offer.probability);
    const word = offer.finishes ? `…${offer.word}` : offer.word;
    return { offer, word, number, share: offer.probability / most, label: `${offer.word}, ${number}` };
  });
}
