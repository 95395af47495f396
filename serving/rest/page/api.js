// The server's REST interface. Requests are not aborted: a client that leaves would end its run.

import { bodyOf, pathOf } from "./calls.js";

export const ROOT = new URL("./", document.baseURI);
let key = "";

/** Send this API key from now on; it is kept nowhere else. */
export function useKey(text) {
  key = text;
}

/** Whether a key is sent. */
export function hasKey() {
  return key !== "";
}

/** An answer that is not 2xx: the server's own words, and the status. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body) {
  const headers = key === "" ? {} : { Authorization: `Bearer ${key}` };
  const options = { headers, cache: "no-store", credentials: "omit" };
  if (body !== undefined) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), options);
  } catch {
    throw new Refused(0, "The server does not answer; is it still running?");
  }
  const text = await answer.text();
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Refused(answer.status, `The server answered ${answer.status}, and no JSON: ${text.slice(0, 200)}`);
  }
  if (!answer.ok) throw new Refused(answer.status, String(content.error ?? `status ${answer.status}`));
  return content;
}

/** What is loaded: models with their versions and signatures, and the port of gRPC. */
export const loaded = () => ask("v1/models");

/** A model's signatures by name, as GetModelMetadata tells them. */
export async function signatures(model) {
  const answer = await ask(`v1/models/${encodeURIComponent(model)}/metadata`);
  return answer.metadata.signature_def.signature_def;
}

/** The whole answer of a call. */
export const send = (call) => ask(pathOf(call), bodyOf(call));

/** The outputs of a signature by name. A lone output comes without its name. */
export const outputs = async (call) => (await send(call)).outputs;
