// The calls that give what is on the screen, as text to copy. Every text of the user's is quoted.

const VERBS = { next_word: "next_words", fill: "fill", translate: "translate", score: "score" };
const PYTHON = {
  next_word: (texts) => `next_words(${texts}, k=10)`,
  fill: (texts) => `fill(${texts}, k=10)`,
  translate: (texts) => `translate(${texts}, n_best=5)`,
  score: (texts) => `score(${texts})`,
  token_log_probs: (texts) => `score(${texts}, tokens=True)`,
};
const ON_A_DEVICE = {
  next_word: " -k 10", fill: " -k 10", translate: "", score: " --score", token_log_probs: " --score",
};

/** A word for a POSIX shell. */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A literal for Python; JSON's strings are Python's. */
export function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return JSON.stringify(value);
}

/** The path of a REST call below the server's root. */
export function pathOf(call) {
  return `v1/models/${encodeURIComponent(call.model)}:${call.verb ?? "predict"}`;
}

/** The body of a REST call. */
export function bodyOf(call) {
  if (call.examples !== undefined) {
    return { signature_name: call.signature, examples: call.examples };
  }
  return { signature_name: call.signature, inputs: call.inputs ?? { text: call.texts } };
}

/** curl with the body that the page sends. */
export function curl(call, where) {
  const key = where.key ? '-H "Authorization: Bearer $ZOO_API_KEY" ' : "";
  return `curl ${key}-d ${quoted(JSON.stringify(bodyOf(call)))} \\\n  ${quoted(where.rest + pathOf(call))}`;
}

/** The same over gRPC, from Python. */
export function grpc(call, where) {
  const imports = [where.secure && "import grpc", where.key && "import os"].filter(Boolean);
  const more = [
    literal(where.grpc),
    where.secure && "credentials=grpc.ssl_channel_credentials()",
    where.key && 'api_key=os.environ["ZOO_API_KEY"]',
  ].filter(Boolean);
  const texts = literal(call.texts);
  const asked = VERBS[call.signature]
    ? `${VERBS[call.signature]}(${texts}, model=${literal(call.model)})`
    : `predict(${literal(call.model)}, ${literal(call.signature)}, ${texts})`;
  const head = [...imports, "from serving.client import Client"].join("\n");
  return `${head}\n\nwith Client(${more.join(", ")}) as client:\n    print(client.${asked})`;
}

/** The same in a Python process of one's own, without a server. */
export function python(call) {
  const asked = PYTHON[call.signature](literal(call.texts));
  return `import zoo\n\nprint(zoo.load(${literal(call.model)}).${asked})`;
}

/** The same from a file for a phone, by the reference runtime. */
export function device(call) {
  const name = quoted(call.model);
  const texts = call.texts.map(quoted).join(" ");
  return (
    `zoo export ${name} --format tflite --quantize dynamic --out device\n` +
    `python -m export.device device/model.tflite${ON_A_DEVICE[call.signature]} -- ${texts}`
  );
}

/** Every call that there is for what is on the screen: [title, text]. */
export function callsFor(call, where) {
  const found = [["REST", curl(call, where)]];
  if (call.texts === undefined) return found;
  if (where.grpc) found.push(["gRPC, from Python", grpc(call, where)]);
  if (where.preset && PYTHON[call.signature]) found.push(["Python, without a server", python(call)]);
  if (where.preset && call.signature in ON_A_DEVICE) {
    found.push(["On a device", device(call)]);
  }
  return found;
}
