"""Files that several tests of the exporters ask: each is made once."""

from __future__ import annotations

import warnings

import pytest

from export.tflite.exporter import export_tflite
from tests.helpers.models import TEXTS, language_model

SENTENCES = [text for text in TEXTS if text]


@pytest.fixture(scope="session")
def lite(tmp_path_factory):
    """The report of a listed model's `.tflite` file."""
    folder, kept = tmp_path_factory.mktemp("lite"), {}

    def get(name, quantize="none"):
        key = f"{name}_{quantize}"
        if key not in kept:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the converter's own deprecations
                out = folder / f"{key}.tflite"
                kept[key] = export_tflite(language_model(name), out, quantize, SENTENCES)
        return kept[key]

    return get
