"""Architectures go through the checks of tests/helpers/conformance.py.

All of them go through what is quick, and through one process with JAX. A fresh process here takes
one architecture of each kind, and all of them by `python -m benchmarks.conformance`.
"""

from __future__ import annotations

import pytest

from tests.helpers.architectures import ARCHITECTURES, ONE_OF_EACH_KIND
from tests.helpers.conformance import CHECKS
from tests.helpers.workshop import Workshop

FRESH = "fresh process"
EXPORTS = {"SavedModel", "TFLite", "gRPC"}  # tests/export and tests/serving


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    workshop = Workshop(tmp_path_factory.mktemp("workshop"), ONE_OF_EACH_KIND)
    yield workshop
    workshop.close()


@pytest.mark.parametrize("check", [c for c in CHECKS if c not in {FRESH} | EXPORTS])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture(name, check, workshop):
    reason = CHECKS[check](ARCHITECTURES[name], workshop)
    assert reason is None or len(reason) > 10


@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_in_a_fresh_process(name, workshop):
    assert CHECKS[FRESH](ARCHITECTURES[name], workshop) is None
