"""`make serve`: export the shipped presets, serve them, ask two questions, stay up.

The questions go over gRPC and over REST to the server that has just started, so what is printed is
what a client gets.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from serving.client import Client
from serving.errors import ServingError

GRPC, REST = "127.0.0.1:8500", "http://127.0.0.1:8501"
LANGUAGE_MODEL, TRANSLATOR = "lstm_tatoeba_en", "seq2seq_tatoeba_de_en"
PROMPT, SENTENCE = "I would like", "Wo ist der Bahnhof?"
START_LIMIT_S = 600


def main() -> int:
    """Start the server, print the answers, wait for Ctrl-C."""
    command = [sys.executable, "-m", "serving", "--port=8500", "--rest_api_port=8501"]
    # The terminal's Ctrl-C would come twice, and the second ends a server at once.
    server = subprocess.Popen(command, start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.terminate())
    if wait_until_ready(server):
        print(answers(), flush=True)
    return server.wait()


def wait_until_ready(server: subprocess.Popen[bytes]) -> bool:
    """Whether the server answers; False if it ended first."""
    deadline = time.monotonic() + START_LIMIT_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            Client(GRPC).next_words([PROMPT], model=LANGUAGE_MODEL)
        except ServingError:
            time.sleep(1)
        else:
            return True
    return False


def answers() -> str:
    """The two questions' answers and how to ask more."""
    lines = []
    for kind, client in (("gRPC", Client(GRPC)), ("REST", Client.rest(REST))):
        words = client.next_words([PROMPT], model=LANGUAGE_MODEL)[0]
        listed = ", ".join(f"{word} {probability:.3f}" for word, probability in words)
        lines.append(f"next word after {PROMPT!r} ({kind}): {listed}")
    lines.append(translation())
    lines.append("ask more, in another terminal:")
    lines.append(f'  .venv/bin/python -m serving.client next "{PROMPT}"')
    lines.append(
        f'  curl -d \'{{"inputs": ["{PROMPT}"]}}\' {REST}/v1/models/{LANGUAGE_MODEL}:predict'
    )
    lines.append("Ctrl-C stops the server")
    return "\n".join(lines)


def translation() -> str:
    """One translation, where a translation preset is served."""
    try:
        best = Client(GRPC).translate([SENTENCE], model=TRANSLATOR)[0][0]
    except ServingError as error:
        return f"no translation: {error}"
    return f"translation of {SENTENCE!r} (gRPC): {best[0]!r}"


if __name__ == "__main__":
    sys.exit(main())
