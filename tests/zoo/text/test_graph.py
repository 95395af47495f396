"""The graph form of a tokenizer: which class it is, and that it is made once."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from zoo.errors import ZooError
from zoo.text import SubwordTokenizer, Tokenizer, WordTokenizer
from zoo.text.graph.subwords import GraphSubwordTokenizer
from zoo.text.graph.tokenizers import graph_tokenizer
from zoo.text.graph.words import GraphWordTokenizer


class Special(WordTokenizer):
    """A tokenizer that a user derived."""


class Unknown(Tokenizer):
    rules = ()

    def tokenize(self, text):
        return [text]

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    ("cls", "graph"),
    [
        (WordTokenizer, GraphWordTokenizer),
        (Special, GraphWordTokenizer),
        (SubwordTokenizer, GraphSubwordTokenizer),
    ],
)
def test_graph_by_class_made_once_and_gone_with_its_tokenizer(cls, graph):
    tokenizer = cls.train(["a b"])
    made = graph_tokenizer(tokenizer)
    assert isinstance(made, graph)
    assert graph_tokenizer(tokenizer) is made
    assert graph_tokenizer(cls.train(["a b"])) is not made
    gone = weakref.ref(tokenizer)
    del tokenizer
    gc.collect()
    assert gone() is None


def test_a_tokenizer_without_a_graph_is_refused():
    with pytest.raises(ZooError, match="Unknown has no graph form"):
        graph_tokenizer(Unknown(WordTokenizer.train(["a"]).vocabulary))


def test_text_is_read_without_tensorflow():
    code = "import sys, zoo.text; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
