"""A phone's keyboard in a terminal: type a word or 1, 2, 3 to take an offer; an empty line ends.

python examples/keyboard.py [PRESET]
"""

import sys

import zoo


def offers(model, text: str) -> list[str]:
    """The three likeliest next words."""
    (words,) = model.next_words([text], k=3)
    return [word for word, _ in words]


def main(preset: str = "lstm_tatoeba_en") -> None:
    model, text = zoo.load(preset), ""
    while True:
        words = offers(model, text)
        print("   ".join(f"{i}: {word}" for i, word in enumerate(words, 1)))
        try:
            typed = input(f"{text}> ").strip()
        except EOFError:
            return
        if not typed:
            return
        taken = words[int(typed) - 1] if typed in ("1", "2", "3") else typed
        text = f"{text} {taken}".strip()


if __name__ == "__main__":
    main(*sys.argv[1:2])
