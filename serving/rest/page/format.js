// Texts and numbers as the page shows them; nothing here touches the document.

const ATTACHED = /^([.,!?;:%…)\]}»”]|['’](s|t|m|d|re|ve|ll)$|n['’]t$)/i;
const BLANK = /_{3,}/;

/** A probability as a percentage of three digits: 0.1234 -> "12.3 %". */
export function percent(probability) {
  const value = 100 * probability;
  if (value === 0) return "0 %";
  if (value < 0.01) return "< 0.01 %";
  return `${value >= 99.95 ? value.toFixed(0) : value.toPrecision(Math.max(2, value >= 10 ? 3 : 2))} %`;
}

/** A log-probability with a real minus sign; JSON has no infinity, so null and the lowest float32 mean it. */
export function logarithm(value) {
  if (value === null || value < -1e30) return "−∞";
  return value > -0.005 ? "0.00" : value.toFixed(2).replace("-", "−");
}

/** Which of six shades a token gets: 0 for what was expected, 5 for what was not. */
export function shade(value) {
  if (value === null) return 5;
  return [-0.7, -1.6, -3, -5, -8].filter((limit) => value < limit).length;
}

/** The text up to the last white space, and the word that is being typed. */
export function split(text) {
  const [partial] = /\S*$/u.exec(text);
  return { before: text.slice(0, text.length - partial.length), partial };
}

/**
 * What to offer: ways to finish the word that is being typed, and words after the text, the
 * likelier first. A word after the text counts as likely as it and the typed word together; where
 * that is not among the completions, it is at most as likely as the last of them.
 */
export function offers(partial, completions, following, most = 10) {
  const begun = partial.toLowerCase();
  const finishing = completions
    .filter(([word]) => begun !== "" && word.length > begun.length && word.toLowerCase().startsWith(begun))
    .map(([word, probability]) => ({ word, probability, finishes: true }));
  const typed = completions.find(([word]) => word.toLowerCase() === begun) ?? completions.at(-1) ?? ["", 1];
  const next = following.map(([word, probability]) => ({ word, probability, finishes: false }));
  const weight = ({ probability, finishes }) => probability * (finishes ? 1 : typed[1]);
  return [...finishing, ...next].sort((a, b) => weight(b) - weight(a)).slice(0, most);
}

/** The text with an offer taken, ready to type on. */
export function accepted(text, { word, finishes }) {
  const { before } = split(text);
  const start = finishes ? before : text;
  const attached = !finishes && ATTACHED.test(word);
  const gap = start === "" || attached || /\s$/.test(start) ? "" : " ";
  return `${attached ? start.trimEnd() : start}${gap}${word} `;
}

/** Whether a text has exactly one blank to fill. */
export function hasOneBlank(text) {
  return text.split(BLANK).length === 2;
}

/** The text with its blank filled. */
export function filled(text, word) {
  return text.replace(BLANK, () => word);
}

/** The lines that hold something, at most so many. */
export function lines(text, most = 20) {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "").slice(0, most);
}

/** Rows of [word, number] from two columns of an answer. */
export function pairs(words, numbers) {
  return words.map((word, i) => [word, numbers[i]]);
}

/** exp(-log P / tokens), as text. */
export function perplexity(logProb, tokens) {
  if (logProb === null || logProb < -1e30) return "∞";
  return Math.exp(-logProb / tokens).toPrecision(3);
}

/** Runs `work` once at a time; of the calls that come meanwhile only the last is made. */
export function latest(work) {
  let running = false;
  let waiting = null;
  return async function run(...given) {
    waiting = given;
    if (running) return;
    running = true;
    try {
      while (waiting !== null) {
        const next = waiting;
        waiting = null;
        await work(...next);
      }
    } finally {
      running = false;
    }
  };
}
