// The page to play with: four things to do, one model picker, the calls that do the same.

import { hasKey, loaded, ROOT, send, useKey } from "./api.js";
import { callsFor } from "./calls.js";
import { byId, choices, guarded, make, showCalls } from "./dom.js";
import * as compare from "./compare.js";
import * as fill from "./fill.js";
import * as next from "./next.js";
import * as translate from "./translate.js";

const VIEWS = { next, compare, fill, translate };
const FAVOURITES = ["lstm_tatoeba_en", "birnn_tatoeba_en", "seq2seq_tatoeba_de_en"];
const panels = {};
let server = { models: [], grpc_port: 0 };
let shown = "next";
let call = null;
let pause = 0;

/** What a view may use of the page. */
const page = {
  model: () => byId("model").value,
  has: (signature) => server.models.find(({ name }) => name === page.model())?.signatures.includes(signature) ?? false,
  /** Say which call gave what is shown; the text of it follows when the user pauses. */
  shows(made) {
    call = made;
    clearTimeout(pause);
    pause = setTimeout(() => {
      showCalls(byId("calls"), callsFor(made, where()));
      byId("answer").hidden = true;
    }, 100);
  },
  guarded,
};

function where() {
  const { protocol, hostname } = ROOT;
  return {
    rest: ROOT.href,
    grpc: server.grpc_port ? `${hostname}:${server.grpc_port}` : "",
    secure: protocol === "https:",
    key: hasKey(),
    preset: server.models.find(({ name }) => name === call.model)?.preset ?? false,
  };
}

/** The models that can do what a view does, the best known first. */
function able(view) {
  const names = server.models
    .filter(({ signatures }) => VIEWS[view].signatures.some((name) => signatures.includes(name)))
    .map(({ name }) => name);
  return names.sort((a, b) => FAVOURITES.includes(b) - FAVOURITES.includes(a));
}

function open(view, focus = false) {
  shown = view;
  for (const [name, { tab, panel }] of Object.entries(panels)) {
    const isOpen = name === view;
    tab.setAttribute("aria-selected", String(isOpen));
    tab.tabIndex = isOpen ? 0 : -1;
    panel.hidden = !isOpen;
  }
  if (focus) panels[view].tab.focus();
  history.replaceState(null, "", `#${view}`);
  choices(byId("model"), able(view));
  refresh();
}

function refresh() {
  clearTimeout(pause);
  byId("calls").replaceChildren();
  byId("answer").hidden = true;
  call = null;
  if (page.model() === "") {
    byId("error").textContent = `No loaded model has a signature ${VIEWS[shown].signatures.join(" or ")}.`;
    return;
  }
  panels[shown].refresh();
}

function build() {
  for (const [name, view] of Object.entries(VIEWS)) {
    const tab = make("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, click: () => open(name),
    }, view.title);
    const panel = make("section", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, hidden: true });
    byId("tabs").append(tab);
    byId("panels").append(panel);
    panels[name] = { tab, panel, refresh: view.mount(panel, page) };
  }
  byId("tabs").addEventListener("keydown", stepped);
  byId("model").addEventListener("change", refresh);
  byId("run").addEventListener("click", () => page.guarded(run));
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(byId("key").value.trim());
    byId("key-form").hidden = true;
    start();
  });
}

function stepped(event) {
  const names = Object.keys(VIEWS);
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  open(names[(names.indexOf(shown) + step + names.length) % names.length], true);
}

async function run() {
  if (call === null) return;
  const answer = await send(call);
  byId("answer").textContent = JSON.stringify(answer, null, 1);
  byId("answer").hidden = false;
}

function start() {
  return page.guarded(async () => {
    server = await loaded();
    const asked = location.hash.slice(1);
    open(asked in VIEWS ? asked : "next");
  });
}

build();
start();
