"""`python -m training.publish NAME --run runs/NAME --data-dir DIR` is `zoo publish`."""

import sys

from zoo.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["publish", *sys.argv[1:]]))
