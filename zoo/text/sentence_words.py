"""What a sentence is known by, whatever its case, its marks and the normal form of its letters."""

from __future__ import annotations

import hashlib
import re
import unicodedata

Words = tuple[str, ...]
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words_of(text: str) -> Words:
    """The words of a sentence without case (a text of marks alone: the text).

    Example:
        >>> words_of("I'm HERE, said Tom!")
        ("i'm", 'here', 'said', 'tom')
    """
    plain = unicodedata.normalize("NFC", text).casefold()
    return tuple(_WORD.findall(plain)) or (text.strip(),)


def hash_of(text: str, seed: int) -> bytes:
    """Thirty-two bytes that follow from seed and text, the same on every machine."""
    return hashlib.sha256(f"{seed}\0{text}".encode()).digest()
