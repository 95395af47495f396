"""`python -m tests.serving.models DIRECTORY [PATH_ON_SERVER]`."""

import sys
from pathlib import Path

from tests.serving.models import write_all

if __name__ == "__main__":
    write_all(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
