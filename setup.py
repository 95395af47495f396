"""Only for `ZOO_WHEEL=small pip wheel .`: the code and the presets' descriptions, no weights.

`zoo.load` then fetches weights (zoo/presets/release.py). Everything else is in setup.cfg.
"""

import configparser
import os
from typing import Any

from setuptools import setup

SMALL = ["py.typed", "presets/*/config.json", "presets/*/card.md"]


def options() -> dict[str, Any]:
    """What the small wheel has in place of setup.cfg's."""
    if os.environ.get("ZOO_WHEEL") != "small":
        return {}
    config = configparser.ConfigParser()
    config.read("setup.cfg", encoding="utf-8")
    listed = config["options.package_data"].items()
    data = {package: [f.strip() for f in files.split(",")] for package, files in listed}
    # A build number, so that the two wheels of a version have different names.
    return {
        "package_data": data | {"zoo": SMALL},
        "options": {"bdist_wheel": {"build_number": "0code"}},
    }


setup(**options())
