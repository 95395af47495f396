"""A family registers itself, and a preset can name nothing else."""

from __future__ import annotations

import pytest

import zoo
from zoo.models.base import PresetModel
from zoo.models.registry import families, model_class


def test_every_public_model_is_declared_by_its_own_file():
    assert set(families()) == set(zoo.models.__all__)
    assert all(issubclass(model_class(name), PresetModel) for name in families())


@pytest.mark.parametrize("name", ["PresetModel", "os.system", "zoo.models.ngram", "Path"])
def test_other_names_are_no_models(name):
    with pytest.raises(zoo.ZooError, match="unknown model class"):
        model_class(name)
