// Building the document. Texts become text nodes, never HTML.

let ids = 0;

/** An id that nothing else has. */
export const newId = () => `e${++ids}`;

/** An element with attributes (functions are listeners) and children (strings are texts). */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A labelled field: [label, field]. */
export function field(label, tag, attributes = {}) {
  const id = newId();
  return [make("label", { for: id }, label), make(tag, { id, ...attributes })];
}

/** A list of buttons with bars behind them; `taken(item)` hears which one was chosen. */
export class Bars {
  constructor(label, taken) {
    this.element = make("ol", { class: "bars many", "aria-label": label });
    this.items = [];
    this.taken = taken;
  }

  /** Show items {word, number, share (0 to 1), label}. Rows are changed in place: focus stays. */
  show(items) {
    this.items = items;
    while (this.element.children.length > items.length) this.element.lastChild.remove();
    while (this.element.children.length < items.length) this.element.append(this.row());
    items.forEach((item, i) => this.fill(this.element.children[i].firstChild, item));
  }

  row() {
    const row = make("li");
    const chosen = () => this.taken(this.items[[...this.element.children].indexOf(row)]);
    const parts = ["fill", "word", "number"].map((name) => make("span", { class: name }));
    row.append(make("button", { type: "button", class: "bar", click: chosen }, ...parts));
    return row;
  }

  fill(button, { word, number, share, label }) {
    const [bar, name, figure] = button.children;
    bar.style.width = `${Math.max(0.5, 100 * Math.min(1, share))}%`;
    name.textContent = word;
    figure.textContent = number;
    button.setAttribute("aria-label", label ?? `${word}, ${number}`);
  }
}

/** A line that is read aloud once the user pauses. */
export class Announcer {
  constructor() {
    this.element = make("p", { class: "hidden-text", role: "status", "aria-live": "polite" });
    this.timer = 0;
  }

  say(text) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.element.textContent = text; }, 700);
  }
}

/** Fill a <select> and keep its choice where it is still there. */
export function choices(select, names) {
  const before = select.value;
  select.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
  if (names.includes(before)) select.value = before;
}

/** The calls as text, each with a button that copies it. */
export function showCalls(root, calls) {
  root.replaceChildren(...calls.map(([title, text]) => {
    const code = make("pre", { role: "region", "aria-label": `Call: ${title}`, tabindex: "0" }, text);
    const copy = make("button", { type: "button", "aria-label": `Copy the call: ${title}` }, "Copy");
    copy.addEventListener("click", () => copied(copy, code));
    return make("div", { class: "call" }, make("div", { class: "call-title" }, make("h3", {}, title), copy), code);
  }));
}

/** Run something that may be refused, and say so if it is. */
export async function guarded(work) {
  try {
    await work();
    byId("error").textContent = "";
  } catch (error) {
    byId("error").textContent = error.message;
    if (error.status === 401) byId("key-form").hidden = false;
  }
}

async function copied(button, code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch { // no clipboard, as over plain HTTP from another machine: select it instead
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}
