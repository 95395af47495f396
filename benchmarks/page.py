"""How quickly the page shows next words, from a key press to the bars; and its pictures.

    python -m benchmarks.page [--keys 120] [--pictures FOLDER] [--json]

A sentence is typed into the page at / in Debian's Chromium (with Playwright, both on this
machine), a key every 120 ms, with the default preset behind it. What is measured is the time from
the key's event to the next frame after the bars have changed. `--pictures` writes the page at 1280
and 390 pixels.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.timing import report
from serving.defaults import exported
from tests.helpers.browser import Watched, opened
from tests.serving.running import running
from zoo.presets.store import shipped_presets

PRESETS = ("lstm_tatoeba_en", "birnn_tatoeba_en", "seq2seq_tatoeba_de_en")
SENTENCE = "I would like to know whether you are at home. "
PAUSE_MS = 120  # between keys
COLORS = 64  # of a picture: few, so that the file is small
CONFIG = 'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" }}\n'
WATCH = """() => {
  window.times = [];
  let began = 0;
  document.addEventListener("keydown", () => { began = performance.now(); }, true);
  const seen = new MutationObserver(() => {
    if (began === 0) return;
    const key = began;
    began = 0;
    requestAnimationFrame(() => window.times.push(performance.now() - key));
  });
  const bars = document.querySelector("#panel-next .bars");
  seen.observe(bars, { subtree: true, childList: true, characterData: true, attributes: true });
}"""


def key_to_bars(browser: Any, base: str, keys: int) -> list[float]:
    """Milliseconds from each key press to the changed bars."""
    page = Watched(browser, base).page
    page.goto(base)
    page.wait_for_selector(".bars button")
    box = page.get_by_label("Type")
    box.fill("")
    page.wait_for_timeout(500)
    page.evaluate(WATCH)
    text = (SENTENCE * (1 + keys // len(SENTENCE)))[:keys]
    box.press_sequentially(text, delay=PAUSE_MS, timeout=1000 * keys)
    page.wait_for_timeout(500)
    times: list[float] = page.evaluate("window.times")
    return times


def pictures(browser: Any, base: str, folder: Path) -> None:
    """The page at two widths, as a user who types sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    for width, height, tab in ((1280, 860, "next"), (390, 844, "compare")):
        page = Watched(browser, base, width=width, height=height).page
        page.goto(f"{base}/#{tab}")
        page.wait_for_selector("#calls pre")
        page.wait_for_timeout(500)
        path = folder / f"page_{width}.png"
        page.screenshot(path=str(path))
        Image.open(path).convert("RGB").quantize(COLORS).save(path, optimize=True)


def main() -> int:
    """Serve three presets, type, print the quartiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=120)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    listed = [CONFIG.format(name=n, path=exported(n, shipped_presets()[n])) for n in PRESETS]
    with tempfile.NamedTemporaryFile("w", suffix=".config") as config:
        config.write(f"model_config_list {{ {''.join(listed)} }}")
        config.flush()
        with running(f"--model_config_file={config.name}") as address, opened() as browser:
            times = key_to_bars(browser, address.rest, options.keys)
            if options.pictures:
                pictures(browser, address.rest, options.pictures)
    low, median, high = np.percentile(times, [25, 50, 75])
    row = {
        "keys": len(times),
        "median_ms": round(float(median), 1),
        "median_ms_low": round(float(low), 1),
        "median_ms_high": round(float(high), 1),
    }
    report([row], options.json, {"keys": "keys", "key press to bars, ms": "median_ms"})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
