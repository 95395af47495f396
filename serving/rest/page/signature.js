// A signature's inputs as a form has them: types, shapes, examples, and texts read as JSON.

const EXAMPLES = { DT_STRING: "I would like to", DT_BOOL: false };

/** "string [-1, 5]" for a TensorInfo of the metadata. */
export function described(info) {
  const shape = info.tensor_shape ?? {};
  const sizes = shape.unknown_rank ? "of any shape" : `[${dimensions(info).map((n) => (n < 0 ? "?" : n)).join(", ")}]`;
  return `${info.dtype.replace("DT_", "").toLowerCase()} ${sizes}`;
}

/** The sizes of a TensorInfo's shape, -1 where one is open. */
export function dimensions(info) {
  return (info.tensor_shape?.dim ?? []).map(({ size }) => Number(size));
}

/** A value that the signature takes: open sizes are 1. */
export function example(info) {
  const value = EXAMPLES[info.dtype] ?? 1;
  const sizes = info.tensor_shape?.unknown_rank ? [1] : dimensions(info);
  return sizes.reduceRight((inner, size) => Array.from({ length: size < 0 ? 1 : size }, () => inner), value);
}

/** The verb of the REST interface for a signature's method. */
export function verbOf(definition) {
  const last = (definition.method_name ?? "").split("/").pop();
  return ["classify", "regress"].includes(last) ? last : "predict";
}

/** The value of a field's text; an error names the field. */
export function read(name, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${name} is not JSON: write ["a text"], [1, 2] or the like`);
  }
}

/** What a form's fields say, as a call. Fields that are empty are left out: defaults hold. */
export function callOf(model, signature, definition, texts) {
  const verb = verbOf(definition);
  const given = Object.entries(texts).filter(([, text]) => text.trim() !== "");
  if (verb !== "predict") return { model, signature, verb, examples: read("examples", texts.examples) };
  return { model, signature, verb, inputs: Object.fromEntries(given.map(([name, text]) => [name, read(name, text)])) };
}
